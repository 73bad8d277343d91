//! A client's end, with the timer that says when to fall back to QUIC.

use std::time::{Duration, Instant};

use crate::config::{LaneConfig, LaneCounters};
use crate::draft::Draft;
use crate::error::{OpenError, SealError};
use crate::lane::Lane;
use crate::secrets::{LaneSecrets, Side, Suite};

/// A lane on which nothing came for so long, while packets were sent, does not work.
pub const SILENCE: Duration = Duration::from_secs(2);

/// A client's lane.
///
/// The silence counts from the first packet that was sent after the last one that came: a client
/// that was itself silent does not blame the path.
#[derive(Debug)]
pub struct ClientLane {
    lane: Lane,
    waiting_since: Option<Instant>,
    heard: bool,
}

impl ClientLane {
    /// The client's end of the lane that the server named `session`.
    pub fn new(
        suite: Suite,
        secrets: &LaneSecrets,
        session: u32,
        now: Instant,
        config: LaneConfig,
    ) -> Self {
        let lane = Lane::new(Side::Client, suite, secrets, session, now, config);
        Self { lane, waiting_since: None, heard: false }
    }

    /// See [`Lane::seal`].
    ///
    /// # Errors
    /// Those of [`Lane::seal`].
    pub fn seal(
        &mut self,
        now: Instant,
        payload: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let draft = self.begin(now, out)?;
        payload(out);
        self.finish(draft, out)
    }

    /// See [`Lane::begin`].
    ///
    /// # Errors
    /// Those of [`Lane::begin`].
    pub fn begin(&mut self, now: Instant, out: &mut Vec<u8>) -> Result<Draft, SealError> {
        let draft = self.lane.begin(now, out)?;
        self.waiting_since.get_or_insert(now);
        Ok(draft)
    }

    /// See [`Lane::finish`].
    ///
    /// # Errors
    /// Those of [`Lane::finish`].
    pub fn finish(&mut self, draft: Draft, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.lane.finish(draft, out)
    }

    /// Decrypts `packet` in place and gives its payload, which may be empty.
    ///
    /// # Errors
    /// Why the packet is to be dropped.
    pub fn open<'a>(&mut self, now: Instant, packet: &'a mut [u8]) -> Result<&'a [u8], OpenError> {
        let opened = self.lane.open(now, packet)?;
        self.waiting_since = None;
        self.heard = true;
        Ok(opened.payload)
    }

    /// Whether the lane does not work: [`SILENCE`] has passed since a packet was sent, and none
    /// came. From then on it is to be given up.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.silent_at().is_some_and(|at| now >= at)
    }

    /// When the lane will be silent if nothing comes; `None` while nothing is awaited.
    pub fn silent_at(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + SILENCE)
    }

    /// Whether the server has asked at which address we are, and no packet has answered yet: it
    /// saw us come from a new one.
    pub fn owes_echo(&self) -> bool {
        self.lane.owes_echo()
    }

    /// Begins to wait anew: for a lane that was given up and is tried once more.
    pub fn try_again(&mut self) {
        self.waiting_since = None;
    }

    /// Whether the server was ever heard on this lane.
    pub fn is_heard(&self) -> bool {
        self.heard
    }

    /// The lane's name in packets.
    pub fn session(&self) -> u32 {
        self.lane.session()
    }

    /// See [`Lane::rtt`].
    pub fn rtt(&self) -> Option<Duration> {
        self.lane.rtt()
    }

    /// See [`Lane::sent_and_lost`].
    pub fn sent_and_lost(&self) -> (u64, u64) {
        self.lane.sent_and_lost()
    }

    /// See [`Lane::counters`].
    pub fn counters(&self) -> LaneCounters {
        self.lane.counters()
    }
}
