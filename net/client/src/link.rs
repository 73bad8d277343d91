//! Getting and keeping a connection: one QUIC attempt after the other, with pauses in between.

use std::time::{Duration, Instant};

use sortie_quic::{Client, SetupError};

use crate::config::ClientConfig;

/// How far the present attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Handshake, since.
    Connecting(Instant),
    /// Hello sent, since.
    Joining(Instant),
    /// Welcomed.
    Up,
    /// No attempt; the next one begins then.
    Pausing(Instant),
    /// No attempt any more.
    Over,
}

/// The QUIC connection of the present attempt, and when to give up.
pub(crate) struct Link {
    pub(crate) quic: Client,
    pub(crate) stage: Stage,
    /// When the server was last heard.
    pub(crate) heard_at: Instant,
    /// Since when there is no welcome, and when to give up for good.
    pub(crate) trying: Option<Trying>,
    attempts_in_row: u32,
    pub(crate) attempts: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Trying {
    pub(crate) since: Instant,
    pub(crate) until: Instant,
}

impl Link {
    pub(crate) fn new(config: &ClientConfig, now: Instant) -> Result<Self, SetupError> {
        Ok(Self {
            quic: Client::new(config.quic.clone(), now)?,
            stage: Stage::Connecting(now),
            heard_at: now,
            trying: Some(Trying { since: now, until: now + config.join_max }),
            attempts_in_row: 1,
            attempts: 1,
        })
    }

    /// The connection is lost: the next attempt comes at once, later ones after a pause. Whether
    /// there is still time for one.
    pub(crate) fn lose(&mut self, config: &ClientConfig, now: Instant, grace: Duration) -> bool {
        let trying = *self.trying.get_or_insert(Trying { since: now, until: now + grace });
        let pause = match self.attempts_in_row {
            0 => Duration::ZERO,
            row => (config.backoff_first * 2u32.saturating_pow((row - 1).min(16)))
                .min(config.backoff_max),
        };
        let at = now + pause;
        self.stage = if at < trying.until { Stage::Pausing(at) } else { Stage::Over };
        self.stage != Stage::Over
    }

    /// Begins the next attempt.
    pub(crate) fn retry(&mut self, config: &ClientConfig, now: Instant) -> Result<(), SetupError> {
        self.quic = Client::new(config.quic.clone(), now)?;
        self.stage = Stage::Connecting(now);
        self.heard_at = now;
        self.attempts_in_row += 1;
        self.attempts += 1;
        Ok(())
    }

    /// Welcomed; how long it took since the loss.
    pub(crate) fn up(&mut self, now: Instant) -> Duration {
        self.stage = Stage::Up;
        self.heard_at = now;
        self.attempts_in_row = 0;
        self.trying.take().map_or(Duration::ZERO, |trying| now - trying.since)
    }

    /// When the present attempt counts as failed, or the pause ends.
    pub(crate) fn deadline(&self, config: &ClientConfig, resuming: bool) -> Option<Instant> {
        let attempt_max =
            if resuming { config.resume_attempt_max } else { config.join_attempt_max };
        match self.stage {
            Stage::Connecting(since) | Stage::Joining(since) => Some(since + attempt_max),
            Stage::Up => Some(self.heard_at + config.silence_max),
            Stage::Pausing(until) => Some(until),
            Stage::Over => None,
        }
    }
}
