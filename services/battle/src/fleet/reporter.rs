//! Hands over results, oldest battle first, until each has a receipt.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sortie_rpc::ranking::v1::ReportResponse;
use sortie_rpc::ranking::v1::results_client::ResultsClient;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Code;

use super::backoff::Backoff;
use super::desk::Shared;
use super::link::{Line, Registration};
use super::spool::{Spool, Waiting};
use crate::failpoint::Frozen;

/// How long a report may take.
const REPORT_WITHIN: Duration = Duration::from_secs(10);
/// The folder is looked at so often without being told to.
const LOOK_EVERY: Duration = Duration::from_secs(30);

pub(super) struct Reporter {
    pub spool: Spool,
    pub shared: Arc<Shared>,
    pub line: Line,
    pub registration: watch::Receiver<Option<Registration>>,
    /// When set: end as soon as nothing waits, or at this time.
    pub farewell: watch::Receiver<Option<Instant>>,
    /// The result that was refused last, and under which epoch.
    pub refused_once: Option<(Waiting, u64)>,
}

/// What came of one result.
enum Outcome {
    /// It is dealt with.
    Done,
    /// The control plane is away: nothing else will get through either.
    Away,
    /// It failed by itself; others may do better.
    Failed,
}

impl Reporter {
    /// Reports until the farewell is over.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let is_all = match self.pass().await {
                Ok(is_all) => is_all,
                Err(error) if error.chain().any(|cause| cause.is::<Frozen>()) => return,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "the spool cannot be read");
                    false
                }
            };
            let farewell = *self.farewell.borrow();
            if farewell.is_some_and(|deadline| is_all || Instant::now() >= deadline) {
                return;
            }
            let wait = if is_all {
                backoff.reset();
                LOOK_EVERY
            } else {
                backoff.wait()
            };
            let mut wake_at = Instant::now() + wait;
            if let Some(deadline) = farewell {
                wake_at = wake_at.min(deadline);
            }
            tokio::select! {
                () = sleep_until(wake_at) => {}
                () = self.shared.spooled.notified() => {}
                changed = self.registration.changed() => if changed.is_err() { return },
                changed = self.farewell.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Tries everything that waits, once; whether nothing waits any more.
    async fn pass(&mut self) -> anyhow::Result<bool> {
        let mut is_all = true;
        for waiting in self.spool.list().context("cannot list it")? {
            match self.report(&waiting).await? {
                Outcome::Done => {}
                Outcome::Away => return Ok(false),
                Outcome::Failed => is_all = false,
            }
        }
        // So that the metric is right.
        self.spool.list()?;
        Ok(is_all)
    }

    async fn report(&mut self, waiting: &Waiting) -> anyhow::Result<Outcome> {
        let Some(registration) = self.registration.borrow_and_update().clone() else {
            return Ok(Outcome::Away);
        };
        let Some(mut result) = self.spool.read(waiting)? else { return Ok(Outcome::Done) };
        result.server_id = registration.server_id.to_string();
        result.epoch = registration.epoch;
        let mut client = ResultsClient::with_interceptor(self.line.channel(), self.line.bearer());
        let answer = match timeout(REPORT_WITHIN, client.report(result)).await {
            Err(_) => return Ok(Outcome::Away),
            Ok(Err(status)) => match status.code() {
                Code::InvalidArgument => {
                    let outcome = "refused".to_owned();
                    ReportResponse { outcome, why: status.message().to_owned() }
                }
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                    tracing::debug!(%status, "a battle result cannot be reported now");
                    return Ok(Outcome::Away);
                }
                _ => {
                    tracing::warn!(%status, "a battle result was not taken; it is tried again");
                    return Ok(Outcome::Failed);
                }
            },
            Ok(Ok(answer)) => answer.into_inner(),
        };
        match &*answer.outcome {
            "stored" | "known" => {
                tracing::info!(outcome = answer.outcome, "a battle result has its receipt");
                self.spool.remove(waiting)?;
            }
            "refused" => {
                // While the server registers anew, a report may pass under the epoch before.
                let attempt = (waiting.clone(), registration.epoch);
                if self.refused_once.as_ref() != Some(&attempt) {
                    self.refused_once = Some(attempt);
                    return Ok(Outcome::Failed);
                }
                self.spool.refuse(waiting, &answer.why)?;
            }
            other => {
                tracing::warn!(outcome = other, "a battle result got no answer that is known");
                return Ok(Outcome::Failed);
            }
        }
        Ok(Outcome::Done)
    }
}
