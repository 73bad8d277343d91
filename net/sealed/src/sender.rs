//! Numbers and keys of the packets that go out.

use crate::error::SealError;
use crate::header::Header;
use crate::keys::{Keys, TAG_BYTES};
use crate::secrets::Suite;

/// One direction's sealing end. Hands every number to exactly one packet.
pub(crate) struct Sender {
    keys: Keys,
    phase: bool,
    next_number: u32,
    /// The first number of the next phase.
    phase_end: u32,
    rekey_after: u32,
}

impl Sender {
    pub(crate) fn new(suite: Suite, secret: &[u8; 32], rekey_after: u32) -> Self {
        let keys = Keys::new(suite, secret);
        Self { keys, phase: false, next_number: 0, phase_end: rekey_after, rekey_after }
    }

    /// The number that the next packet gets; also how many were sealed.
    pub(crate) fn next_number(&self) -> u32 {
        self.next_number
    }

    /// Seals `packet` in place: header bytes of any value, then the plaintext. `header` gives the
    /// session and flags; number and phase are set here. Gives the number and the tag.
    pub(crate) fn seal(
        &mut self,
        mut header: Header,
        packet: &mut [u8],
    ) -> Result<(u32, [u8; TAG_BYTES]), SealError> {
        let number = self.next_number;
        if number > Header::NUMBER_MAX {
            return Err(SealError::Exhausted);
        }
        self.next_number += 1;
        if number >= self.phase_end {
            self.keys = self.keys.next();
            self.phase = !self.phase;
            self.phase_end = self.phase_end.saturating_add(self.rekey_after);
        }
        header.number = number;
        header.phase = self.phase;
        let (head, plain) = packet.split_at_mut(crate::HEADER_BYTES);
        head.copy_from_slice(&header.bytes());
        Ok((number, self.keys.seal_in_place(number, head, plain)))
    }

    #[cfg(test)]
    pub(crate) fn skip_to(&mut self, number: u32) {
        self.next_number = number;
        self.phase_end = u32::MAX;
    }
}
