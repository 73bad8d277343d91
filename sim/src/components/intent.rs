//! What a player wants.

use bevy_ecs::prelude::Component;

use crate::codec::{saved, saved_index};
use crate::command::{Buttons, Input, SpawnAt};
use crate::id::{Class, PointId, Tick};

/// This tick's input, already clamped. Without an input command it is neutral: nothing held, the
/// view kept.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// The input.
    pub input: Input,
    /// The buttons held in the tick before.
    pub previous: Buttons,
}

impl Intent {
    /// Whether all of `buttons` are held.
    pub fn holds(&self, buttons: Buttons) -> bool {
        self.input.buttons.contains(buttons)
    }

    /// Whether `button` is held now and was not in the tick before.
    pub fn pressed(&self, button: Buttons) -> bool {
        self.holds(button) && !self.previous.contains(button)
    }
}

/// What a player asked for beside the input.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Wants to come into the field: where and as what. Stands until it is granted.
    pub spawn: Option<(SpawnAt, Class)>,
    /// Stops waiting for a medic; for this tick only.
    pub give_up: bool,
    /// Wants in or out of a squad; for this tick only.
    pub squad: Option<SquadRequest>,
    /// Orders the squad to a point; for this tick only.
    pub order: Option<PointId>,
    /// Marks the enemy in view; for this tick only.
    pub spot: bool,
    /// The earliest tick of the next mark.
    pub next_spot: Tick,
}

impl Requests {
    /// Forgets what counts for one tick only.
    pub fn start_tick(&mut self) {
        *self = Self { spawn: self.spawn, next_spot: self.next_spot, ..Self::default() };
    }
}

/// In or out of a squad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SquadRequest {
    /// Into the lowest squad with room.
    Join,
    /// Out of the present one.
    Leave,
}

saved!(Intent { input, previous });
saved!(Requests { spawn, give_up, squad, order, spot, next_spot });
saved_index!(SquadRequest { Join, Leave });
