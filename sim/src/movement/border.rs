//! Whoever stays outside the map's border for too long dies.

use bevy_ecs::prelude::*;

use crate::components::{Border, Identity, Pose, Roster, Vitals};
use crate::transient::{Cause, Wound, Wounds};
use crate::world::{Clock, Ground, Rules};

pub(super) fn watch_border(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    mut soldiers: Query<(&Identity, &Pose, &Vitals, &mut Border)>,
    mut wounds: ResMut<Wounds>,
) {
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((identity, pose, vitals, mut border))) = soldiers.fetch_next() {
        let pos = pose.0.pos;
        if !vitals.in_field() || ground.inside_boundary(pos.x, pos.z) {
            border.deadline = None;
            continue;
        }
        let deadline = *border.deadline.get_or_insert(clock.after(rules.body.border_s));
        if clock.tick >= deadline {
            border.deadline = None;
            wounds.0.push(Wound {
                victim: identity.slot,
                by: identity.slot,
                damage_hp: f32::MAX,
                cause: Cause::Border,
            });
        }
    }
}
