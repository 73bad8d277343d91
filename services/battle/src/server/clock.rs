//! When to tick: absolute deadlines, so that a late tick does not delay all later ones.

use std::time::{Duration, Instant};

/// A server that fell behind makes up for so many ticks without a pause; more are left out.
pub(super) const CATCH_UP_TICKS: u32 = 2;

/// The tick's clock.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    period: Duration,
    /// When the next tick is due.
    due: Instant,
}

impl Clock {
    /// A clock whose first tick is due a period after `now`.
    pub(super) fn new(tick_hz: u16, now: Instant) -> Self {
        let period = Duration::from_nanos(1_000_000_000 / u64::from(tick_hz.max(1)));
        Self { period, due: now + period }
    }

    /// Time from one tick to the next.
    pub(super) fn period(&self) -> Duration {
        self.period
    }

    /// When the next tick is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// A tick begins at `now`. Gives the ticks that are left out because the server is too far
    /// behind to make up for them.
    pub(super) fn begin(&mut self, now: Instant) -> u32 {
        self.due += self.period;
        let behind = now.saturating_duration_since(self.due);
        let ticks = (behind.as_nanos() / self.period.as_nanos()) as u32;
        let left_out = ticks.saturating_sub(CATCH_UP_TICKS);
        self.due += self.period * left_out;
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_does_not_delay_the_next() {
        let start = Instant::now();
        let mut clock = Clock::new(50, start);
        let period = Duration::from_millis(20);
        assert_eq!(clock.begin(start + period + Duration::from_millis(9)), 0);
        assert_eq!(clock.due(), start + 2 * period);
    }

    #[test]
    fn a_stall_is_made_up_for_in_part() {
        let start = Instant::now();
        let mut clock = Clock::new(50, start);
        // The first tick begins ten periods late.
        let now = start + Duration::from_millis(220);
        let left_out = clock.begin(now);
        let mut at_once = 0;
        while clock.due() <= now {
            clock.begin(now);
            at_once += 1;
        }
        assert_eq!(left_out, 7);
        assert_eq!(at_once, CATCH_UP_TICKS + 1);
    }
}
