//! Anything in the field that is no soldier.

use bevy_ecs::prelude::Component;
use sortie_field::Vec3;

use crate::codec::{saved, saved_index};
use crate::id::{EntityId, PlayerSlot, Team, Tick, WeaponId};
use crate::view::PropKind;

/// A projectile, grenade, cloud, sensor or kit.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Prop {
    /// Its name.
    pub id: EntityId,
    /// What it is.
    pub kind: PropKind,
    /// Whose it is.
    pub owner: PlayerSlot,
    /// The owner's side.
    pub team: Team,
    /// The weapon it came from.
    pub weapon: WeaponId,
    /// Where it is.
    pub pos: Vec3,
    /// Metres a second.
    pub vel: Vec3,
    /// When it goes off, or vanishes.
    pub ends_at: Tick,
    /// Radius of its effect, metres.
    pub radius_m: f32,
    /// What is left in it: uses of a kit.
    pub charges: u16,
    /// Points that its owner got for it.
    pub scored: u32,
}

saved_index!(PropKind { Projectile, Grenade, SmokeGrenade, Smoke, Sensor, Medkit, AmmoBox });
saved!(Prop { id, kind, owner, team, weapon, pos, vel, ends_at, radius_m, charges, scored });
