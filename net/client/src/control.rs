//! Whether the server consumes what the player wants.

use std::time::{Duration, Instant};

/// How long the player was without control of its soldier: from one sign that the server consumed
/// an input to the next, whatever lay in between, a lost connection included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Control {
    /// The newest sign, at first the first welcome.
    since: Option<Instant>,
    /// The input that the server had consumed by then.
    consumed: u32,
    longest: Duration,
}

impl Control {
    /// Let in, perhaps not for the first time.
    pub(crate) fn welcome(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        // Ticks may lie back after a restart of the server.
        self.consumed = 0;
    }

    /// A snapshot says that the input of tick `consumed` was the newest to be consumed.
    pub(crate) fn note(&mut self, now: Instant, consumed: u32) {
        // After a welcome, the first snapshot may tell of an input of the connection before.
        let is_news = consumed > self.consumed && self.consumed != 0;
        self.consumed = self.consumed.max(consumed).max(1);
        if is_news {
            self.longest = self.longest(now);
            self.since = Some(now);
        }
    }

    /// How long the last sign lies back; zero before the first welcome.
    pub(crate) fn present(&self, now: Instant) -> Duration {
        self.since.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }

    /// The longest time without control, the present one included.
    pub(crate) fn longest(&self, now: Instant) -> Duration {
        self.longest.max(self.present(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_counts_and_a_return_is_no_sign_of_control() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut control = Control::default();
        assert_eq!(control.longest(at(500)), Duration::ZERO, "nothing to control yet");
        control.welcome(at(1_000));
        control.note(at(1_100), 0);
        control.note(at(1_200), 7);
        assert_eq!(control.longest(at(1_300)).as_millis(), 200);
        control.note(at(1_600), 7);
        control.welcome(at(2_000));
        control.note(at(2_100), 7);
        assert_eq!(control.longest(at(2_200)).as_millis(), 1_000);
        control.note(at(2_300), 8);
        control.note(at(2_350), 9);
        assert_eq!(control.longest(at(2_400)).as_millis(), 1_100);
    }
}
