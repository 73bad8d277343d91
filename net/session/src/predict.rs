//! The seam between a client and the rules of movement.
//!
//! A client knows the wire, not the simulation. Whoever embeds it hands in the movement step
//! behind this trait; the bridge's implementation runs the very code that the server runs.

use sortie_wire::{input::InputCommand, state::SelfState};

/// Runs the own soldier ahead of the server.
pub trait Predict {
    /// Takes the map and the rules that the server sent in its welcome, once per welcome, before
    /// any [`step`](Self::step).
    fn prepare(&mut self, map: &str, rules: &str, tick_hz: u16) -> Result<(), UnusableRules>;

    /// Moves `own` by one tick under `input`, exactly as the server will if it consumes that
    /// input in that tick. `neighbours` are the soldiers near by as last shown.
    fn step(&mut self, own: &mut SelfState, input: &InputCommand, neighbours: &[Neighbour]);
}

/// Another soldier's place while predicting, metres.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Neighbour {
    /// Its entity id.
    pub id: u32,
    /// The feet: east, up, south.
    pub pos: [f32; 3],
}

/// The welcome's map or rules cannot be read: server and client are of different builds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's map or rules are unusable: {0}")]
pub struct UnusableRules(pub String);
