//! What a soldier carries and what its hands are busy with.

use bevy_ecs::prelude::Component;

use crate::codec::saved;
use crate::id::{Tick, WeaponId};

/// One weapon of three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarriedWeapon {
    /// Its number in the rules.
    pub id: WeaponId,
    /// Rounds in the magazine.
    pub ammo: u16,
    /// Rounds in reserve.
    pub reserve: u16,
}

/// What a soldier carries. Timers are ticks.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Arsenal {
    /// Primary, sidearm, gadget.
    pub weapons: [CarriedWeapon; 3],
    /// Which of them is in hand.
    pub active: u8,
    /// The earliest tick of the next shot.
    pub next_fire: Tick,
    /// Thousandths of a tick after `next_fire` at which the weapon is truly ready.
    pub next_fire_part: u16,
    /// Reloading until this tick, if so.
    pub reload_until: Option<Tick>,
    /// The last tick in which it fired.
    pub fired_at: Tick,
    /// Spread grown by past shots, degrees.
    pub spread_deg: f32,
    /// Recoil not yet recovered: up and sideways, degrees.
    pub recoil_deg: (f32, f32),
    /// Grenades left.
    pub grenades: u8,
    /// Gadget uses left.
    pub gadgets: u8,
    /// The earliest tick of the next throw, strike or gadget.
    pub next_gadget: Tick,
}

saved!(CarriedWeapon { id, ammo, reserve });
saved!(Arsenal {
    weapons,
    active,
    next_fire,
    next_fire_part,
    reload_until,
    fired_at,
    spread_deg,
    recoil_deg,
    grenades,
    gadgets,
    next_gadget,
});
