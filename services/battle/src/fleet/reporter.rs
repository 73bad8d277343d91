//! Hands over results, oldest battle first, until each has a receipt.
//!
//! A result is given up only when it can never be stored: it is malformed, or of a battle that the
//! control plane does not know or gave to another server. A refusal of the server itself, its
//! epoch, or for a reason that is not known here, passes with the next registration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sortie_rpc::ranking::v1::results_client::ResultsClient;
use sortie_rpc::ranking::{Receipt, RefusalCode};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Code;

use super::backoff::Backoff;
use super::link::{Line, Registration};
use super::spool::{Spool, Waiting};
use crate::failpoint::Frozen;
use crate::server::mailbox::Shared;

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
}

/// What came of one result.
enum Outcome {
    /// It is dealt with.
    Done,
    /// The control plane is away: nothing else will get through either.
    Away,
    /// The server's registration does not hold: nothing gets through before the next one.
    Stale,
    /// It failed by itself; others may do better.
    Failed,
}

/// What came of all results.
#[derive(PartialEq, Eq)]
enum Pass {
    /// Nothing waits any more.
    All,
    /// Worth another try soon.
    Again,
    /// Worth another try once the server has registered again.
    Stale,
}

impl Reporter {
    /// Reports until the farewell is over.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let pass = match self.pass().await {
                Ok(pass) => pass,
                Err(error) if error.chain().any(|cause| cause.is::<Frozen>()) => return,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "the spool cannot be read");
                    Pass::Again
                }
            };
            let farewell = *self.farewell.borrow();
            let is_all = pass == Pass::All;
            if farewell.is_some_and(|deadline| is_all || Instant::now() >= deadline) {
                return;
            }
            let wait = match pass {
                Pass::Again => backoff.wait(),
                Pass::All | Pass::Stale => {
                    backoff.reset();
                    LOOK_EVERY
                }
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

    /// Tries everything that waits, once.
    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let mut outcome = Pass::All;
        for waiting in self.spool.list().context("cannot list it")? {
            match self.report(&waiting).await? {
                Outcome::Done => {}
                Outcome::Away => return Ok(Pass::Again),
                Outcome::Stale => return Ok(Pass::Stale),
                Outcome::Failed => outcome = Pass::Again,
            }
        }
        // So that the metric is right.
        self.spool.list()?;
        Ok(outcome)
    }

    async fn report(&mut self, waiting: &Waiting) -> anyhow::Result<Outcome> {
        let Some(registration) = self.registration.borrow_and_update().clone() else {
            return Ok(Outcome::Away);
        };
        let Some(mut result) = self.spool.read(waiting)? else { return Ok(Outcome::Done) };
        result.server_id = registration.server_id.to_string();
        result.epoch = registration.epoch;
        let bearer = self.line.bearer_of(&registration);
        let mut client = ResultsClient::with_interceptor(self.line.channel(), bearer);
        let answer = match timeout(REPORT_WITHIN, client.report(result)).await {
            Err(_) => return Ok(Outcome::Away),
            Ok(Err(status)) => match status.code() {
                Code::InvalidArgument => {
                    let reason = status.message().to_owned();
                    Receipt::Refused { code: RefusalCode::Malformed, reason }
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
            Ok(Ok(answer)) => Receipt::from(answer.into_inner()),
        };
        self.settle(waiting, answer)
    }

    /// Does with a result what its receipt says.
    fn settle(&self, waiting: &Waiting, receipt: Receipt) -> anyhow::Result<Outcome> {
        match receipt {
            Receipt::Stored => tracing::info!("a battle result is stored"),
            Receipt::UnderReview { reason } => {
                tracing::warn!(reason, "a battle result is under review");
            }
            Receipt::Known { state } => tracing::info!(state, "a battle result was known before"),
            Receipt::Refused { code, reason } if code.is_final() => {
                self.spool.refuse(waiting, &format!("{}: {reason}", code.name()))?;
                return Ok(Outcome::Done);
            }
            Receipt::Refused { code, reason } => {
                tracing::warn!(
                    code = code.name(),
                    reason,
                    "a battle result waits until the server has registered again"
                );
                return Ok(Outcome::Stale);
            }
            Receipt::Other(answer) => {
                tracing::warn!(?answer, "a battle result got no answer that is known");
                return Ok(Outcome::Failed);
            }
        }
        self.spool.remove(waiting)?;
        Ok(Outcome::Done)
    }
}
