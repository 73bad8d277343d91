//! A shard: one socket, its connections, and the seats of the players behind them.
//!
//! Shards work apart from each other: they receive before the tick and send after it, each on a
//! thread of its own if there are threads. What concerns the whole battle they leave for the
//! server: newcomers' hellos, and departures.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use sortie_bridge::input::action;
use sortie_bridge::noise::Noises;
use sortie_pump::{Pump, SealedLane};
use sortie_quic::{
    CloseReason, PeerId, SealedLanes, SendMessageError, Server as Quic, ServerEvent, best_suite,
};
use sortie_session::delta_cache::DeltaCache;
use sortie_session::history::FrameHistory;
use sortie_session::peer::Peer;
use sortie_sim::command::Action;
use sortie_sim::interest::Visibility;
use sortie_sim::view::View;
use sortie_udp::Socket;
use sortie_wire::DecodeError;
use sortie_wire::close::CloseCode;
use sortie_wire::limits::{CLOSE_TEXT_BYTES_MAX, DATAGRAM_BYTES_MAX};
use sortie_wire::message::{ClientMessage, Hello, LoadStep, ServerMessage, Text};

use super::guest::{Guest, ShardCounters};
use super::lanes::{Port, Ways};
use super::seat::{REQUESTS_PER_TICK_MAX, Seat};
use super::work::thread_cpu;

/// Batches of 64 datagrams that one tick takes in, so that a flood cannot hold it up.
const BATCHES_PER_TICK_MAX: usize = 128;
/// How long a connection may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// A player whose machine is connected and says nothing is idle after this time.
const IDLE_AFTER: Duration = Duration::from_secs(15);
/// A connection stays open this long after it was told why it ends, or for three round trips, so
/// that one lost packet is repeated in time.
const LEAVING_MIN: Duration = Duration::from_millis(100);
const LEAVING_MAX: Duration = Duration::from_secs(1);
/// The path is looked at every so many ticks.
const PATH_TICKS: u32 = 8;

/// A connection that was told why it ends, and ends then.
#[derive(Clone, Debug)]
struct Farewell {
    peer: PeerId,
    code: CloseCode,
    words: Text<CLOSE_TEXT_BYTES_MAX>,
    at: Instant,
}

/// One socket and who is behind it.
pub(super) struct Shard {
    /// Its socket.
    pub socket: Socket,
    /// Its connections.
    pub quic: Quic,
    /// Its sealed lanes, when it offers any.
    pub lanes: Option<SealedLanes>,
    pub(super) pump: Pump,
    /// By slot of the connection.
    guests: Vec<Option<Guest>>,
    /// Seats by the player's slot, so that they come in order.
    pub seats: BTreeMap<u16, Box<Seat>>,
    /// Hellos that wait for the server's decision.
    pub hellos: VecDeque<(PeerId, Hello)>,
    farewells: Vec<Farewell>,
    /// Who sent too many broken datagrams since the last tick.
    expelled: Vec<PeerId>,
    /// Deltas that its players share.
    cache: DeltaCache,
    /// What it did.
    pub counters: ShardCounters,
    /// CPU time of its last pass; see [`Self::timed`].
    pub took: Duration,
    /// When its socket was last read.
    pub(super) now: Instant,
}

/// What all shards look at when they send.
#[derive(Clone, Copy)]
pub(super) struct Outlook<'a> {
    /// The battle after the tick.
    pub view: &'a View,
    /// Its recent past.
    pub history: &'a FrameHistory,
    /// Who sees whom.
    pub visibility: &'a Visibility,
    /// What was loud.
    pub noises: &'a Noises,
    /// How far snapshots are thinned out.
    pub load: LoadStep,
    /// Messages of ticks up to this one may leave.
    pub released: u32,
    /// Ticks a second.
    pub tick_hz: u16,
}

impl Shard {
    /// A shard without connections.
    pub(super) fn new(
        socket: Socket,
        quic: Quic,
        lanes: Option<SealedLanes>,
        now: Instant,
    ) -> Self {
        Self {
            socket,
            quic,
            lanes,
            pump: Pump::new(),
            guests: Vec::new(),
            seats: BTreeMap::new(),
            hellos: VecDeque::new(),
            farewells: Vec::new(),
            expelled: Vec::new(),
            cache: DeltaCache::default(),
            counters: ShardCounters::default(),
            took: Duration::ZERO,
            now,
        }
    }

    /// Takes in all that arrived since the last tick.
    pub(super) fn receive(&mut self, now: Instant, tick: u32) {
        self.now = now;
        let Self { socket, quic, lanes, pump, guests, seats, counters, expelled, .. } = self;
        let mut port =
            Port { quic, lanes: lanes.as_mut(), guests, seats, counters, expelled, tick };
        let took = pump.receive(socket, &mut port, now, BATCHES_PER_TICK_MAX);
        if let Err(error) = took {
            // Not a peer's doing; the next tick tries again.
            tracing::warn!(%error, "cannot receive");
        }
        self.quic.handle_timeouts(now);
        while let Some(event) = self.quic.poll_event() {
            match event {
                ServerEvent::Connected { peer, .. } => self.greet(peer, now),
                ServerEvent::Datagram { peer, datagram } => {
                    let Self { quic, lanes, guests, seats, counters, expelled, .. } = self;
                    let lanes = lanes.as_mut();
                    let mut port = Port { quic, lanes, guests, seats, counters, expelled, tick };
                    port.take_input(peer, &datagram, false, now);
                }
                ServerEvent::Message { peer, message } => self.take_message(peer, &message, tick),
                ServerEvent::Closed { peer, reason } => self.part(peer, &reason, now),
            }
        }
        let expelled = std::mem::take(&mut self.expelled);
        expelled.into_iter().for_each(|peer| self.close(peer, CloseCode::Malformed));
        self.send_off_the_silent(now);
        self.end_farewells(now);
    }

    /// Does `work` and notes the CPU time that this thread took for it.
    pub(super) fn timed(&mut self, work: impl Fn(&mut Self)) {
        let before = thread_cpu();
        work(self);
        self.took = thread_cpu().saturating_sub(before);
    }

    fn greet(&mut self, peer: PeerId, now: Instant) {
        if self.guests.len() <= peer.index() {
            self.guests.resize(peer.index() + 1, None);
        }
        let guest =
            Guest { peer, since: now, slot: None, said_hello: false, lanes: 0, is_leaving: false };
        self.guests[peer.index()] = Some(guest);
    }

    pub(super) fn guest(&mut self, peer: PeerId) -> Option<&mut Guest> {
        self.guests.get_mut(peer.index())?.as_mut().filter(|guest| guest.peer == peer)
    }

    fn take_message(&mut self, peer: PeerId, message: &[u8], tick: u32) {
        let Some(guest) = self.guest(peer).filter(|guest| !guest.is_leaving) else { return };
        let message = match ClientMessage::decode(message) {
            Ok(message) => message,
            Err(DecodeError::OtherVersion) if !guest.said_hello => {
                return self.close(peer, CloseCode::ProtocolVersion);
            }
            Err(_) => {
                self.counters.malformed += 1;
                return self.close(peer, CloseCode::Malformed);
            }
        };
        match (message, guest.slot) {
            (ClientMessage::Hello(hello), _) if !guest.said_hello => {
                guest.said_hello = true;
                guest.lanes = hello.lanes;
                self.hellos.push_back((peer, hello));
            }
            (ClientMessage::Hello(_), _) => self.close(peer, CloseCode::Malformed),
            // Said after the hello and before its answer: nobody is there yet to want anything.
            (_, None) if guest.said_hello => {}
            (_, None) => self.close(peer, CloseCode::HelloExpected),
            (message, Some(slot)) => self.take_request(peer, slot, &message, tick),
        }
    }

    fn take_request(&mut self, peer: PeerId, slot: u16, message: &ClientMessage, tick: u32) {
        let Some(seat) = self.seats.get_mut(&slot) else { return };
        if !seat.take_message_credit() || seat.requests.len() >= REQUESTS_PER_TICK_MAX {
            return self.close(peer, CloseCode::Flood);
        }
        if let ClientMessage::Ping { nonce } = *message {
            let pong = ServerMessage::Pong { nonce, tick };
            return self.say(peer, &pong);
        }
        seat.requests.extend(action(message));
    }

    fn part(&mut self, peer: PeerId, reason: &CloseReason, now: Instant) {
        tracing::debug!(%peer, %reason, "a connection is over");
        self.hellos.retain(|(waiting, _)| *waiting != peer);
        self.farewells.retain(|farewell| farewell.peer != peer);
        if let Some(lanes) = &mut self.lanes {
            lanes.close(peer);
        }
        let Some(guest) = self.guest(peer).copied() else { return };
        self.guests[peer.index()] = None;
        let seat = guest.slot.and_then(|slot| self.seats.get_mut(&slot));
        if let Some(seat) = seat.filter(|seat| seat.peer == Some(peer)) {
            seat.detach(now);
            // The message that says so may have been lost with the connection.
            if is_farewell(reason) {
                seat.requests.push(Action::Leave);
            }
        }
    }

    fn send_off_the_silent(&mut self, now: Instant) {
        let mut silent: Vec<(PeerId, CloseCode)> = Vec::new();
        for guest in self.guests.iter().flatten().filter(|guest| !guest.is_leaving) {
            let waited = now.saturating_duration_since(guest.since);
            if !guest.said_hello && waited > HELLO_WITHIN {
                silent.push((guest.peer, CloseCode::HelloExpected));
            }
        }
        for seat in self.seats.values() {
            let quiet = now.saturating_duration_since(seat.heard_at);
            if let Some(peer) = seat.peer.filter(|_| quiet > IDLE_AFTER) {
                silent.push((peer, CloseCode::Idle));
            }
        }
        silent.into_iter().for_each(|(peer, code)| self.close(peer, code));
    }

    /// The connection belongs to this player now.
    pub(super) fn seat_guest(&mut self, peer: PeerId, slot: u16, now: Instant) {
        if let Some(guest) = self.guest(peer) {
            guest.slot = Some(slot);
        }
        if let Some(seat) = self.seats.get_mut(&slot) {
            seat.attach(peer, now);
        }
    }

    /// Whether a connection that said hello still waits for its answer.
    pub(super) fn is_waiting(&mut self, peer: PeerId) -> bool {
        self.guest(peer).is_some_and(|guest| guest.slot.is_none() && !guest.is_leaving)
    }

    /// Ends a connection with a code that its client reads.
    pub(super) fn close(&mut self, peer: PeerId, code: CloseCode) {
        self.say_goodbye(peer, code, code.text());
    }

    /// Says why in the operator's words, where there are any, and ends the connection: the player
    /// is away at once, and the connection is closed when the words can have arrived. QUIC's close
    /// would overtake them.
    pub(super) fn say_goodbye(&mut self, peer: PeerId, code: CloseCode, words: &str) {
        let words = if words.is_empty() { code.text() } else { words };
        let words: Text<CLOSE_TEXT_BYTES_MAX> = Text::truncated(words);
        let now = self.now;
        let Some(guest) = self.guest(peer) else {
            return self.quic.close(peer, u32::from(code.number()), &words);
        };
        if std::mem::replace(&mut guest.is_leaving, true) {
            return;
        }
        let seat = guest.slot.and_then(|slot| self.seats.get_mut(&slot));
        if let Some(seat) = seat.filter(|seat| seat.peer == Some(peer)) {
            seat.detach(now);
        }
        let leaving = ServerMessage::Leaving { code: code.number(), text: words.clone() };
        let is_said =
            leaving.encode().is_ok_and(|bytes| self.quic.send_message(peer, &bytes).is_ok());
        if !is_said {
            // Too much waits for it already.
            return self.quic.close(peer, u32::from(code.number()), &words);
        }
        let rtt = self.quic.rtt(peer).unwrap_or_default();
        let at = now + (3 * rtt).clamp(LEAVING_MIN, LEAVING_MAX);
        self.farewells.push(Farewell { peer, code, words, at });
    }

    /// Closes the connections whose time to hear why is over.
    fn end_farewells(&mut self, now: Instant) {
        let Self { farewells, quic, .. } = self;
        for due in farewells.extract_if(.., |farewell| farewell.at <= now) {
            quic.close(due.peer, u32::from(due.code.number()), &due.words);
        }
    }

    /// Says why, while the stream still carries it; the close follows later.
    pub(super) fn say_leaving(&mut self, peer: PeerId, code: CloseCode) {
        if self.guest(peer).is_none_or(|guest| !guest.is_leaving) {
            let text = Text::truncated(code.text());
            self.say(peer, &ServerMessage::Leaving { code: code.number(), text });
        }
    }

    pub(super) fn say(&mut self, peer: PeerId, message: &ServerMessage) {
        if let Ok(bytes) = message.encode() {
            self.send(peer, &bytes);
        }
    }

    fn send(&mut self, peer: PeerId, bytes: &[u8]) {
        match self.quic.send_message(peer, bytes) {
            Ok(()) | Err(SendMessageError::Closed) => {}
            Err(error) => {
                tracing::debug!(%peer, %error, "cannot send a message");
                self.close(peer, CloseCode::SlowClient);
            }
        }
    }

    /// Tells every player behind this socket what it is to know of the tick.
    pub(super) fn tell(&mut self, outlook: &Outlook<'_>) {
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        // The step took its time, which would count as the path's.
        let now = Instant::now().max(self.now);
        let mut seats = std::mem::take(&mut self.seats);
        for seat in seats.values_mut() {
            seat.refill_message_credit(outlook.tick_hz);
            let Some(peer) = seat.peer else { continue };
            while let Some((tick, _)) = seat.outbox.front()
                && *tick <= outlook.released
                && let Some((_, bytes)) = seat.outbox.pop_front()
            {
                self.send(peer, &bytes);
                // The first message after an attachment is the welcome.
                if !std::mem::replace(&mut seat.is_welcomed, true) {
                    self.open_lane(peer, now);
                }
            }
            if seat.is_welcomed {
                self.look_after_lane(seat, peer);
                self.send_snapshot(seat, peer, outlook, now, &mut datagram);
                self.give_sign(seat, peer, now);
            }
        }
        self.seats = seats;
    }

    fn send_snapshot(
        &mut self,
        seat: &mut Seat,
        peer: PeerId,
        outlook: &Outlook<'_>,
        now: Instant,
        datagram: &mut [u8; DATAGRAM_BYTES_MAX],
    ) {
        let tick = outlook.view.tick.0;
        if !seat.session.snapshot_due(tick, outlook.load, seat.slot.0) {
            return;
        }
        let is_sealed = seat.choose_lane(self.now);
        let Self { socket, quic, lanes, pump, counters, cache, .. } = self;
        let ways = Ways { quic, lanes: lanes.as_mut(), pump, socket, now };
        let mut lane = ways.to(peer, is_sealed);
        if (tick + u32::from(seat.slot.0)).is_multiple_of(PATH_TICKS) {
            seat.session.note_path(&lane);
            (seat.path.rtt, seat.path.total) = (Some(lane.rtt()), lane.loss());
        }
        counters.updates_due += 1;
        let seen = outlook.visibility.visible(seat.slot);
        seat.lens.look(outlook.view, seat.slot, seen, outlook.noises);
        let source = seat.lens.source(seen, outlook.history, outlook.load);
        let encode = |out: &mut [u8]| seat.session.encode_snapshot(&source, cache, out);
        let bytes = lane.send_with(datagram, encode);
        if bytes > 0 {
            counters.snapshots += 1;
            counters.snapshots_sealed += u64::from(is_sealed);
            counters.snapshot_bytes += bytes as u64;
        }
    }

    /// Opens a sealed lane for a player that was just welcomed, if both sides can use one.
    fn open_lane(&mut self, peer: PeerId, now: Instant) {
        let offered = self.guest(peer).map_or(0, |guest| guest.lanes);
        let (Some(lanes), Some(suite)) = (&mut self.lanes, best_suite(offered)) else { return };
        if let Some(session) = lanes.open(now, &self.quic, peer, suite) {
            self.say(peer, &ServerMessage::SealedLane { session, suite: suite as u8 });
        }
    }

    /// Asks over QUIC for a sign of life when nothing comes over a player's sealed lane: only when
    /// QUIC answers is it the lane that fails, and not the player who is late.
    fn look_after_lane(&mut self, seat: &mut Seat, peer: PeerId) {
        if seat.lane.is_in_doubt(self.now)
            && seat.lane.note_quic(self.now, self.quic.acks_heard(peer))
        {
            self.quic.ping(peer);
        }
    }

    /// Answers a client that tries its sealed lane out: with a packet that says nothing.
    fn give_sign(&mut self, seat: &mut Seat, peer: PeerId, now: Instant) {
        let Self { lanes: Some(lanes), quic, pump, socket, .. } = self else { return };
        if std::mem::take(&mut seat.owes_sign) {
            let mut lane = SealedLane { lanes, server: quic, pump, socket, now, peer };
            // A sign that does not leave is a lost one: the client asks again.
            let _ = lane.send_datagram(&[]);
        }
    }

    /// Hands everything that waits to the network.
    pub(super) fn transmit(&mut self, now: Instant) {
        self.pump.transmit(&self.socket, &mut self.quic, now);
    }

    /// System calls that moved datagrams.
    pub(super) fn syscalls(&self) -> u64 {
        let (received, sent) = self.pump.counters();
        received.syscalls + sent.syscalls
    }

    /// UDP payload bytes received and sent, both ways together.
    pub(super) fn udp_bytes(&self) -> (u64, u64) {
        let quic = self.quic.counters();
        let sealed = self.lanes.as_ref().map(SealedLanes::counters).unwrap_or_default();
        (quic.bytes_in + sealed.bytes_in, quic.bytes_out + sealed.bytes_out)
    }

    /// Players whose datagrams go over the sealed lane.
    pub(super) fn sealed(&self) -> usize {
        self.seats.values().filter(|seat| seat.peer.is_some() && seat.told_sealed).count()
    }

    /// Players behind this socket that are here.
    pub(super) fn connected(&self) -> usize {
        self.seats.values().filter(|seat| seat.peer.is_some()).count()
    }
}

/// How a connection ends whose player leaves for good.
fn is_farewell(reason: &CloseReason) -> bool {
    let left = u64::from(CloseCode::Left.number());
    matches!(reason, CloseReason::Remote { code, .. } if *code == left)
}
