//! The loop of a job that listens to the bus or to notifications of the database: what
//! [`rounds`](crate::rounds) is for work that is done again and again.
//!
//! What a job listens to ends when the other side goes away. That is warned of once, and the job
//! begins to listen again, soon at first and ever more rarely while it fails. Each failure is
//! counted, and `sortie_job_listening` tells whether the job hears, so that a deaf one can be seen
//! from outside. A panic is not caught: it ends the job, and with it the node.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::bus::BusError;
use crate::rounds::varied;
use crate::service::Stop;

/// The wait after a first failure; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_millis(500);

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(4);

/// Why a job does not hear.
#[derive(Debug, thiserror::Error)]
pub enum DeafError {
    /// Nobody can be heard.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The database is away.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// There is nothing more to be heard where it listened.
    #[error("what it listened to has ended")]
    Ended,
}

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

    fn show(&self, is_hearing: bool) {
        metrics::gauge!("sortie_job_listening", "job" => self.job).set(f64::from(is_hearing));
    }

    /// The wait until it is tried again.
    fn retry(&self) -> Duration {
        let failures = self.failures.load(Ordering::Relaxed);
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        RETRY_FIRST.saturating_mul(factor).min(RETRY_MAX)
    }
}

/// Listens until the stop is asked for: calls `begin`, and again whenever it ends. `begin` tells
/// the [`Hearing`] when it hears, which is when whatever it may have missed is made up for.
///
/// ```ignore
/// let hearing = Hearing::new("wakes", "orders are not announced");
/// listen(hearing, stop, |hearing| follow(db.clone(), hearing)).await;
/// ```
pub async fn listen<F>(hearing: Hearing, mut stop: Stop, mut begin: impl FnMut(Hearing) -> F)
where
    F: Future<Output = Result<(), DeafError>>,
{
    hearing.show(false);
    loop {
        let ended = tokio::select! {
            ended = begin(hearing.clone()) => ended,
            () = stop.asked() => return,
        };
        hearing.fails(&ended.err().unwrap_or(DeafError::Ended));
        if !stop.wait(varied(hearing.retry())).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::stop;

    #[test]
    fn failures_are_tried_again_ever_more_rarely_until_it_hears() {
        let hearing = Hearing::new("test", "nothing is heard");
        let mut waits = Vec::new();
        for _ in 0..5 {
            hearing.fails(&DeafError::Ended);
            waits.push(hearing.retry().as_millis());
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 4_000]);
        hearing.works();
        hearing.fails(&"away");
        assert_eq!(hearing.retry().as_millis(), 500, "anew");
    }

    #[tokio::test]
    async fn it_listens_again_when_that_ends_and_until_the_stop() {
        let (stopper, stop) = stop();
        let (told, mut tries) = tokio::sync::mpsc::unbounded_channel();
        let mut number = 0;
        let job = listen(Hearing::new("test", "nothing is heard"), stop, move |hearing| {
            let told = told.clone();
            number += 1;
            let number = number;
            async move {
                told.send(number).unwrap();
                if number == 1 {
                    return Ok(());
                }
                hearing.works();
                std::future::pending().await
            }
        });
        let job = tokio::spawn(job);
        for number in 1..=2 {
            assert_eq!(tries.recv().await, Some(number));
        }
        stopper.stop();
        job.await.unwrap();
        assert_eq!(tries.recv().await, None);
    }
}
