//! Figures behind the outcomes, for charts and for those who want to look closer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::light::run::RunReport;

/// Everything that is no outcome.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Details {
    /// Runs of whole servers.
    pub whole: Vec<Whole>,
    /// Floors of the datagrams of whole servers.
    pub floors: Vec<Floors>,
    /// Costs of a tick by the number of players, in memory.
    pub scaling: Vec<Scaling>,
    /// Transports alone.
    pub transports: Vec<Transport>,
}

/// A run of a whole server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Whole {
    /// What its players did.
    pub scenario: String,
    /// What carried inputs and snapshots.
    pub lane: String,
    /// Its threads.
    pub threads: usize,
    /// What it came to.
    #[serde(flatten)]
    pub run: RunReport,
}

/// What moving the same datagrams costs without any game.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    /// Clients.
    pub players: usize,
    /// Bytes of a datagram to a client.
    pub down_bytes: usize,
    /// Bytes of a datagram to the server.
    pub up_bytes: usize,
    /// Bare UDP, microseconds per client-tick.
    pub bare_us: f64,
    /// With AES-128-GCM, microseconds per client-tick.
    pub sealed_us: f64,
    /// Datagrams that arrived, 0 to 1.
    pub delivered: f64,
}

/// How the cost of a tick grows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// What the players did.
    pub scenario: String,
    /// Players, and microseconds of a tick.
    pub points: Vec<(f64, f64)>,
    /// Parallel to them: microseconds of its parts, on average.
    pub parts: Vec<BTreeMap<String, f64>>,
    /// Parallel to them: whole states in a snapshot, of those who enter what is shown.
    pub whole_states: Vec<f64>,
}

/// What a transport alone costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transport {
    /// Name of the transport.
    pub name: String,
    /// Clients.
    pub clients: usize,
    /// Microseconds per client-tick, one figure a repeat.
    pub us: Vec<f64>,
    /// System calls a tick.
    pub syscalls_per_tick: f64,
}
