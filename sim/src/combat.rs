//! Fighting: hands act, rounds fly, what they meet is hurt.
//!
//! **Rules.** A shot is judged against where soldiers stood in the tick that the shooter saw,
//! within the rewind cap; everything that flies lives in the present. All shots of a tick are
//! judged before any damage is applied, so two who shoot each other in one tick both fall. Damage
//! is a list of facts in the order of (shooter, shot, pellet), and `damage` alone lowers health.

mod bodies;
mod damage;
mod fire;
mod flight;
mod hands;
mod history;
mod kits;
mod leave;
mod rays;
mod revive;
mod shape;
mod spot;

use bevy_ecs::prelude::*;

pub(crate) use bodies::Bodies;
pub use history::History;

use crate::config::Mode;
use crate::objective::Round;
use crate::receive::apply_commands;
use crate::schedule::{Phase, Timetable};
use crate::view::RoundState;
use crate::world::Rules;

/// What one tick's combat hands from system to system. Buffers are reused; none of it is state.
#[derive(Resource, Debug, Default)]
pub struct Combat {
    /// Rays of this tick, by shooter and pellet.
    rays: Vec<rays::Ray>,
    /// What is to come into the field this tick, by owner.
    launches: Vec<flight::Launch>,
}

pub(crate) fn add_systems(timetable: &mut Timetable) {
    timetable.add(Phase::Receive, leave::bury_leavers.after(apply_commands));
    timetable.add(Phase::Fire, history::record_poses);
    timetable.add(
        Phase::Fire,
        (
            bodies::gather_bodies,
            hands::work_hands,
            fire::pull_triggers,
            hands::use_hands,
            flight::launch_props,
        )
            .chain()
            .after(history::record_poses)
            .run_if(is_fought),
    );
    timetable.add(
        Phase::Hit,
        (rays::trace_rays, flight::fly_props, kits::use_kits, spot::spot_enemies)
            .chain()
            .run_if(is_fought),
    );
    timetable.add(
        Phase::Damage,
        (damage::apply_damage, revive::help_downed, revive::end_lives).chain().run_if(is_fought),
    );
}

fn is_fought(rules: Res<Rules>, round: Res<Round>) -> bool {
    fighting(&rules, &round)
}

/// Whether anybody can be hurt: not on a walk, not after the round.
fn fighting(rules: &Rules, round: &Round) -> bool {
    rules.mode != Mode::Walk && round.state == RoundState::Running
}
