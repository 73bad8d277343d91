//! Samples and their percentiles.

use serde::{Deserialize, Serialize};

/// Measured values; percentiles sort them once, when asked.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    values: Vec<f32>,
}

/// The middle and the edge, with the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct P50P99Max {
    /// Half of the samples are at most this.
    pub p50: f64,
    /// 99 of 100 samples are at most this.
    pub p99: f64,
    /// The largest sample.
    pub max: f64,
}

/// The middle and the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct P50P99 {
    /// Half of the samples are at most this.
    pub p50: f64,
    /// 99 of 100 samples are at most this.
    pub p99: f64,
}

/// The middle, the edge, the far edge and the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// Half of the samples are at most this.
    pub p50: f64,
    /// 99 of 100 samples are at most this.
    pub p99: f64,
    /// 999 of 1,000 samples are at most this.
    pub p999: f64,
    /// The largest sample.
    pub max: f64,
}

impl Samples {
    /// Room for `count` samples without allocating later.
    pub fn with_capacity(count: usize) -> Self {
        Self { values: Vec::with_capacity(count) }
    }

    /// Adds one sample; what is not a number is left out.
    pub fn push(&mut self, value: f32) {
        if !value.is_nan() {
            self.values.push(value);
        }
    }

    /// Adds all samples of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.values.extend_from_slice(&other.values);
    }

    /// How many samples there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// How many samples fit without allocating.
    pub fn capacity(&self) -> usize {
        self.values.capacity()
    }

    /// The mean, 0 without samples.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.values.iter().map(|&value| f64::from(value)).sum();
        if self.values.is_empty() { 0.0 } else { sum / self.values.len() as f64 }
    }

    /// The middle and the edge.
    pub fn p50_p99(&mut self) -> P50P99 {
        let Tail { p50, p99, .. } = self.tail();
        P50P99 { p50, p99 }
    }

    /// The middle, the edge and the worst.
    pub fn p50_p99_max(&mut self) -> P50P99Max {
        let Tail { p50, p99, max, .. } = self.tail();
        P50P99Max { p50, p99, max }
    }

    /// The middle, the edge, the far edge and the worst.
    pub fn tail(&mut self) -> Tail {
        self.values.sort_unstable_by(f32::total_cmp);
        let at = |share| rounded(percentile(&self.values, share));
        Tail { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

/// The smallest value that at least `share` of the sorted values do not exceed.
fn percentile(sorted: &[f32], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).map_or(0.0, |&value| f64::from(value))
}

/// Four digits after the point: more would be noise in a report.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut samples = Samples::default();
        for value in (1..=1_000).rev() {
            samples.push(value as f32);
        }
        samples.push(f32::NAN);
        let expected = Tail { p50: 500.0, p99: 990.0, p999: 999.0, max: 1_000.0 };
        assert_eq!(samples.tail(), expected);
        assert_eq!(samples.mean(), 500.5);
    }

    #[test]
    fn no_samples_are_zeros() {
        assert_eq!(Samples::default().tail(), Tail::default());
    }
}
