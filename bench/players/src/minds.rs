//! Who plays: the bots and walkers of a scenario, behind the simulation's view and behind a
//! client's.
//!
//! A [`SimMind`] reads the world's view and answers with commands, a [`NetMind`] reads what a
//! client knows and answers with what a client sends. Both drive the same
//! [`BotBrain`](crate::bots::BotBrain) or [`Walker`](crate::walker::Walker).

mod arms;
mod nearby;
mod net;
mod sim;

pub use net::{Decision, NetMind};
pub use sim::{Said, SimMind, Surroundings};

use sortie_field::Field;

use crate::bots::Point;

/// Ticks between two requests of a walker to spawn: a request holds until its wave.
const ASK_AGAIN_TICKS: u32 = 30;

/// Eyes above the feet, standing and crouched, metres.
const EYES_M: f32 = 1.65;
const CROUCHED_EYES_M: f32 = 1.05;

/// Radius of the place that everyone crowds into in a crush, metres.
const CRUSH_RADIUS_M: f32 = 16.0;

/// The place in the middle of the map that nobody ever owns, so that everyone goes there.
fn crush_point(field: &Field) -> Point {
    let middle = field.map().size_m / 2.0;
    let pos = sortie_field::Vec3::new(middle, field.ground_y(middle, middle), middle);
    Point { pos, radius_m: CRUSH_RADIUS_M, owner: None, contested: true }
}

/// Height of the eyes above the feet, metres.
fn eyes_m(crouched: bool) -> f32 {
    if crouched { CROUCHED_EYES_M } else { EYES_M }
}
