//! What the systems of one tick's combat hand to each other.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;

use super::shape::Zone;
use crate::components::Identity;
use crate::config::Gadget;
use crate::id::{PlayerSlot, Team, Tick, WeaponId};
use crate::view::PropKind;

/// What one tick's combat hands from system to system. Buffers are reused; none of it is state.
#[derive(Resource, Debug, Default)]
pub struct Combat {
    /// Rays of this tick, by shooter and pellet.
    pub(super) rays: Vec<Ray>,
    /// What is to come into the field this tick, by owner.
    pub(super) launches: Vec<Launch>,
}

/// One pellet's way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ray {
    pub(super) shooter: PlayerSlot,
    pub(super) team: Team,
    pub(super) weapon: WeaponId,
    pub(super) origin: Vec3,
    pub(super) dir: Vec3,
    /// The tick that the shooter saw, within the cap.
    pub(super) seen: Tick,
    /// The first of its shot: the one that is heard and drawn.
    pub(super) first: bool,
    /// Results.
    pub(super) end_m: f32,
    pub(super) struck: Option<(PlayerSlot, Zone)>,
    pub(super) looked_at: u32,
}

impl Ray {
    pub(super) fn new(
        shooter: &Identity,
        weapon: WeaponId,
        origin: Vec3,
        dir: Vec3,
        seen: Tick,
        first: bool,
    ) -> Self {
        let Identity { slot, team, .. } = *shooter;
        let (end_m, struck, looked_at) = (0.0, None, 0);
        Self { shooter: slot, team, weapon, origin, dir, seen, first, end_m, struck, looked_at }
    }
}

/// Something on its way into the field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Launch {
    pub(super) owner: PlayerSlot,
    pub(super) team: Team,
    pub(super) what: Launched,
    pub(super) pos: Vec3,
    pub(super) vel: Vec3,
    pub(super) ends_at: Tick,
}

/// What comes into the field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Launched {
    /// A round or a grenade.
    Weapon { kind: PropKind, weapon: WeaponId },
    /// Something set down.
    Gadget(Gadget),
}
