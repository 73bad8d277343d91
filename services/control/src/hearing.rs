//! Whether a job that listens hears: what is logged, counted and shown of it, and how long it waits
//! before it listens again.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The wait after a first failure; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_millis(500);

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(4);

/// Whether one job hears. Cheap to clone; all clones are of the same job.
#[derive(Clone, Debug)]
pub struct Hearing {
    job: &'static str,
    failing: &'static str,
    /// Failures in a row; 0 while the job hears.
    failures: Arc<AtomicU32>,
}

impl Hearing {
    /// Of `job`; `failing` is what does not happen while it is deaf, like `orders are not
    /// announced`.
    pub fn new(job: &'static str, failing: &'static str) -> Self {
        Self { job, failing, failures: Arc::default() }
    }

    /// Notes that the job hears, and that what it did with it succeeded.
    pub fn works(&self) {
        self.show(true);
        if self.failures.swap(0, Ordering::Relaxed) > 0 {
            tracing::info!(job = self.job, "hears again; it was said: {}", self.failing);
        }
    }

    /// Notes that the job does not hear, or could not make use of what it heard. The first failure
    /// in a row is warned of, each is counted.
    pub fn fails(&self, error: &dyn Display) {
        self.show(false);
        metrics::counter!("sortie_job_rounds_total", "job" => self.job, "outcome" => "failed")
            .increment(1);
        if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(job = self.job, %error, "{}", self.failing);
        }
    }

    /// Notes an outcome by [`Self::works`] or [`Self::fails`].
    pub fn note<T, E: Display>(&self, outcome: &Result<T, E>) {
        match outcome {
            Ok(_) => self.works(),
            Err(error) => self.fails(error),
        }
    }

    /// Shows whether the job hears.
    pub(crate) fn show(&self, is_hearing: bool) {
        metrics::gauge!("sortie_job_listening", "job" => self.job).set(f64::from(is_hearing));
    }

    /// The wait until it is tried again.
    pub(crate) fn retry(&self) -> Duration {
        let failures = self.failures.load(Ordering::Relaxed);
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        RETRY_FIRST.saturating_mul(factor).min(RETRY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tried_again_ever_more_rarely_until_it_hears() {
        let hearing = Hearing::new("test", "nothing is heard");
        let mut waits = Vec::new();
        for _ in 0..5 {
            hearing.fails(&"ended");
            waits.push(hearing.retry().as_millis());
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 4_000]);
        hearing.works();
        hearing.fails(&"away");
        assert_eq!(hearing.retry().as_millis(), 500, "anew");
    }
}
