//! What a run consists of.

use std::path::PathBuf;
use std::time::Duration;

use sortie_client::LanePolicy;

use super::server::Target;
use crate::scenario::Scenario;

/// What a run consists of.
#[derive(Clone, Debug)]
pub struct SwarmConfig {
    /// How many bots.
    pub bots: usize,
    /// How long they play, from the start of connecting.
    pub duration: Duration,
    /// What they do.
    pub scenario: Scenario,
    /// Seed of bots, battle and simulated network.
    pub seed: u64,
    /// Threads that drive the bots.
    pub threads: usize,
    /// What inputs and snapshots travel over.
    pub lane: LanePolicy,
    /// The simulated network.
    pub link: NetworkConditions,
    /// Whether bots and an own server meet with faults, one after the other.
    pub hostile: bool,
    /// What they connect to.
    pub server: ServerUnderTest,
}

/// A simulated network; each direction is treated alike, on its own. All zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NetworkConditions {
    /// Share of the packets dropped, 0 to 1.
    pub loss: f64,
    /// Added one way.
    pub delay: Duration,
    /// The delay varies by up to this much, both ways.
    pub jitter: Duration,
    /// Share of the packets that later ones overtake, 0 to 1.
    pub reorder: f64,
    /// Share of the packets delivered twice, 0 to 1.
    pub duplicate: f64,
    /// How often each bot moves to a new address.
    pub rebind_every: Option<Duration>,
}

impl NetworkConditions {
    /// Whether packets are to be touched at all.
    pub fn is_plain(&self) -> bool {
        Self { rebind_every: None, ..*self } == Self::default()
    }
}

/// What the bots connect to.
#[derive(Clone, Debug)]
pub enum ServerUnderTest {
    /// A child process of our own.
    Own(OwnServer),
    /// One that runs already.
    Running(Target),
}

/// How to start a server of our own.
#[derive(Clone, Debug)]
pub struct OwnServer {
    /// The `sortie` binary.
    pub program: PathBuf,
    /// Where it keeps journal and keys.
    pub data_dir: PathBuf,
    /// Its map; the scenario's without one.
    pub map: Option<String>,
    /// Ticks a second.
    pub tick_hz: u32,
    /// Simulation threads.
    pub threads: usize,
}
