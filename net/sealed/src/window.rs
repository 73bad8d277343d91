//! Which packet numbers were read already.

use crate::error::OpenError;

/// Packets behind the newest one that may still come, the newest one counted.
pub const WINDOW_PACKETS: u32 = 1024;

const WORDS: usize = WINDOW_PACKETS as usize / 64;

/// A sliding window over the last [`WINDOW_PACKETS`] numbers, after RFC 6479: a ring of bits in
/// which only the bits between the old and the new front have to be cleared.
#[derive(Debug, Clone, Default)]
pub struct ReplayWindow {
    /// Bit *n* mod 1,024: number *n* of the window was read.
    seen: [u64; WORDS],
    highest: Option<u32>,
}

impl ReplayWindow {
    /// The highest number that was read.
    pub fn highest(&self) -> Option<u32> {
        self.highest
    }

    /// Whether `number` may be read. To be asked before decryption, and to be acted upon with
    /// [`ReplayWindow::mark`] after authentication only.
    ///
    /// # Errors
    /// [`OpenError::Replayed`] or [`OpenError::TooOld`].
    pub fn check(&self, number: u32) -> Result<(), OpenError> {
        let Some(highest) = self.highest else { return Ok(()) };
        if number > highest {
            Ok(())
        } else if highest - number >= WINDOW_PACKETS {
            Err(OpenError::TooOld)
        } else if self.seen[word(number)] & bit(number) != 0 {
            Err(OpenError::Replayed)
        } else {
            Ok(())
        }
    }

    /// Notes that `number` was read, which [`ReplayWindow::check`] has allowed. `true` when it is
    /// the highest one so far.
    pub fn mark(&mut self, number: u32) -> bool {
        let newest = match self.highest {
            None => true,
            Some(highest) if number > highest => {
                self.clear_between(highest, number);
                true
            }
            Some(_) => false,
        };
        if newest {
            self.highest = Some(number);
        }
        self.seen[word(number)] |= bit(number);
        newest
    }

    /// Clears the bits of the numbers above `from` up to `to`: at most one round of the ring.
    fn clear_between(&mut self, from: u32, to: u32) {
        let mut left = (to - from).min(WINDOW_PACKETS);
        let mut number = to - left + 1;
        while left > 0 {
            let count = (64 - number % 64).min(left);
            let mask = u64::MAX >> (64 - count) << (number % 64);
            self.seen[word(number)] &= !mask;
            left -= count;
            // May leave the numbers' range together with the last round.
            number = number.wrapping_add(count);
        }
    }
}

fn word(number: u32) -> usize {
    (number / 64) as usize % WORDS
}

fn bit(number: u32) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_may_have_any_number() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.check(70_000), Ok(()));
        assert!(window.mark(70_000));
        assert_eq!(window.check(70_000), Err(OpenError::Replayed));
        assert_eq!(window.check(70_000 - 1023), Ok(()));
        assert_eq!(window.check(70_000 - 1024), Err(OpenError::TooOld));
    }

    #[test]
    fn a_number_is_read_once() {
        let mut window = ReplayWindow::default();
        for number in [5, 3, 4] {
            assert_eq!(window.check(number), Ok(()));
            window.mark(number);
            assert_eq!(window.check(number), Err(OpenError::Replayed));
        }
    }

    #[test]
    fn a_leap_forgets_what_was_seen_a_round_ago() {
        let mut window = ReplayWindow::default();
        (0..1024).for_each(|number| assert!(window.mark(number)));
        window.mark(1500);
        // 1,024 to 1,499 share their bits with 0 to 475.
        assert!((1024..1500).all(|number| window.check(number) == Ok(())));
        assert!((477..1024).all(|number| window.check(number) == Err(OpenError::Replayed)));
        window.mark(u32::MAX - 1);
        assert_eq!(window.check(u32::MAX - 2), Ok(()));
        assert_eq!(window.check(1500), Err(OpenError::TooOld));
    }
}
