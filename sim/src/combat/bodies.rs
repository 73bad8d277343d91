//! Who can be met in this tick: everybody in the field by slot, and by the square it stands in.
//!
//! Gathered once when hands begin to act; nobody moves, falls or comes in before all that flies
//! and strikes this tick has met what it meets.

use bevy_ecs::prelude::*;
use sortie_field::{Stance, Vec3};

use super::history::PastPose;
use crate::components::{Identity, Pose, Roster, Vitals};
use crate::grid::SquareGrid;
use crate::id::{PlayerSlot, Team, Tick};
use crate::view::Status;
use crate::world::Rules;

/// Squares of the grid, metres: a crowd fills several, and a long shot crosses few.
const SQUARE_M: f32 = 16.0;

/// A soldier as others can meet it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) slot: PlayerSlot,
    pub(super) team: Team,
    pub(super) status: Status,
    /// The first tick of this life.
    pub(super) since: Tick,
    pub(super) pose: PastPose,
}

impl Body {
    pub(super) fn alive(&self) -> bool {
        self.status == Status::Alive
    }
}

/// Everybody, and where.
#[derive(Resource, Debug)]
pub(crate) struct Bodies {
    /// One row for each slot, indexed by it.
    rows: Vec<Body>,
    /// Who is in the field.
    grid: SquareGrid,
}

impl Bodies {
    /// Nobody on a map of this size.
    pub(crate) fn new(size_m: f32) -> Self {
        Self { rows: Vec::new(), grid: SquareGrid::new(size_m, SQUARE_M) }
    }

    /// Everybody in the field around a place, and some beyond, in a fixed order.
    #[inline]
    pub(super) fn near(&self, pos: Vec3, radius_m: f32, mut meet: impl FnMut(&Body)) {
        self.grid.near(pos, radius_m, |slot| meet(&self.rows[slot as usize]));
    }

    /// Everybody in the field beside a line, and some beyond, in a fixed order.
    #[inline]
    pub(super) fn near_line(
        &self,
        from: Vec3,
        to: Vec3,
        margin_m: f32,
        mut meet: impl FnMut(&Body),
    ) {
        self.grid.near_line(from, to, margin_m, |slot| meet(&self.rows[slot as usize]));
    }

    /// The team of a slot.
    pub(super) fn team(&self, slot: PlayerSlot) -> Option<Team> {
        self.rows.get(usize::from(slot.0)).map(|body| body.team)
    }
}

pub(super) fn gather_bodies(
    roster: Res<Roster>,
    rules: Res<Rules>,
    soldiers: Query<(&Identity, &Pose, &Vitals)>,
    mut bodies: ResMut<Bodies>,
) {
    let Bodies { rows, grid } = &mut *bodies;
    rows.clear();
    for (identity, pose, vitals) in soldiers.iter_many(roster.entities()).flatten() {
        let Identity { slot, team, .. } = *identity;
        let height_m = match pose.0.stance {
            Stance::Standing => rules.movement.stand_m,
            Stance::Crouched => rules.movement.crouch_m,
        };
        let pose = PastPose { pos: pose.0.pos, height_m };
        rows.push(Body { slot, team, status: vitals.status, since: vitals.spawned_at, pose });
    }
    let present = |body: &&Body| matches!(body.status, Status::Alive | Status::Down);
    let places = rows.iter().filter(present);
    grid.build(places.map(|body| (u32::from(body.slot.0), body.pose.pos)));
}
