//! How old a snapshot is when its client looks at it.
//!
//! The server steps tick T at a fixed moment, T periods after its clock's start. Clients learn
//! that start from the fastest datagrams of a time when the server has hardly anything to do: then
//! a snapshot leaves as soon as its tick is due. What a snapshot later needs on top of that is its
//! age: the tick's work, the sending, the kernel, and the wait for the client to look.

use std::time::{Duration, Instant};

use sortie_players::samples::{Samples, Tail};

/// Ticks whose ages are judged together: a server that left ticks out goes on later.
const BUCKET_TICKS: u32 = 60;

/// Ages of snapshots.
#[derive(Debug)]
pub struct Ages {
    started: Instant,
    period: Duration,
    /// Smallest time from a tick's number times the period to its arrival, while it was quiet.
    quiet: Option<Duration>,
    /// The first tick that counts, and the arrivals since, by bucket: offsets in microseconds.
    from: Option<u32>,
    buckets: Vec<Vec<u32>>,
}

impl Ages {
    /// Nothing is known yet.
    pub fn new(period: Duration) -> Self {
        Self { started: Instant::now(), period, quiet: None, from: None, buckets: Vec::new() }
    }

    /// From now on ages count, of snapshots of `from` and later.
    pub fn count_from(&mut self, from: u32, ticks: u32, clients: usize) {
        self.from = Some(from);
        let room = clients * BUCKET_TICKS as usize;
        let buckets = ticks.div_ceil(BUCKET_TICKS) + 1;
        self.buckets = (0..buckets).map(|_| Vec::with_capacity(room)).collect();
    }

    /// A snapshot of `tick` was looked at.
    pub fn note(&mut self, now: Instant, tick: u32) {
        let since = now.saturating_duration_since(self.started);
        // The clients may have begun after the server: offsets are kept positive.
        let offset = (since + EPOCH).saturating_sub(self.period * tick);
        let Some(from) = self.from else {
            self.quiet = Some(self.quiet.map_or(offset, |quiet| quiet.min(offset)));
            return;
        };
        let Some(after) = tick.checked_sub(from) else { return };
        if let Some(bucket) = self.buckets.get_mut((after / BUCKET_TICKS) as usize) {
            let late = offset.saturating_sub(self.quiet.unwrap_or(offset));
            bucket.push(late.as_micros() as u32);
        }
    }

    /// Ages in milliseconds.
    pub fn tail_ms(&self) -> Tail {
        let period = self.period.as_micros() as u32;
        let mut ages = Samples::with_capacity(self.buckets.iter().map(Vec::len).sum());
        for bucket in &self.buckets {
            // Whole periods that even the fastest needed are ticks that the server left out.
            let fastest = bucket.iter().min().copied().unwrap_or_default();
            let left_out = fastest / period * period;
            bucket.iter().for_each(|&late| ages.push((late - left_out) as f32 / 1e3));
        }
        ages.tail()
    }
}

/// Longer than any server has run before its clients began.
const EPOCH: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    #[test]
    fn ages_count_from_the_tick_that_was_due() {
        let mut ages = Ages::new(PERIOD);
        let at = |tick: u32, late_ms: u64| {
            ages.started + PERIOD * tick + Duration::from_millis(3 + late_ms)
        };
        let (quiet, plain, late) = (at(5, 0), at(120, 4), at(200, 35));
        ages.note(quiet, 5);
        ages.count_from(100, 240, 1);
        ages.note(plain, 120);
        ages.note(late, 200);
        let tail = ages.tail_ms();
        assert!((tail.p50 - 4.0).abs() < 0.1, "{tail:?}");
        // The third second's fastest is three periods late: they were left out.
        assert!((tail.max - 5.0).abs() < 0.1, "{tail:?}");
    }
}
