//! A packet between the bytes and the payload: on its way out, and on its way in.

use crate::fields::Challenge;
use crate::header::Header;
use crate::keys::TAG_BYTES;

/// A packet that is being written: header and fields stand, the payload is to be appended.
///
/// It has no number yet. Dropping it costs nothing but the bytes in the buffer.
#[derive(Debug)]
#[must_use = "the packet is sealed by `finish`"]
pub struct Draft {
    pub(crate) start: usize,
    pub(crate) header: Header,
    pub(crate) fields_end: usize,
    pub(crate) now_ms: u32,
}

impl Draft {
    /// Where the packet begins in its buffer.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Where its payload begins.
    pub fn payload_start(&self) -> usize {
        self.fields_end
    }

    /// Bytes that the sealed packet will have when the buffer ends at `out_len`.
    pub(crate) fn packet_len(&self, out_len: usize) -> usize {
        out_len - self.start + TAG_BYTES
    }

    pub(crate) fn has_challenge(&self) -> bool {
        self.header.challenge
    }
}

/// What an authentic packet held.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The payload, in the buffer of the packet; may be empty.
    pub payload: &'a [u8],
    /// No packet of a higher number came before.
    pub newest: bool,
    /// The packet's number.
    pub number: u32,
    /// At the client the server's challenge, which the next packet will echo; at the server the
    /// client's echo.
    pub challenge: Option<Challenge>,
}
