//! What the first byte of a datagram payload says.
//!
//! The same payloads travel in QUIC DATAGRAM frames today and in sealed UDP packets later. Sealed
//! packets share the UDP port with QUIC, and RFC 9443 tells the two apart by a first byte below
//! 0x40. Payload kinds keep out of that range, so that a payload is never taken for a packet.

use crate::error::DecodeError;

/// First bytes below this belong to the sealed lane.
pub const SEALED_LANE_BELOW: u8 = 0x40;

/// What a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DatagramKind {
    /// Client to server: [`InputDatagram`](crate::input::InputDatagram).
    Input = 0x40,
    /// Server to client: a [snapshot](crate::snapshot).
    Snapshot = 0x41,
}

impl DatagramKind {
    /// The kind of a datagram.
    ///
    /// # Errors
    /// `Truncated` when it is empty, `Kind` when its first byte is no kind.
    pub fn of(datagram: &[u8]) -> Result<Self, DecodeError> {
        match *datagram.first().ok_or(DecodeError::Truncated)? {
            0x40 => Ok(Self::Input),
            0x41 => Ok(Self::Snapshot),
            other => Err(DecodeError::Kind(other)),
        }
    }
}

const _: () = assert!(DatagramKind::Input as u8 >= SEALED_LANE_BELOW);
