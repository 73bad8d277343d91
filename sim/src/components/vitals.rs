//! Life, armour and what ends or renews it.

use bevy_ecs::prelude::Component;

use crate::codec::{saved, saved_index};
use crate::id::{PlayerSlot, Tick};
use crate::view::Status;

/// Life. Timers are ticks; [`Tick`] 0 means never.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Vitals {
    /// Waiting, alive, down or gone.
    pub status: Status,
    /// Hit points, 0 to 100.
    pub health_hp: u8,
    /// Armour points, 0 to 50, by class.
    pub armour: u8,
    /// When the present life began.
    pub spawned_at: Tick,
    /// The last tick in which the soldier was hit.
    pub hit_at: Tick,
    /// While down: the tick in which the death becomes final.
    pub bleeds_out_at: Tick,
    /// While down: ticks for which a mate has been reviving.
    pub revive_ticks: u16,
    /// While down: who is reviving.
    pub reviver: Option<PlayerSlot>,
    /// The enemy knows where the soldier is until this tick.
    pub spotted_until: Tick,
    /// Who made it known.
    pub spotted_by: Option<PlayerSlot>,
}

impl Vitals {
    /// Whether the soldier is in the field and on its feet.
    pub fn alive(&self) -> bool {
        self.status == Status::Alive
    }

    /// Has a body in the field: alive or down.
    pub fn in_field(&self) -> bool {
        matches!(self.status, Status::Alive | Status::Down)
    }
}

saved_index!(Status { Waiting, Alive, Down, Left });
saved!(Vitals {
    status,
    health_hp,
    armour,
    spawned_at,
    hit_at,
    bleeds_out_at,
    revive_ticks,
    reviver,
    spotted_until,
    spotted_by,
});
