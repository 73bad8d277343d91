//! A soldier's body and the one movement step that server and client both run.

use glam::Vec3;

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
