//! How far prediction was off: one sample per own state received while alive.

use std::fmt;

/// Millimetre buckets; everything beyond a metre shares the last one.
const BUCKETS: usize = 1_025;

/// Distances between what was predicted for a tick and what the server says for it.
///
/// Respawns, revivals and whatever else moves the soldier by decree are counted apart: nobody
/// could have predicted them and nobody perceives them as an error.
#[derive(Clone)]
pub struct Corrections {
    buckets: Box<[u32; BUCKETS]>,
    count: u64,
    max_m: f32,
    decrees: u64,
    unpredicted: u64,
}

impl Default for Corrections {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0, max_m: 0.0, decrees: 0, unpredicted: 0 }
    }
}

impl fmt::Debug for Corrections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Corrections")
            .field("count", &self.count)
            .field("p50_m", &self.quantile_m(0.5))
            .field("p99_m", &self.quantile_m(0.99))
            .field("max_m", &self.max_m)
            .field("decrees", &self.decrees)
            .field("unpredicted", &self.unpredicted)
            .finish()
    }
}

impl Corrections {
    pub(crate) fn note(&mut self, distance_m: f32) {
        let bucket = (distance_m * 1_000.0).ceil().clamp(0.0, (BUCKETS - 1) as f32) as usize;
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max_m = self.max_m.max(distance_m);
    }

    pub(crate) fn note_decree(&mut self) {
        self.decrees += 1;
    }

    pub(crate) fn note_unpredicted(&mut self) {
        self.unpredicted += 1;
    }

    /// Adds another client's samples.
    pub fn merge(&mut self, other: &Self) {
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *sum += count;
        }
        self.count += other.count;
        self.max_m = self.max_m.max(other.max_m);
        self.decrees += other.decrees;
        self.unpredicted += other.unpredicted;
    }

    /// Samples so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The distance in metres that this share (0 to 1) of the samples does not exceed, rounded up
    /// to a millimetre; 0 without samples.
    pub fn quantile_m(&self, share: f64) -> f32 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += u64::from(count);
            if seen >= rank {
                let edge_m = bucket as f32 / 1_000.0;
                return if bucket == BUCKETS - 1 { self.max_m } else { edge_m };
            }
        }
        0.0
    }

    /// The largest distance, metres.
    pub fn max_m(&self) -> f32 {
        self.max_m
    }

    /// Own states whose status changed with them (spawned, revived, downed): not samples.
    pub fn decrees(&self) -> u64 {
        self.decrees
    }

    /// Own states for ticks that this client had not predicted (just joined or resumed).
    pub fn unpredicted(&self) -> u64 {
        self.unpredicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_round_up_to_millimetres() {
        let mut corrections = Corrections::default();
        assert_eq!(corrections.quantile_m(0.99), 0.0);
        for _ in 0..98 {
            corrections.note(0.0);
        }
        corrections.note(0.0123);
        corrections.note(3.5);
        assert_eq!(corrections.quantile_m(0.5), 0.0);
        assert_eq!(corrections.quantile_m(0.99), 0.013);
        assert_eq!(corrections.quantile_m(1.0), 3.5);
        assert_eq!(corrections.max_m(), 3.5);
        let mut both = corrections.clone();
        both.merge(&corrections);
        assert_eq!((both.count(), both.quantile_m(0.99)), (200, 0.013));
    }
}
