//! A soldier's body, what its player wants of it, and the rules by which it moves.

use glam::Vec3;

pub use crate::rules::{MoveRules, MoveRulesError};

use crate::angle::Yaw;

/// How a soldier holds itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Stance {
    /// Upright, 1.8 m.
    #[default]
    Standing = 0,
    /// Crouched, 1.2 m.
    Crouched = 1,
}

impl Stance {
    /// Height of a body in this stance, metres.
    pub fn height_m(self, rules: &MoveRules) -> f32 {
        match self {
            Self::Standing => rules.stand_m,
            Self::Crouched => rules.crouch_m,
        }
    }
}

/// All state that movement reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Body {
    /// The feet, metres.
    pub pos: Vec3,
    /// Metres a second.
    pub vel: Vec3,
    /// Upright or crouched.
    pub stance: Stance,
    /// Stands on ground.
    pub grounded: bool,
    /// Jump was held in the last step; a new jump needs a new press.
    pub jump_held: bool,
    /// Highest point of the present fall, metres; equal to `pos.y` on the ground.
    pub fall_from_y: f32,
}

impl Body {
    /// At rest, upright, with its feet at `pos`; the first step finds the ground.
    pub fn at(pos: Vec3) -> Self {
        Self { pos, fall_from_y: pos.y, ..Self::default() }
    }
}

/// What the player wants the body to do in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MoveIntent {
    /// -1 (left) to 1 (right), relative to `yaw`.
    pub right: f32,
    /// -1 (backward) to 1 (forward), relative to `yaw`.
    pub forward: f32,
    /// The view's heading.
    pub yaw: Yaw,
    /// Jump is held.
    pub jump: bool,
    /// Crouch is held.
    pub crouch: bool,
    /// Sprint is held.
    pub sprint: bool,
}
