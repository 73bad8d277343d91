//! What systems of one tick tell the later ones. Emptied at the start of every tick, so none of
//! it is state.

use bevy_ecs::prelude::Resource;

use crate::event::Event;
use crate::id::{PlayerSlot, Tick, WeaponId};
use crate::view::Status;

/// What happened, in order; the tick's output.
#[derive(Resource, Debug, Default)]
pub struct EventLog(pub Vec<Event>);

/// Damage that was dealt this tick and not yet applied, in the order of its causes.
#[derive(Resource, Debug, Default)]
pub struct Wounds(pub Vec<Wound>);

/// One dealing of damage, before armour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wound {
    /// Who is hurt.
    pub victim: PlayerSlot,
    /// Who did it; the victim itself for falls, the border and own grenades.
    pub by: PlayerSlot,
    /// Hit points before armour.
    pub damage_hp: f32,
    /// What did it.
    pub cause: Cause,
}

/// What hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A round, splash or strike of a weapon.
    Weapon {
        /// The weapon of the rules that did it.
        weapon: WeaponId,
        /// Into the head.
        headshot: bool,
    },
    /// The ground, too fast. Armour does not help.
    Fall,
    /// Too long outside the map. Kills at once, past revival.
    Border,
}

/// Deaths that became final this tick, in order: what tickets and waves count. Each one's
/// [`Event::Died`] is in the log already.
#[derive(Resource, Debug, Default)]
pub struct Deaths(pub Vec<PlayerSlot>);

/// Players who left for good this tick, in order. Their [`Event::Left`] follows in the same tick.
#[derive(Resource, Debug, Default)]
pub struct Departures(pub Vec<Departure>);

/// One player's leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The player who leaves.
    pub player: PlayerSlot,
    /// What its soldier was before.
    pub was: Status,
    /// When the player was last there: now, or before it was lost.
    pub since: Tick,
}

/// Deterministic work units of this tick by slot: what a region's load is made of.
#[derive(Resource, Debug, Default)]
pub struct Work(pub Vec<u32>);

impl Work {
    /// Adds `units` to the account of `slot`.
    pub fn add(&mut self, slot: PlayerSlot, units: u32) {
        if let Some(work) = self.0.get_mut(usize::from(slot.0)) {
            *work = work.saturating_add(units);
        }
    }
}
