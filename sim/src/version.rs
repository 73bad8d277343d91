//! Which simulation this is.

/// The simulation by the name that journals and replays carry in their headers.
///
/// Its number is no release's: it goes up by one, once a release, when equal setups and equal
/// commands no longer give equal battles, or when a checkpoint lists other state. A battle is
/// judged only by the rules that it was fought with, so journals and replays of another number
/// are refused by name instead of being found to differ somewhere.
/// `sim/tests/battle/golden.rs` keeps the hashes that each number stands for, and fails when
/// battles come out differently under a number that is known.
pub const SIMULATION: &str = "sortie-sim 2";
