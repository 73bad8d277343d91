//! Keys and replay window of the packets that come in.

use crate::HEADER_BYTES;
use crate::error::OpenError;
use crate::fields::Report;
use crate::header::Header;
use crate::keys::Keys;
use crate::secrets::Suite;
use crate::window::{ReplayWindow, WINDOW_PACKETS};

/// One direction's opening end.
///
/// Which keys a packet needs is known before it is decrypted, so that nobody makes us try twice:
/// the phase bit tells the current phase from its neighbours, and the number tells the one before
/// (lower than all that came in the current phase) from the one after. The next keys lie ready
/// (RFC 9001, 6.3), so that a forged bit costs no derivation and is answered as fast as any other
/// forgery; a phase begins only when a packet authenticates under them.
pub(crate) struct Receiver {
    window: ReplayWindow,
    current: Keys,
    next: Keys,
    /// Until no packet of the phase before can pass the window any more.
    previous: Option<Keys>,
    phase: bool,
    /// The lowest number read in this phase.
    phase_start: u32,
    received: u32,
    highest_at_ms: u32,
}

impl Receiver {
    pub(crate) fn new(suite: Suite, secret: &[u8; 32]) -> Self {
        let current = Keys::new(suite, secret);
        Self {
            window: ReplayWindow::default(),
            next: current.next(),
            current,
            previous: None,
            phase: false,
            phase_start: 0,
            received: 0,
            highest_at_ms: 0,
        }
    }

    /// Decrypts `packet`, whose header is `header`, in place. Gives the plaintext and whether the
    /// packet is the newest one.
    pub(crate) fn open<'a>(
        &mut self,
        now_ms: u32,
        header: &Header,
        packet: &'a mut [u8],
    ) -> Result<(&'a [u8], bool), OpenError> {
        self.window.check(header.number)?;
        let keys = if header.phase == self.phase {
            &self.current
        } else if header.number >= self.phase_start {
            &self.next
        } else {
            self.previous.as_ref().ok_or(OpenError::TooOld)?
        };
        let (head, sealed) = packet.split_at_mut(HEADER_BYTES);
        let plain =
            keys.open_in_place(header.number, head, sealed).map_err(|_| OpenError::Forged)?;
        self.follow_phase(header);
        let newest = self.window.mark(header.number);
        if newest {
            self.highest_at_ms = now_ms;
        }
        // At most one for each number, and there are fewer than 2^32 numbers.
        self.received += 1;
        Ok((plain, newest))
    }

    /// Turns the keys when an authentic packet is of the next phase.
    fn follow_phase(&mut self, header: &Header) {
        if header.phase != self.phase && header.number >= self.phase_start {
            let after = self.next.next();
            let current = std::mem::replace(&mut self.next, after);
            self.previous = Some(std::mem::replace(&mut self.current, current));
            self.phase = header.phase;
            self.phase_start = header.number;
        } else if header.phase == self.phase {
            self.phase_start = self.phase_start.min(header.number);
            if header.number - self.phase_start >= WINDOW_PACKETS {
                self.previous = None;
            }
        }
    }

    /// What to tell the sender, once something has come.
    pub(crate) fn report(&self, now_ms: u32) -> Option<Report> {
        let highest = self.window.highest()?;
        let delay_ms = now_ms.wrapping_sub(self.highest_at_ms);
        let delay_ms = u16::try_from(delay_ms).unwrap_or(u16::MAX);
        Some(Report { highest, received: self.received, delay_ms })
    }
}
