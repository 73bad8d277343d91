//! What a client counted.

use std::time::Duration;

use sortie_session::client::ClientCounters;

/// Totals since the start, over all connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientStats {
    /// Smoothed round-trip time of the present connection.
    pub rtt: Duration,
    /// Snapshots, inputs and their bytes.
    pub session: ClientCounters,
    /// UDP payload bytes received.
    pub bytes_in: u64,
    /// UDP payload bytes sent.
    pub bytes_out: u64,
    /// Returns after a lost connection.
    pub resumes: u64,
    /// Connections begun.
    pub attempts: u64,
    /// Times the clock had to jump.
    pub clock_jumps: u64,
    /// Longest time from losing the connection to the welcome that ended it.
    pub resume_max: Duration,
}

/// `total` and what a session counted on top.
pub(crate) fn sum(total: ClientCounters, session: ClientCounters) -> ClientCounters {
    ClientCounters {
        snapshots: total.snapshots + session.snapshots,
        snapshot_bytes: total.snapshot_bytes + session.snapshot_bytes,
        missed: total.missed + session.missed,
        stale: total.stale + session.stale,
        undecodable: total.undecodable + session.undecodable,
        inputs: total.inputs + session.inputs,
        starved: total.starved + session.starved,
    }
}
