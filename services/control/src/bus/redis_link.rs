//! The way to Redis for commands, which gives up soon and spares a Redis that hangs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fred::prelude::{Client, ClientLike, ErrorKind, FredResult};

use super::BusError;

/// How long Redis is left alone after a command that ran out of its time.
const SPARED: Duration = Duration::from_millis(500);

impl From<fred::error::Error> for BusError {
    fn from(error: fred::error::Error) -> Self {
        Self(error.to_string())
    }
}

/// A client that is not asked when asking is in vain: without a connection, and for
/// [`SPARED`] after a command that ran out of its time. Else every call of a node would wait its
/// quarter of a second while Redis hangs.
pub(super) struct Link {
    client: Client,
    born: Instant,
    /// Milliseconds after `born` until which Redis is not asked.
    spared_until_ms: AtomicU64,
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self { client, born: Instant::now(), spared_until_ms: AtomicU64::new(0) }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What a command answers.
    pub(super) async fn ask<T>(
        &self,
        command: impl AsyncFnOnce(&Client) -> FredResult<T>,
    ) -> Result<T, BusError> {
        let is_spared = self.now_ms() < self.spared_until_ms.load(Ordering::Relaxed);
        if is_spared || !self.client.is_connected() {
            count("away");
            return Err(BusError("not connected".to_owned()));
        }
        let began = Instant::now();
        let answer = command(&self.client).await;
        metrics::histogram!("sortie_redis_command_seconds").record(began.elapsed().as_secs_f64());
        count(match &answer {
            Ok(_) => "ok",
            Err(error) if *error.kind() == ErrorKind::Timeout => "timeout",
            Err(_) => "error",
        });
        if matches!(&answer, Err(error) if *error.kind() == ErrorKind::Timeout) {
            let until_ms = self.now_ms() + SPARED.as_millis() as u64;
            self.spared_until_ms.store(until_ms, Ordering::Relaxed);
        }
        Ok(answer?)
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("sortie_redis_commands_total", "outcome" => outcome).increment(1);
}
