//! Statuses that spectators see later than they happen, in a buffer of bounded length.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

const DELAY_MAX: Duration = Duration::from_secs(60);

/// Statuses on their way, at most one a period, so that the buffer has a bound. They are bytes
/// that all spectators of a node share, and are read when they are due.
#[derive(Debug)]
pub(super) struct Delay {
    delay: Duration,
    period: Duration,
    waiting: VecDeque<(Instant, Bytes)>,
}

impl Delay {
    /// At most 60 s; zero lets everything pass at once.
    pub(super) fn new(delay: Duration, period: Duration) -> Self {
        Self { delay: delay.min(DELAY_MAX), period, waiting: VecDeque::new() }
    }

    /// Something happened. A status that comes sooner than a period after the one before it is
    /// left out while that one waits; the one before it is due sooner.
    pub(super) fn push(&mut self, status: Bytes, now: Instant) {
        match self.waiting.back_mut() {
            // Without a delay only the newest counts.
            Some(last) if self.delay.is_zero() => *last = (now, status),
            Some((at, _)) if now < *at + self.period.mul_f64(0.9) => {}
            _ => self.waiting.push_back((now, status)),
        }
    }

    /// The newest status that is due; older ones are dropped.
    pub(super) fn due(&mut self, now: Instant) -> Option<Bytes> {
        let mut due = None;
        while let Some((at, _)) = self.waiting.front()
            && *at + self.delay <= now
        {
            due = self.waiting.pop_front().map(|(_, status)| status);
        }
        due
    }

    /// Whether everything was seen.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_seen_before_its_time() {
        let start = Instant::now();
        let mut delay = Delay::new(10 * S, S);
        for second in 0..5_u8 {
            delay.push(Bytes::from(vec![second]), start + S * u32::from(second));
        }
        assert_eq!(delay.due(start + 9 * S), None);
        assert_eq!(delay.due(start + 12 * S).as_deref(), Some(&[2][..]), "the newest that is due");
        assert!(!delay.is_empty());
        assert_eq!(delay.due(start + 60 * S).as_deref(), Some(&[4][..]));
        assert!(delay.is_empty());
    }

    #[test]
    fn the_buffer_has_a_bound() {
        let start = Instant::now();
        let mut delay = Delay::new(Duration::MAX, S);
        for ms in 0..60_000 {
            let now = start + Duration::from_millis(ms);
            delay.push(Bytes::from_static(b"x"), now);
            assert!(delay.due(now).is_none());
        }
        assert!(delay.waiting.len() <= 67, "{}", delay.waiting.len());
    }

    #[test]
    fn without_a_delay_the_newest_is_seen() {
        let start = Instant::now();
        let mut delay = Delay::new(Duration::ZERO, S);
        delay.push(Bytes::from_static(b"1"), start);
        delay.push(Bytes::from_static(b"2"), start);
        assert_eq!(delay.due(start).as_deref(), Some(&b"2"[..]));
        assert_eq!(delay.due(start), None);
    }
}
