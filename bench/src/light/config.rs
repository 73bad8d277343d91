//! What a run of light clients consists of.

use std::path::PathBuf;
use std::time::Duration;

use sortie_players::scenario::Scenario;

use super::link::LaneKind;

/// One whole run.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// The `sortie` binary.
    pub program: PathBuf,
    /// Where server and replay may write.
    pub data_dir: PathBuf,
    /// What the clients do.
    pub scenario: Scenario,
    /// How many clients.
    pub players: usize,
    /// Ticks a second.
    pub tick_hz: u32,
    /// What carries inputs and snapshots.
    pub lane: LaneKind,
    /// Threads and shards of the server; one is bound to a core of its own.
    pub threads: usize,
    /// Steady seconds before the clock runs.
    pub warm_up: Duration,
    /// Seconds that count.
    pub steady: Duration,
    /// Clients that decode everything.
    pub watched: usize,
}
