//! The server's drive loop: batches of datagrams between a [`sortie_udp::Socket`] and QUIC, sealed
//! lanes, or both on one port.
//!
//! Start with [`Pump`]. What is deliberately absent: threads, time (the caller's tick is the only
//! clock) and what is in a datagram.

mod pump;
mod sealed_lane;

pub use pump::Pump;
pub use sealed_lane::SealedLane;
