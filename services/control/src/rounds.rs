//! The loop of a job that does the same work again and again: one way to wait, to warn, to try
//! again and to be seen.
//!
//! Nodes share work without speaking of it: rounds lie a tenth of their period apart by chance, and
//! rows that another node holds are skipped, or an advisory lock lets one node in at a time; that
//! is the round's matter. A round that fails is warned of once, tried again sooner than the next
//! would be due, and counted; `sortie_job_success_timestamp_seconds` tells when the last one
//! succeeded, so that a job that does not get its work done can be seen from outside.

use std::fmt::Display;
use std::time::{Duration, Instant, SystemTime};

use crate::access::random_bytes;
use crate::service::Stop;

/// The wait after a first failure; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The wait after a round that had to leave something.
const MORE: Duration = Duration::from_millis(100);

/// How a round went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// All was done that was due: the next comes after a period.
    Done,
    /// A full batch was done: there is more.
    More,
    /// It may not be done yet: asked again within a minute.
    NotYet,
    /// The next comes after this time and not before.
    NotBefore(Duration),
}

impl From<()> for Round {
    fn from((): ()) -> Self {
        Self::Done
    }
}

/// The rounds of one job.
///
/// ```ignore
/// let mut rounds = Rounds::new("matcher", period, "the matcher cannot work", stop);
/// while rounds.next().await {
///     rounds.ended(match_all(&db).await);
/// }
/// ```
#[derive(Debug)]
pub struct Rounds {
    job: &'static str,
    period: Duration,
    failing: &'static str,
    stop: Stop,
    failures: u32,
    wait: Duration,
    began: Instant,
}

impl Rounds {
    /// Rounds of `job`, the first at once, the next a `period` after the end of the one before.
    /// `failing` is what does not happen while they fail, like `battles are not placed`.
    pub fn new(job: &'static str, period: Duration, failing: &'static str, stop: Stop) -> Self {
        let began = Instant::now();
        Self { job, period, failing, stop, failures: 0, wait: Duration::ZERO, began }
    }

    /// The first round comes after a period, too.
    #[must_use]
    pub fn later(mut self) -> Self {
        self.wait = self.period;
        self
    }

    /// The first round comes after this time and not before.
    #[must_use]
    pub fn not_before(mut self, wait: Duration) -> Self {
        self.wait = at_least(wait);
        self
    }

    /// Waits until the next round is due; false when the stop was asked for instead.
    pub async fn next(&mut self) -> bool {
        let goes_on = self.stop.wait(varied(self.wait)).await;
        self.began = Instant::now();
        goes_on
    }

    /// Notes how the round went, and when the next is due.
    pub fn ended<E: Display>(&mut self, outcome: Result<impl Into<Round>, E>) {
        let took = self.began.elapsed().as_secs_f64();
        metrics::histogram!("sortie_job_seconds", "job" => self.job).record(took);
        let name = if outcome.is_ok() { "done" } else { "failed" };
        metrics::counter!("sortie_job_rounds_total", "job" => self.job, "outcome" => name)
            .increment(1);
        match outcome {
            Ok(round) => self.succeeded(round.into()),
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(job = self.job, %error, "{}", self.failing);
                }
                self.wait = self.period.min(retry(self.failures));
                self.failures = self.failures.saturating_add(1);
            }
        }
    }

    fn succeeded(&mut self, round: Round) {
        if self.failures > 0 {
            tracing::info!(job = self.job, "works again; it was said: {}", self.failing);
        }
        self.failures = 0;
        self.wait = match round {
            Round::Done => self.period,
            Round::More => self.period.min(MORE),
            Round::NotYet => self.period.min(RETRY_MAX),
            Round::NotBefore(wait) => at_least(wait),
        };
        // By this process's clock, as Prometheus reads times: no rule depends on it.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        metrics::gauge!("sortie_job_success_timestamp_seconds", "job" => self.job)
            .set(now.as_secs_f64());
    }
}

/// The wait after `failures` earlier failures in a row.
fn retry(failures: u32) -> Duration {
    RETRY_FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(RETRY_MAX)
}

/// A wait that is not less than this once it is varied.
fn at_least(wait: Duration) -> Duration {
    wait + wait / 8
}

/// At most a tenth less, by chance, so that nodes that started together do not stay together.
pub(crate) fn varied(wait: Duration) -> Duration {
    let [chance] = random_bytes::<1>();
    wait - wait / 2_560 * u32::from(chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::stop;

    fn rounds(period_s: u64) -> Rounds {
        let (_, stop) = stop();
        Rounds::new("test", Duration::from_secs(period_s), "nothing is tested", stop)
    }

    #[test]
    fn failures_are_tried_again_sooner_and_ever_more_rarely() {
        let mut rounds = rounds(3_600);
        let mut waits = Vec::new();
        for _ in 0..8 {
            rounds.ended(Err::<Round, _>("away"));
            waits.push(rounds.wait.as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        rounds.ended(Ok::<_, &str>(()));
        assert_eq!(rounds.wait.as_secs(), 3_600);
        rounds.ended(Err::<Round, _>("away"));
        assert_eq!(rounds.wait.as_secs(), 1, "a success in between starts anew");
    }

    #[test]
    fn no_wait_is_longer_than_the_period() {
        let mut rounds = rounds(0);
        rounds.period = Duration::from_millis(50);
        for outcome in [Ok(Round::Done), Ok(Round::More), Ok(Round::NotYet), Err("away")] {
            rounds.ended(outcome);
            assert_eq!(rounds.wait.as_millis(), 50, "{outcome:?}");
        }
    }

    #[test]
    fn a_full_batch_is_followed_by_the_next_and_a_forbidden_round_within_a_minute() {
        let mut rounds = rounds(3_600);
        rounds.ended(Ok::<_, &str>(Round::More));
        assert_eq!(rounds.wait.as_millis(), 100);
        rounds.ended(Ok::<_, &str>(Round::NotYet));
        assert_eq!(rounds.wait.as_secs(), 60);
    }

    #[test]
    fn waits_vary_by_a_tenth_at_most() {
        let wait = Duration::from_secs(100);
        let waits: Vec<Duration> = (0..200).map(|_| varied(wait)).collect();
        assert!(waits.iter().all(|varied| *varied <= wait && *varied > wait * 9 / 10));
        assert!(waits.iter().any(|varied| *varied != waits[0]), "by chance");
        assert_eq!(varied(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn what_may_not_be_before_a_time_is_not() {
        let mut rounds = rounds(1).not_before(Duration::from_secs(30));
        for _ in 0..200 {
            assert!(varied(rounds.wait) >= Duration::from_secs(30), "{:?}", rounds.wait);
            rounds.ended(Ok::<_, &str>(Round::NotBefore(Duration::from_secs(30))));
        }
    }

    #[tokio::test]
    async fn the_first_round_is_at_once_and_a_stop_ends_them() {
        let (stopper, stop) = stop();
        let mut rounds = Rounds::new("test", Duration::from_secs(3_600), "nothing", stop);
        assert!(rounds.next().await);
        rounds.ended(Ok::<_, &str>(()));
        stopper.stop();
        assert!(!rounds.next().await);
    }
}
