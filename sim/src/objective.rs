//! What a round is about. A mode is a module: systems that read the tick's facts and end the round.
//!
//! [`Round`] is the state that all modes share; what a mode does not use stays as it is.

mod conquest;
mod deathmatch;
mod round;
mod rounds;

use bevy_ecs::prelude::*;

use crate::components::{Identity, Roster, Vitals};
use crate::config::Mode;
use crate::id::Team;
use crate::schedule::{Phase, Timetable};
use crate::view::{RoundState, Status};
use crate::world::Rules;

pub(crate) use deathmatch::count_kills;
pub(crate) use round::battle_end;
pub use round::{PointControl, Round};
pub(crate) use rounds::next_round;

pub(crate) fn add_systems(timetable: &mut Timetable) {
    let running = |round: Res<Round>| round.state == RoundState::Running;
    let ended = |round: Res<Round>| round.state != RoundState::Running;
    timetable.add(Phase::Objective, (rounds::begin_round.run_if(ended), count_players).chain());
    timetable.add(
        Phase::Objective,
        (conquest::capture_points, conquest::count_tickets)
            .chain()
            .after(count_players)
            .run_if(in_mode(Mode::Conquest))
            .run_if(running),
    );
    timetable.add(
        Phase::Objective,
        count_kills
            .after(conquest::count_tickets)
            .run_if(in_mode(Mode::Deathmatch))
            .run_if(running),
    );
}

/// Whether the battle is fought in a mode.
pub(crate) fn in_mode(mode: Mode) -> impl FnMut(Res<Rules>) -> bool + Clone {
    move |rules: Res<Rules>| rules.mode == mode
}

/// Tickets grow with the team, and never shrink in a round.
fn count_players(
    roster: Res<Roster>,
    soldiers: Query<(&Identity, &Vitals)>,
    mut round: ResMut<Round>,
) {
    let mut present = [0u32; 2];
    for (identity, vitals) in soldiers.iter_many(roster.entities()).flatten() {
        present[identity.team.index()] += u32::from(vitals.status != Status::Left);
    }
    for team in Team::ALL.map(Team::index) {
        round.players[team] = round.players[team].max(present[team]);
    }
}
