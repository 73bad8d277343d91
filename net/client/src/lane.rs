//! Which lane a client's inputs take: sealed packets while they get through, else QUIC.
//!
//! A lane that the server has opened is tried with empty packets first, while inputs go on over
//! QUIC; the first answer moves the inputs over. When nothing has come over the lane for two
//! seconds while the QUIC connection answered all the time, inputs go back to QUIC, and the lane is
//! tried again later. A server that is late on both lanes, and a client that was late itself, are
//! no reason to leave the lane. Everything happens on the client's tick.

use std::time::{Duration, Instant};

use sortie_quic::{Client, client_secrets};
use sortie_sealed::{ClientLane, Evidence, LaneConfig, SILENCE, Suite};
use sortie_wire::limits::INPUT_BYTES_MAX;

use crate::{config::LanePolicy, stats::LaneStats};

/// Between two packets that try a lane out.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// A lane that did not work is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// After so much silence on the sealed lane the QUIC connection is asked whether it lives: QUIC
/// alone notices that the server was restarted, and only when something is sent over it.
const ASK_QUIC_AFTER: Duration = Duration::from_millis(250);
/// The same when the lane is well and the QUIC connection, which is kept alive every two seconds,
/// has not answered for so long: under heavy loss too little of what it says by itself gets through
/// to save it from its idle timeout.
const QUIC_QUIET: Duration = Duration::from_secs(3);
/// Between two such questions: the answer may be lost.
const ASK_QUIC_EVERY: Duration = Duration::from_millis(100);
/// Snapshots that come over QUIC for so long and a round trip, and none over the sealed lane, say
/// that the server hears no sealed packets.
const TURNED_AFTER: Duration = Duration::from_millis(500);
/// The QUIC connection lives when it answered within this time.
const QUIC_LIVES: Duration = Duration::from_secs(1);

/// What the inputs take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// QUIC; the sealed lane, if there is one, is tried from then on.
    Quic { retry_at: Option<Instant> },
    /// QUIC, and the sealed lane is being tried.
    Trying { next_at: Instant },
    /// Sealed packets.
    Sealed,
}

/// The lanes of one connection after the other.
pub(crate) struct LaneUse {
    policy: LanePolicy,
    lane: Option<ClientLane>,
    way: Way,
    /// How much of `payload` waits for the next transmit, perhaps nothing of it. A newer payload
    /// replaces it, and repeats what it said.
    waiting: Option<usize>,
    payload: [u8; INPUT_BYTES_MAX],
    /// When the server was last heard on the sealed lane; time that the client slept is left out.
    heard_at: Instant,
    /// Against the way down: the server answers over QUIC.
    against_down: Evidence,
    /// Against the way up: inputs leave sealed, and snapshots come over QUIC.
    against_up: Evidence,
    /// Whether a sealed packet left since the last snapshot that came over QUIC.
    has_spoken: bool,
    quic_rtt: Duration,
    ask_quic_at: Instant,
    quic_heard_at: Instant,
    acks_heard: u64,
    stats: LaneStats,
}

impl LaneUse {
    pub(crate) fn new(policy: LanePolicy, now: Instant) -> Self {
        Self {
            policy,
            lane: None,
            way: Way::Quic { retry_at: None },
            waiting: None,
            payload: [0; INPUT_BYTES_MAX],
            heard_at: now,
            against_down: Evidence::default(),
            against_up: Evidence::default(),
            has_spoken: false,
            quic_rtt: Duration::ZERO,
            ask_quic_at: now,
            quic_heard_at: now,
            acks_heard: 0,
            stats: LaneStats::default(),
        }
    }

    /// The bits of the hello: the lanes that this client can use.
    pub(crate) fn offer(&self) -> u8 {
        if self.policy == LanePolicy::Quic { 0 } else { sortie_quic::all_suites() }
    }

    /// The connection is gone, and the lane with it.
    pub(crate) fn close(&mut self) {
        self.lane = None;
        self.forget_evidence();
        self.waiting = None;
        self.way = Way::Quic { retry_at: None };
    }

    /// The server has opened a lane. One that this client cannot use changes nothing.
    pub(crate) fn open(&mut self, now: Instant, quic: &Client, session: u32, suite: u8) {
        let Some(suite) = Suite::from_number(suite) else { return };
        let Some(secrets) = client_secrets(quic, session, suite) else { return };
        if self.policy == LanePolicy::Quic {
            return;
        }
        self.lane = Some(ClientLane::new(suite, &secrets, session, now, LaneConfig::default()));
        self.stats.opened += 1;
        (self.heard_at, self.quic_heard_at) = (now, now);
        self.acks_heard = quic.acks_heard();
        self.forget_evidence();
        self.way = match self.policy {
            LanePolicy::Sealed => Way::Sealed,
            _ => Way::Trying { next_at: now },
        };
    }

    /// A sealed packet of the server's; gives its payload when there is one.
    pub(crate) fn receive<'a>(&mut self, now: Instant, packet: &'a mut [u8]) -> Option<&'a [u8]> {
        let payload = self.lane.as_mut()?.open(now, packet).ok()?;
        self.heard_at = now;
        self.forget_evidence();
        if let Way::Trying { .. } = self.way {
            self.way = Way::Sealed;
        }
        Some(payload)
    }

    /// A tick passes; `input` is to be sent. Gives it back when QUIC has to carry it.
    pub(crate) fn tick<'a>(
        &mut self,
        now: Instant,
        quic: &mut Client,
        input: &'a [u8],
    ) -> Option<&'a [u8]> {
        self.look_after(now, quic);
        match &mut self.way {
            Way::Sealed => {
                self.stats.inputs_sealed += 1;
                self.put(input);
                return None;
            }
            Way::Trying { next_at } if *next_at <= now => {
                *next_at = now + TRY_EVERY;
                self.put(&[]);
            }
            Way::Trying { .. } | Way::Quic { .. } => {}
        }
        self.stats.inputs_quic += 1;
        Some(input)
    }

    /// Notes a snapshot that came over one lane or the other.
    pub(crate) fn note_snapshot(&mut self, now: Instant, sealed: bool) {
        if !sealed && self.way == Way::Sealed && std::mem::take(&mut self.has_spoken) {
            self.against_up.note(now);
        }
        self.stats.snapshots_sealed += u64::from(sealed);
        self.stats.snapshots_quic += u64::from(!sealed);
    }

    /// The client was not called for so long: nothing was silent meanwhile.
    pub(crate) fn note_sleep(&mut self, slept: Duration) {
        self.heard_at += slept;
    }

    /// Gives the lane up when one direction of it fails and QUIC works; whether it did.
    pub(crate) fn give_way(&mut self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.heard_at);
        let unheard = self.against_up.time() >= TURNED_AFTER + self.quic_rtt;
        let silent = self.against_down.is_enough_for_silence(quiet);
        let gives_way = self.is_sealed(LanePolicy::Auto) && (unheard || silent);
        if gives_way {
            self.fall_back(now);
        }
        gives_way
    }

    /// When the server last answered over QUIC, while that is all that it is asked there: it lives,
    /// whatever the sealed lane brings.
    pub(crate) fn quic_lives(&self, now: Instant) -> Option<Instant> {
        let lives = now.saturating_duration_since(self.quic_heard_at) < QUIC_LIVES;
        (lives && self.is_sealed(LanePolicy::Auto)).then_some(self.quic_heard_at)
    }

    /// Whether the server is silent on the lane and there is no other: only a new connection helps.
    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.heard_at);
        self.is_sealed(LanePolicy::Sealed) && quiet >= SILENCE
    }

    fn is_sealed(&self, policy: LanePolicy) -> bool {
        self.way == Way::Sealed && self.policy == policy
    }

    /// Writes the sealed packet that waits, if any, into `out`, whose content is replaced.
    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let (Some(length), Some(lane)) = (self.waiting.take(), &mut self.lane) else {
            return false;
        };
        out.clear();
        let payload = &self.payload[..length];
        let sealed = lane.seal(now, |out| out.extend_from_slice(payload), out);
        self.has_spoken |= sealed.is_ok();
        if sealed.is_err() && self.policy == LanePolicy::Auto {
            // Its numbers are used up; only a new connection brings another lane.
            self.lane = None;
            self.fall_back(now);
        }
        sealed.is_ok()
    }

    /// Round-trip time of the sealed lane while it is in use.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.lane.as_ref().filter(|_| self.way == Way::Sealed)?.rtt()
    }

    pub(crate) fn stats(&self) -> LaneStats {
        LaneStats { is_sealed: self.way == Way::Sealed, ..self.stats }
    }

    fn look_after(&mut self, now: Instant, quic: &mut Client) {
        let acks_heard = quic.acks_heard();
        if std::mem::replace(&mut self.acks_heard, acks_heard) != acks_heard {
            self.quic_heard_at = now;
            self.against_down.note(now);
        }
        self.quic_rtt = quic.rtt();
        let quiet = now.saturating_duration_since(self.heard_at);
        // The server sees us at a new address. QUIC has to move there too, or what it sends goes to
        // the old one until the next keep-alive.
        let moved = self.lane.as_ref().is_some_and(ClientLane::owes_echo);
        let quiet_at = (self.heard_at + ASK_QUIC_AFTER).min(self.quic_heard_at + QUIC_QUIET);
        match self.way {
            Way::Sealed if moved && now >= self.ask_quic_at => {
                self.ask_quic_at = now + ASK_QUIC_EVERY;
                quic.ping();
            }
            Way::Sealed if now >= self.ask_quic_at.max(quiet_at) => {
                self.ask_quic_at = now + ASK_QUIC_EVERY;
                quic.ping();
            }
            Way::Trying { .. } if self.against_down.is_enough_for_silence(quiet) => {
                self.fall_back(now);
            }
            Way::Quic { retry_at: Some(at) } if at <= now && self.lane.is_some() => {
                if let Some(lane) = &mut self.lane {
                    lane.try_again();
                }
                self.heard_at = now;
                self.forget_evidence();
                self.way = Way::Trying { next_at: now };
            }
            _ => {}
        }
    }

    fn put(&mut self, payload: &[u8]) {
        self.payload[..payload.len()].copy_from_slice(payload);
        self.waiting = Some(payload.len());
    }

    fn forget_evidence(&mut self) {
        self.against_down.clear();
        self.against_up.clear();
        self.has_spoken = false;
    }

    fn fall_back(&mut self, now: Instant) {
        self.stats.fallbacks += 1;
        self.forget_evidence();
        self.waiting = None;
        self.way = Way::Quic { retry_at: Some(now + RETRY_AFTER) };
    }
}
