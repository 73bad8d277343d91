//! One round after the other, while the rules leave time for it.

use bevy_ecs::prelude::*;

use super::round::{Round, battle_end};
use crate::components::{Border, Grudges, Roster, Vitals};
use crate::config::ObjectiveRules;
use crate::event::Event;
use crate::id::Tick;
use crate::transient::EventLog;
use crate::view::{RoundState, Status};
use crate::world::{Clock, Rules};

/// The tick in which the next round begins; `None`: there is none, or this one still runs.
pub(crate) fn next_round(round: &Round, clock: &Clock, rules: &ObjectiveRules) -> Option<Tick> {
    let RoundState::Ended { at, .. } = round.state else { return None };
    let begins = Tick(at.0.saturating_add(clock.ticks(rules.pause_s)));
    let is_last = rules.rounds != 0 && round.before.saturating_add(1) >= rules.rounds;
    let in_time = battle_end(clock, rules).is_none_or(|end| begins < end);
    (!is_last && in_time).then_some(begins)
}

/// After the pause all begin anew: points are nobody's, tickets are full, soldiers wait to come
/// in. What players have done in the battle stays theirs.
pub(super) fn begin_round(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    mut soldiers: Query<(&mut Vitals, &mut Border, &mut Grudges)>,
    mut round: ResMut<Round>,
    mut events: ResMut<EventLog>,
) {
    if next_round(&round, &clock, &rules.objective).is_none_or(|begins| clock.tick < begins) {
        return;
    }
    let before = round.before.saturating_add(1);
    round.begin(before, clock.tick);
    events.0.push(Event::RoundBegan { before });
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((mut vitals, mut border, mut grudges))) = soldiers.fetch_next() {
        if vitals.status != Status::Left {
            *vitals = Vitals::default();
            border.deadline = None;
            *grudges = Grudges::default();
        }
    }
}
