//! Times of ticks, counted in buckets that are at most 1 % wide.

use hdrhistogram::Histogram as Buckets;

/// The longest time that is told apart from longer ones, microseconds: an hour.
const MICROS_MAX: u64 = 3_600_000_000;

/// Significant decimal digits of a value.
const DIGITS: u8 = 2;

/// A histogram of microseconds, from 0 to an hour: 26 KiB for any number of samples, and no
/// allocation after the first.
#[derive(Clone, Debug)]
pub struct Histogram(Buckets<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self(Buckets::new_with_bounds(1, MICROS_MAX, DIGITS).expect("lawful bounds"))
    }
}

impl Histogram {
    /// Counts one sample; one that is longer than an hour counts as an hour.
    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    /// The least value that `share` (0 to 1) of the samples do not exceed; 0 without samples.
    pub fn quantile(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_samples() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        (1..=1_000).for_each(|micros| histogram.record(micros));
        assert!((500..=505).contains(&histogram.quantile(0.5)));
        assert!((990..=1_000).contains(&histogram.quantile(0.99)));
        let mut histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert!(histogram.quantile(1.0) >= MICROS_MAX, "longer ones count as the longest");
    }
}
