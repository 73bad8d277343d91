//! Fighting: hands act, rounds fly, what they meet is hurt.
//!
//! **Rules.** A shot is judged against where soldiers stood in the tick that the shooter saw,
//! within the rewind cap; everything that flies lives in the present. All shots of a tick are
//! judged before any damage is applied, so two who shoot each other in one tick both fall. Damage
//! is a list of facts in the order of (shooter, shot, pellet), and `damage` alone lowers health.

mod bodies;
mod buffers;
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
pub use buffers::Combat;
pub use history::History;

use crate::objective::Round;
use crate::receive::apply_commands;
use crate::schedule::{Phase, Timetable};
use crate::world::Rules;

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
    round.is_fought(&rules)
}
