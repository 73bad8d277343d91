//! Who plays: the decision makers of a scenario, behind the simulation's view and behind a
//! client's.

mod sim;

pub use sim::{Said, SimMind, Surroundings};

/// Ticks between two requests to spawn: a request holds until its wave.
const ASK_AGAIN_TICKS: u32 = 30;
