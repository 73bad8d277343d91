//! How long to wait before the next try.

use std::time::Duration;

use sortie_keys::random_bytes;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Waits that double from 0.1 s to 2 s, each shortened by chance by up to a half, so that many
/// servers do not come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The last try succeeded.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// How long to wait now.
    pub(super) fn wait(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let [chance] = random_bytes::<1>();
        whole - whole * u32::from(chance) / 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_two_seconds_and_start_anew() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..8).map(|_| backoff.wait()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2, "{waits:?}");
        assert!(waits[7] <= LONGEST && waits[7] >= LONGEST / 2, "{waits:?}");
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }
}
