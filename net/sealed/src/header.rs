//! The nine bytes in front of every packet, which are authenticated but not encrypted.

use crate::error::OpenError;
use crate::{OVERHEAD_BYTES_MIN, PACKET_BYTES_MAX};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 9;

/// Bits 7 to 3 of the first byte: below 0x40, so that QUIC is told apart (RFC 9443), version 1 in
/// bits 5 and 4, and a reserved zero.
const VERSION: u8 = 0x10;
const VERSION_MASK: u8 = 0xf8;
const PHASE: u8 = 4;
const REPORT: u8 = 2;
const CHALLENGE: u8 = 1;

/// What the header says, before anything is known to be authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Lowest bit of the number of times that the sender changed its keys.
    pub phase: bool,
    /// A report stands in the plaintext.
    pub report: bool,
    /// A challenge (from the server) or its echo (from the client) stands in the plaintext.
    pub challenge: bool,
    /// The lane, as the server named it.
    pub session: u32,
    /// Counts the packets of this direction from 0; at most [`Header::NUMBER_MAX`].
    pub number: u32,
}

impl Header {
    /// The last packet number. One below `u32::MAX`, so that a count of packets fits too.
    pub const NUMBER_MAX: u32 = u32::MAX - 1;

    /// Reads the header of a whole packet.
    ///
    /// # Errors
    /// [`OpenError::NotSealed`] for another version, a reserved bit, the number that is never
    /// used, or a length that no packet has.
    pub fn read(packet: &[u8]) -> Result<Self, OpenError> {
        if packet.len() < OVERHEAD_BYTES_MIN || packet.len() > PACKET_BYTES_MAX {
            return Err(OpenError::NotSealed);
        }
        let &[flags, a, b, c, d, e, f, g, h] =
            packet.first_chunk::<HEADER_BYTES>().ok_or(OpenError::NotSealed)?;
        let number = u32::from_le_bytes([e, f, g, h]);
        if flags & VERSION_MASK != VERSION || number > Self::NUMBER_MAX {
            return Err(OpenError::NotSealed);
        }
        Ok(Self {
            phase: flags & PHASE != 0,
            report: flags & REPORT != 0,
            challenge: flags & CHALLENGE != 0,
            session: u32::from_le_bytes([a, b, c, d]),
            number,
        })
    }

    /// The header as it stands in the packet.
    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = VERSION
            | flag(self.phase, PHASE)
            | flag(self.report, REPORT)
            | flag(self.challenge, CHALLENGE);
        let [a, b, c, d] = self.session.to_le_bytes();
        let [e, f, g, h] = self.number.to_le_bytes();
        [flags, a, b, c, d, e, f, g, h]
    }
}

/// The session id of what may be a sealed packet; `None` for everything that is none by length
/// or first byte. The cheapest check, to be made first.
pub fn session_of(packet: &[u8]) -> Option<u32> {
    Header::read(packet).ok().map(|header| header.session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, len: usize) -> Vec<u8> {
        let mut packet = vec![0; len];
        packet[0] = first;
        packet
    }

    #[test]
    fn only_eight_first_bytes_are_sealed_packets() {
        let accepted: Vec<u8> =
            (0..=255).filter(|&first| session_of(&packet(first, 60)).is_some()).collect();
        assert_eq!(accepted, (0x10..=0x17).collect::<Vec<u8>>());
    }

    #[test]
    fn lengths_are_bounded_on_both_sides() {
        let accepted: Vec<usize> =
            (1..1500).filter(|&len| session_of(&packet(0x10, len)).is_some()).collect();
        assert_eq!(accepted, (25..=1200).collect::<Vec<usize>>());
        assert_eq!(session_of(&[]), None);
    }

    #[test]
    fn what_is_written_is_read() {
        for flags in 0..8 {
            let header = Header {
                phase: flags & 4 != 0,
                report: flags & 2 != 0,
                challenge: flags & 1 != 0,
                session: 0x0403_0201,
                number: 0xfffe_fdfc,
            };
            let mut packet = vec![0; 25];
            packet[..9].copy_from_slice(&header.bytes());
            assert_eq!(packet[..9], [0x10 | flags, 1, 2, 3, 4, 0xfc, 0xfd, 0xfe, 0xff]);
            assert_eq!(Header::read(&packet), Ok(header));
        }
    }

    #[test]
    fn the_last_number_is_never_read() {
        let mut bytes = packet(0x10, 25);
        bytes[5..9].fill(0xff);
        assert_eq!(Header::read(&bytes), Err(OpenError::NotSealed));
        bytes[5] = 0xfe;
        assert_eq!(Header::read(&bytes).map(|header| header.number), Ok(Header::NUMBER_MAX));
    }
}
