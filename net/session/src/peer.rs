//! The lane that carries a session's datagrams: QUIC datagrams, sealed UDP, a vector
//! in tests. A session never learns which.

use std::time::Duration;

/// One unreliable lane to one player.
///
/// Datagrams may be lost, doubled, reordered, never changed. The lane owns no session state: a
/// session continues unchanged when its peer is exchanged for another (resume, lane fallback).
pub trait Peer {
    /// Hands one datagram to the lane. The newest matters most: a full lane drops older ones.
    fn send_datagram(&mut self, datagram: &[u8]) -> Result<(), SendError>;

    /// Largest datagram that the path carries now, in bytes; 0 while the lane cannot send.
    fn max_datagram(&self) -> usize;

    /// Smoothed round-trip time of the path.
    fn rtt(&self) -> Duration;

    /// Packets handed to the network and seen lost so far on this lane.
    fn loss(&self) -> LossCounters;
}

/// Running totals of a lane; they start at 0 with the lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossCounters {
    /// Packets sent.
    pub sent: u64,
    /// Packets known to be lost.
    pub lost: u64,
}

/// Why a datagram did not leave. The caller drops it: the next snapshot replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Longer than [`Peer::max_datagram`].
    #[error("datagram exceeds the path's limit")]
    TooLarge,
    /// The connection behind the lane is gone.
    #[error("lane is closed")]
    Closed,
}
