//! A player's seat: its session and everything the server keeps beside it. It outlives
//! connections.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sortie_bridge::lens::Lens;
use sortie_quic::{LaneChoice, PeerId};
use sortie_session::peer::LossCounters;
use sortie_session::server::{ServerSession, SessionConfig};
use sortie_sim::command::Action;
use sortie_sim::id::{PlayerKey, PlayerSlot, Tick};

/// Requests that one tick takes of one player; more in one tick is flooding.
pub(super) const REQUESTS_PER_TICK_MAX: usize = 8;

/// A message for the reliable stream: it may leave when its tick is durable.
pub(super) type Held = (u32, Arc<[u8]>);

/// How a player's path is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path {
    /// Smoothed round-trip time; `None` while nothing was measured.
    pub rtt: Option<Duration>,
    /// Packets sent and lost on the present lane.
    pub total: LossCounters,
    /// The same when metrics were shown last.
    shown: LossCounters,
}

impl Path {
    /// Share of the packets sent since the last call that were lost; `None` while they are too few
    /// to say.
    pub(super) fn loss_since_shown(&mut self) -> Option<f64> {
        let before = std::mem::replace(&mut self.shown, self.total);
        // Another lane begins at zero.
        let sent = self.total.sent.checked_sub(before.sent).filter(|sent| *sent >= SENT_MIN)?;
        let lost = self.total.lost.checked_sub(before.lost)?;
        Some((lost as f64 / sent as f64).min(1.0))
    }
}

/// Packets that say something of a path.
const SENT_MIN: u64 = 16;

/// A player's place in the battle.
pub(super) struct Seat {
    /// The place.
    pub slot: PlayerSlot,
    /// Who plays.
    pub key: PlayerKey,
    /// What is sent and acknowledged.
    pub session: ServerSession,
    /// What is told.
    pub lens: Lens,
    /// The connection; `None` while the player is away.
    pub peer: Option<PeerId>,
    /// Since when the player is away.
    pub away_since: Option<Instant>,
    /// When a datagram of the present connection was last read.
    pub heard_at: Instant,
    /// Waits for the tick.
    pub requests: Vec<Action>,
    /// Waits for its ticks to be durable; falling behind a slow client is the lane's business.
    pub outbox: VecDeque<Held>,
    /// The first bulletin that was not told yet.
    pub bulletin_next: u64,
    /// Whether the welcome has left: nothing else is sent before.
    pub is_welcomed: bool,
    /// Which lane its snapshots take.
    pub lane: LaneChoice,
    /// Whether its newest snapshot left over the sealed lane.
    pub told_sealed: bool,
    /// Whether its client asked the sealed lane for a sign of life.
    pub owes_sign: bool,
    /// Whether the player had a connection when last looked at.
    pub was_here: bool,
    /// How the path was when it was last looked at.
    pub path: Path,
    /// Messages that may still come before it is a flood.
    pub message_credit: f32,
}

impl Seat {
    /// A seat whose first input may be for the tick after `tick`.
    pub(super) fn new(
        slot: PlayerSlot,
        key: PlayerKey,
        session: SessionConfig,
        tick: u32,
        now: Instant,
    ) -> Self {
        Self {
            slot,
            key,
            session: ServerSession::new(session, tick),
            lens: Lens::new(session.tick_hz),
            peer: None,
            away_since: Some(now),
            heard_at: now,
            requests: Vec::new(),
            outbox: VecDeque::new(),
            bulletin_next: 0,
            is_welcomed: false,
            lane: LaneChoice::new(now),
            told_sealed: false,
            owes_sign: false,
            was_here: false,
            path: Path::default(),
            message_credit: MESSAGE_BURST,
        }
    }

    /// The player is here, over this connection.
    pub(super) fn attach(&mut self, peer: PeerId, now: Instant) {
        self.peer = Some(peer);
        self.away_since = None;
        self.heard_at = now;
        self.outbox.clear();
        self.is_welcomed = false;
        self.lane = LaneChoice::new(now);
        self.owes_sign = false;
        self.message_credit = MESSAGE_BURST;
    }

    /// The connection is gone.
    pub(super) fn detach(&mut self, now: Instant) {
        self.peer = None;
        self.away_since = Some(now);
        self.outbox.clear();
        self.is_welcomed = false;
    }

    /// How the player leaves for good in the tick after `tick`. Who is away was last there when a
    /// datagram of it was last read: what counts in a fight is counted from then.
    pub(super) fn leave(&self, tick: u32, tick_hz: u16, now: Instant) -> Action {
        if self.peer.is_some() {
            return Action::Leave;
        }
        let away_s = now.saturating_duration_since(self.heard_at).as_secs_f64();
        let ticks = (away_s * f64::from(tick_hz)) as u32;
        Action::Lapse { since: Tick(tick.saturating_sub(ticks)) }
    }

    /// Whether the snapshot leaves over the sealed lane. `now`: when the shard last read its
    /// socket.
    pub(super) fn choose_lane(&mut self, now: Instant) -> bool {
        let sealed = self.lane.is_sealed(now);
        if std::mem::replace(&mut self.told_sealed, sealed) != sealed {
            self.session.change_lane();
        }
        sealed
    }

    /// Whether one more message is no flood.
    pub(super) fn take_message_credit(&mut self) -> bool {
        self.message_credit -= 1.0;
        self.message_credit >= 0.0
    }

    /// A tick passed, a `tick_hz`th of a second.
    pub(super) fn refill_message_credit(&mut self, tick_hz: u16) {
        let refilled = self.message_credit + MESSAGES_PER_S / f32::from(tick_hz);
        self.message_credit = refilled.min(MESSAGE_BURST);
    }
}

/// Messages that a client may send at once, and a second in the long run.
const MESSAGE_BURST: f32 = 40.0;
const MESSAGES_PER_S: f32 = 20.0;
