//! One bot's stay in one battle: where to, and what came of it.

use std::net::SocketAddr;
use std::time::Duration;

use sortie_client::LanePolicy;

/// One bot's stay in one battle.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The battle server.
    pub addr: SocketAddr,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
    /// Signed by whoever the server believes.
    pub ticket: Vec<u8>,
    /// What inputs and snapshots travel over.
    pub lane: LanePolicy,
    /// Of the bot's mind.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Visited {
    /// It got a soldier.
    pub played: bool,
    /// Times it came back after losing the connection.
    pub resumes: u64,
    /// How long it had its soldier.
    pub played_for: Duration,
    /// Snapshots decoded.
    pub snapshots: u64,
    /// Why it is over, or why it never got in.
    pub why: String,
}
