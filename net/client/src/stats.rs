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
    /// What inputs and snapshots travelled over.
    pub lane: LaneStats,
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

/// What inputs and snapshots travelled over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Inputs go over the sealed lane now.
    pub is_sealed: bool,
    /// Sealed lanes opened: one a welcome at most.
    pub opened: u64,
    /// Times that the sealed lane was given up for QUIC because nothing arrived over it.
    pub fallbacks: u64,
    /// Inputs sent over QUIC.
    pub inputs_quic: u64,
    /// Inputs sent over the sealed lane.
    pub inputs_sealed: u64,
    /// Snapshots received over QUIC.
    pub snapshots_quic: u64,
    /// Snapshots received over the sealed lane.
    pub snapshots_sealed: u64,
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
