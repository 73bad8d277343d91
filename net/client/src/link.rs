//! Getting and keeping a connection: one QUIC attempt after the other, with pauses in between.

use std::time::{Duration, Instant};

use sortie_quic::{Client, SetupError};

use crate::config::GameClientConfig;

/// While the hello is not answered, QUIC is asked for a sign of life so often. What the server
/// acknowledges of these tells within a round trip that the hello was lost; alone, it would be
/// repeated after ever longer waits.
const ASK_EVERY: Duration = Duration::from_millis(50);

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
    /// When the server last acknowledged something of the present attempt, at first its beginning.
    progress_at: Instant,
    /// Acknowledgements by then.
    acks_heard: u64,
    /// When QUIC is asked for a sign of life next.
    ask_at: Instant,
    attempts_in_row: u32,
    pub(crate) attempts: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Trying {
    pub(crate) since: Instant,
    pub(crate) until: Instant,
}

impl Link {
    pub(crate) fn new(config: &GameClientConfig, now: Instant) -> Result<Self, SetupError> {
        Ok(Self {
            quic: Client::new(config.quic.clone(), now)?,
            stage: Stage::Connecting(now),
            heard_at: now,
            trying: Some(Trying { since: now, until: now + config.join_max }),
            progress_at: now,
            acks_heard: 0,
            ask_at: now,
            attempts_in_row: 1,
            attempts: 1,
        })
    }

    /// The connection is lost: the next attempt comes at once, later ones after a pause. Whether
    /// there is still time for one.
    pub(crate) fn lose(
        &mut self,
        config: &GameClientConfig,
        now: Instant,
        grace: Duration,
    ) -> bool {
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
    pub(crate) fn retry(
        &mut self,
        config: &GameClientConfig,
        now: Instant,
    ) -> Result<(), SetupError> {
        self.quic = Client::new(config.quic.clone(), now)?;
        self.stage = Stage::Connecting(now);
        self.heard_at = now;
        (self.progress_at, self.acks_heard) = (now, 0);
        self.attempts_in_row += 1;
        self.attempts += 1;
        Ok(())
    }

    /// A datagram came. Those of a connection before this one are not the server's answer.
    pub(crate) fn note_datagram(&mut self, now: Instant) {
        let acks_heard = self.quic.acks_heard();
        if std::mem::replace(&mut self.acks_heard, acks_heard) != acks_heard {
            self.progress_at = now;
        }
    }

    /// The hello has left.
    pub(crate) fn join(&mut self, now: Instant) {
        self.stage = Stage::Joining(now);
        self.ask_at = now + ASK_EVERY;
    }

    /// Asks for a sign of life when one is due.
    pub(crate) fn ask(&mut self, now: Instant) {
        if self.next_ask_at().is_some_and(|at| at <= now) {
            self.ask_at = now + ASK_EVERY;
            self.quic.ping();
        }
    }

    /// When [`Self::ask`] has something to do.
    pub(crate) fn next_ask_at(&self) -> Option<Instant> {
        matches!(self.stage, Stage::Joining(_)).then_some(self.ask_at)
    }

    /// Welcomed; how long it took since the loss.
    pub(crate) fn up(&mut self, now: Instant) -> Duration {
        self.stage = Stage::Up;
        self.heard_at = now;
        self.attempts_in_row = 0;
        self.trying.take().map_or(Duration::ZERO, |trying| now - trying.since)
    }

    /// When the present attempt counts as failed, or the pause ends.
    pub(crate) fn deadline(&self, config: &GameClientConfig, resuming: bool) -> Option<Instant> {
        match self.stage {
            Stage::Connecting(since) | Stage::Joining(since) if resuming => {
                let quiet_max = match self.acks_heard {
                    0 => config.resume_quiet_max * 2u32.pow(self.attempts_in_row.clamp(1, 8) - 1),
                    _ => config.resume_quiet_max.max(3 * self.quic.rtt()),
                };
                Some((self.progress_at + quiet_max).min(since + config.resume_attempt_max))
            }
            Stage::Connecting(since) | Stage::Joining(since) => {
                Some(since + config.join_attempt_max)
            }
            Stage::Up => Some(self.heard_at + config.silence_max),
            Stage::Pausing(until) => Some(until),
            Stage::Over => None,
        }
    }
}
