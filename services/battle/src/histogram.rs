//! Counts of durations in microseconds, in buckets at most 1/64 wide: 16 KiB for any number of
//! samples.

/// Exact below this, then 64 buckets for each doubling.
const EXACT: u64 = 128;
const PER_DOUBLING: u64 = 64;
const DOUBLINGS: u64 = 25;

/// A histogram of microseconds, from 0 to over an hour.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; (EXACT + PER_DOUBLING * DOUBLINGS) as usize], count: 0 }
    }
}

impl Histogram {
    /// Counts one sample.
    pub fn record(&mut self, micros: u64) {
        let bucket = bucket_of(micros).min(self.buckets.len() - 1);
        self.buckets[bucket] += 1;
        self.count += 1;
    }

    /// The least value that `share` (0 to 1) of the samples do not exceed; 0 without samples.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return top_of(bucket as u64);
            }
        }
        0
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    // 128..256 is the first doubling, with a step of 2.
    let doubling = u64::from(micros.ilog2()) - 7;
    let within = (micros >> (doubling + 1)) - PER_DOUBLING;
    (EXACT + doubling * PER_DOUBLING + within) as usize
}

fn top_of(bucket: u64) -> u64 {
    if bucket < EXACT {
        return bucket;
    }
    let (doubling, within) = ((bucket - EXACT) / PER_DOUBLING, (bucket - EXACT) % PER_DOUBLING);
    ((within + PER_DOUBLING + 1) << (doubling + 1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        let mut last = 0;
        for micros in (0..100_000).chain([1 << 20, (1 << 30) + 12_345]) {
            let bucket = bucket_of(micros);
            assert!(bucket >= last);
            last = bucket;
            let top = top_of(bucket as u64);
            assert!(micros <= top && top <= micros + micros / 32 + 1, "{micros} in {top}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_samples() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        (1..=1_000).for_each(|micros| histogram.record(micros));
        assert!((500..=508).contains(&histogram.quantile(0.5)));
        assert!((990..=1_008).contains(&histogram.quantile(0.99)));
    }
}
