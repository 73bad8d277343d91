//! Evidence against a lane: that the other lane works in the same time.
//!
//! Silence says nothing about a path. The other end may be late, or this one: then both lanes are
//! silent, and leaving the cheap one for the dear one would add work just where time is short. So
//! a lane is blamed only while the other one brings something, again and again.

use std::time::{Duration, Instant};

use crate::SILENCE;

/// The most that the time between two signs of life counts for: what was longer was perhaps the
/// lateness of this end, which finds its signs together in its socket after a pause. One pause
/// alone is never enough to leave a lane.
const SIGNS_APART_MAX: Duration = Duration::from_millis(150);

/// Silence of the lane of a client's inputs from which on its server doubts it.
const DOUBT_AFTER: Duration = Duration::from_millis(200);
/// Silence with which a server leaves it, and the evidence that this takes.
const LEAVE_AFTER: Duration = Duration::from_millis(500);
const LEAVE_WITH: Duration = Duration::from_millis(200);
/// Between two times that a server in doubt asks over QUIC: each answer is a sign of life.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Evidence with which a client leaves a lane that is silent for [`SILENCE`].
pub const SILENT_WITH: Duration = Duration::from_secs(1);

/// How long one lane has been at work since the other one brought something last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    last_sign: Option<Instant>,
    time: Duration,
}

impl Evidence {
    /// The other lane brought something.
    pub fn note(&mut self, now: Instant) {
        if let Some(last) = self.last_sign.replace(now) {
            self.time += now.saturating_duration_since(last).min(SIGNS_APART_MAX);
        }
    }

    /// The lane itself brought something: there is nothing against it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The time through which the other lane was heard to work.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Whether a client leaves a lane that has brought nothing for `quiet`.
    pub fn is_enough_for_silence(&self, quiet: Duration) -> bool {
        quiet >= SILENCE && self.time >= SILENT_WITH
    }
}

/// A server's choice of lane for one client: the one that its newest input took, unless that was
/// the sealed lane and the lane fails on the way up.
///
/// `now` is the time at which the server last took in what had arrived, so that its own lateness
/// is nobody's silence.
#[derive(Clone, Copy, Debug)]
pub struct LaneChoice {
    newest_was_sealed: bool,
    heard_at: Instant,
    ask_at: Instant,
    acks_heard: u64,
    against: Evidence,
}

impl LaneChoice {
    /// For a client that was just attached: over QUIC.
    pub fn new(now: Instant) -> Self {
        Self {
            newest_was_sealed: false,
            heard_at: now,
            ask_at: now,
            acks_heard: 0,
            against: Evidence::default(),
        }
    }

    /// An input came, over the sealed lane or over QUIC.
    pub fn note_input(&mut self, now: Instant, sealed: bool) {
        self.newest_was_sealed = sealed;
        self.heard_at = now;
        self.ask_at = now + DOUBT_AFTER;
        self.against.clear();
    }

    /// Whether the sealed lane has been silent for so long that QUIC is to be looked at, by
    /// [`note_quic`](Self::note_quic) on every tick.
    pub fn is_in_doubt(&self, now: Instant) -> bool {
        self.newest_was_sealed && now.saturating_duration_since(self.heard_at) >= DOUBT_AFTER
    }

    /// Takes up how many acknowledgements have come over QUIC. Whether QUIC is to be asked for a
    /// sign of life now.
    pub fn note_quic(&mut self, now: Instant, acks_heard: u64) -> bool {
        if std::mem::replace(&mut self.acks_heard, acks_heard) != acks_heard {
            self.against.note(now);
        }
        let asks = now >= self.ask_at;
        if asks {
            self.ask_at = now + ASK_EVERY;
        }
        asks
    }

    /// Whether the next snapshot leaves over the sealed lane.
    pub fn is_sealed(&self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.heard_at);
        let fails = quiet >= LEAVE_AFTER && self.against.time() >= LEAVE_WITH;
        self.newest_was_sealed && !fails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A choice whose newest input was sealed, at `start`.
    fn sealed(start: Instant) -> LaneChoice {
        let mut choice = LaneChoice::new(start);
        choice.note_input(start, true);
        choice
    }

    #[test]
    fn a_client_that_is_silent_on_both_lanes_keeps_its_lane() {
        let start = Instant::now();
        let mut choice = sealed(start);
        for tick in 1..600 {
            let now = start + tick * 16 * MS;
            assert!(choice.is_sealed(now));
            if choice.is_in_doubt(now) {
                choice.note_quic(now, 7);
            }
        }
    }

    #[test]
    fn a_lane_that_is_silent_while_quic_answers_is_left_after_half_a_second() {
        let start = Instant::now();
        let mut choice = sealed(start);
        let (mut asked, mut left) = (0, None);
        for tick in 1..100 {
            let now = start + tick * 10 * MS;
            if choice.is_in_doubt(now) {
                asked += u64::from(choice.note_quic(now, asked));
            }
            if !choice.is_sealed(now) {
                left.get_or_insert(now - start);
            }
        }
        assert_eq!(left, Some(500 * MS));
        assert!((14..=17).contains(&asked), "{asked} in 800 ms");
        choice.note_input(start + 2000 * MS, true);
        assert!(choice.is_sealed(start + 2000 * MS), "one input brings the lane back");
    }

    #[test]
    fn answers_that_come_together_are_no_evidence() {
        let start = Instant::now();
        let mut choice = sealed(start);
        choice.note_quic(start + 250 * MS, 1);
        // Nothing was read for two seconds; then all answers are there at once.
        for acks in 2..30 {
            choice.note_quic(start + 2250 * MS, acks);
        }
        assert!(choice.is_sealed(start + 2250 * MS));
    }

    #[test]
    fn a_client_that_speaks_over_quic_is_answered_there() {
        let start = Instant::now();
        let mut choice = sealed(start);
        choice.note_input(start, false);
        assert!(!choice.is_sealed(start) && !choice.is_in_doubt(start + 900 * MS));
    }
}
