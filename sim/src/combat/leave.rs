//! Leaving is no way out of a fight.
//!
//! **Rule.** A soldier in the field dies when its player leaves for good, by its own wish or not.
//! If an enemy hurt it lately, it falls to the one that did so last, as if shot; if not, nobody is
//! credited. Either way it is a death for the figures and for the tickets. One that is down
//! already has fallen to somebody; its death becomes final.

use bevy_ecs::prelude::*;

use super::damage::{self, Fall};
use crate::components::Roster;
use crate::event::Event;
use crate::objective::Round;
use crate::transient::{Deaths, Departures, EventLog};
use crate::view::Status;
use crate::world::{Clock, Ground, Rules};

pub(super) fn bury_leavers(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    round: Res<Round>,
    departures: Res<Departures>,
    mut bodies: Query<damage::Body>,
    mut events: ResMut<EventLog>,
    mut deaths: ResMut<Deaths>,
) {
    let lately = clock.ticks(rules.combat.leave_s);
    for departure in &departures.0 {
        let player = departure.player;
        let body = roster.get(player).map(|entity| bodies.get_mut(entity));
        let Some(Ok((_, _, _, grudges, mut stats))) = body else { continue };
        let was_in_field = matches!(departure.was, Status::Alive | Status::Down);
        if was_in_field && round.is_fought(&rules) {
            stats.score.deaths = stats.score.deaths.saturating_add(1);
            deaths.0.push(player);
            let blow =
                grudges.blow.filter(|blow| blow.at.0.saturating_add(lately) >= departure.since.0);
            if departure.was == Status::Alive {
                let (killer, weapon) = (blow.map(|blow| blow.by), blow.map(|blow| blow.weapon));
                let fall = Fall { victim: player, killer, weapon, headshot: false };
                let Fall { victim, headshot, .. } = fall;
                events.0.push(Event::Downed { victim, killer, weapon, headshot });
                if killer.is_some() {
                    damage::reward(&fall, &roster, &clock, &ground, &rules, &round, &mut bodies);
                }
            }
        }
        if was_in_field {
            events.0.push(Event::Died { victim: player });
        }
        events.0.push(Event::Left { player });
    }
}
