//! Deathmatch: the first team with so many kills wins. Kept small, to show what a mode is.

use bevy_ecs::prelude::*;

use super::round::Round;
use crate::components::{Identity, Roster};
use crate::event::Event;
use crate::transient::EventLog;
use crate::world::{Clock, Rules};

pub(crate) fn count_kills(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    soldiers: Query<&Identity>,
    mut round: ResMut<Round>,
    mut events: ResMut<EventLog>,
) {
    let team_of = |slot| {
        roster.get(slot).and_then(|entity| soldiers.get(entity).ok()).map(|identity| identity.team)
    };
    for event in &events.0 {
        if let Event::Downed { victim, killer: Some(killer), .. } = *event
            && let (Some(own), Some(other)) = (team_of(killer), team_of(victim))
            && own != other
        {
            let kills = &mut round.kills[own.index()];
            *kills = kills.saturating_add(1);
        }
    }
    let [red, blue] = round.kills;
    let won = red.max(blue) >= rules.objective.score_to_win;
    if won || round.is_out_of_time(&clock, &rules.objective) {
        round.end(&rules, &clock, &mut events);
    }
}
