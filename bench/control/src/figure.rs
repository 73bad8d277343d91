//! A measured figure, and percentiles of many.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// A figure with its unit and what says that the work was right.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The check that stands beside it, like `10,000 of 10,000 matched once`.
    pub guard: String,
}

impl Figure {
    /// A figure beside its guard.
    pub fn new(what: &str, value: f64, unit: &'static str, guard: impl Into<String>) -> Self {
        Self { what: what.to_owned(), value, unit, guard: guard.into() }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<44} {:>12.2} {:<10} {}", self.what, self.value, self.unit, self.guard)
    }
}

/// Milliseconds below which `share` (0 to 1) of `times` lie; sorts them. 0 of none.
pub fn quantile_ms(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let Some(last) = times.len().checked_sub(1) else { return 0.0 };
    let at = (last as f64 * share).ceil() as usize;
    times[at.min(last)].as_secs_f64() * 1e3
}
