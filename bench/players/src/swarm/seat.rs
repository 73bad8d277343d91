//! One bot: a client, a socket of its own, a mind, and perhaps a simulated network in between.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use sortie_bridge::predict::{Fields, Predictor};
use sortie_client::{
    Corrections, Event, GameClient, GameClientConfig, LanePolicy, LaneStats, State,
};
use sortie_quic::Fingerprint;
use sortie_sim::config::{Mode, SimConfig};
use sortie_wire::close::CloseCode;
use sortie_wire::message::{FeedEntry, ServerMessage};

use super::config::{NetworkConditions, SwarmConfig};
use super::error::SwarmError;
use super::hostile::{BotFault, BotFaults, Change, HostileReport, Judged, Outage};
use super::link::Path;
use super::magazine::Magazine;
use super::server::Target;
use super::visit::Visit;
use crate::minds::{Decision, NetMind};
use crate::samples::Samples;
use crate::scenario::Scenario;
use crate::ticket::{self, TicketRequest};

/// New connections a second: a crowd at the gate, not a stampede.
const ARRIVALS_PER_S: u32 = 200;

/// Between two looks at the round-trip time.
const RTT_EVERY: Duration = Duration::from_millis(500);

/// Player keys of bots begin here, so that guests on the same server do not collide with them.
const FIRST_BOT_KEY: u128 = 0xb07 << 64;

/// A bot.
pub(super) struct Seat {
    number: usize,
    arrival: Instant,
    server: SocketAddr,
    fingerprint: [u8; 32],
    admission: Admission,
    client: Option<GameClient<Predictor>>,
    socket: UdpSocket,
    path: Option<Path>,
    rebind: Option<(Duration, Instant)>,
    faulty: Option<FaultyPath>,
    lane: LanePolicy,
    mind: NetMind,
    fields: Fields,
    wake: Instant,
    out: Vec<u8>,
    seen: Seen,
}

/// How a bot gets its ticket.
pub(super) enum Admission {
    /// It is signed when the bot connects.
    Sign {
        /// Ed25519 seed.
        seed: [u8; 32],
        /// What it says.
        request: Box<TicketRequest>,
    },
    /// Somebody else has signed it.
    Given(Vec<u8>),
}

/// What is done to a bot of a hostile run.
struct FaultyPath {
    faults: BotFaults,
    outage: Arc<Outage>,
    /// Its path when nothing is wrong.
    usual: NetworkConditions,
}

/// What a bot noted.
#[derive(Default)]
struct Seen {
    connected: bool,
    slot: Option<u16>,
    soldier_changed: bool,
    first_tick: Option<u32>,
    playing_since: Option<Instant>,
    rtt_ms: Samples,
    rtt_next: Option<Instant>,
    told: Vec<FeedEntry>,
    /// Enemies downed in the battle, by anybody, as far as this bot was told.
    kills: u64,
    /// Rounds that it saw end.
    rounds: u32,
    magazine: Magazine,
    /// What the rounds are about, as the server told.
    mode: Option<Mode>,
}

/// How a bot, or the bots of a thread, are at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SeatStatus {
    /// Bots in the battle.
    pub playing: usize,
    /// Bots that were in the battle and cannot come back.
    pub lost: usize,
    /// Newest server tick seen.
    pub tick: u32,
    /// Round-trip times of those that play, summed, milliseconds.
    pub rtt_ms_sum: f64,
    /// Snapshots decoded.
    pub snapshots: u64,
    /// What the rounds are about; `None` before anybody was told.
    pub mode: Option<Mode>,
    /// Tickets left, or score reached, per team.
    pub tickets: [u32; 2],
    /// Points held, per team, and all points.
    pub points: ([u32; 2], u32),
    /// Shots that the bots fired.
    pub shots: u64,
    /// Enemies downed, as the bot that was told most was told.
    pub kills: u64,
    /// Rounds that ended.
    pub rounds: u32,
    /// Bots whose battle was over.
    pub finished: usize,
}

impl SeatStatus {
    /// The sums of two seats, and the state of the newer one.
    pub(super) fn plus(self, other: Self) -> Self {
        let newest = if other.tick > self.tick { other } else { self };
        Self {
            playing: self.playing + other.playing,
            lost: self.lost + other.lost,
            tick: newest.tick,
            rtt_ms_sum: self.rtt_ms_sum + other.rtt_ms_sum,
            snapshots: self.snapshots + other.snapshots,
            mode: self.mode.or(other.mode),
            tickets: newest.tickets,
            points: newest.points,
            shots: self.shots + other.shots,
            kills: self.kills.max(other.kills),
            rounds: self.rounds.max(other.rounds),
            finished: self.finished + other.finished,
        }
    }
}

/// What a bot saw, when all is over.
#[derive(Debug, Default)]
pub(super) struct SeatReport {
    /// Its number.
    pub number: usize,
    /// It got a soldier.
    pub connected: bool,
    /// It still has it.
    pub playing: bool,
    /// The battle was over, and the server said so.
    pub finished: bool,
    /// Rounds that it saw end.
    pub rounds: u32,
    /// Times it came back.
    pub resumes: u64,
    /// It came back to another soldier.
    pub soldier_changed: bool,
    /// Longest time from losing the connection to being let in again.
    pub resume_max: Duration,
    /// Ticks of the first and the newest snapshot.
    pub ticks: Option<(u32, u32)>,
    /// Snapshots decoded.
    pub snapshots: u64,
    /// Their bytes.
    pub snapshot_bytes: u64,
    /// What inputs and snapshots travelled over.
    pub lane: LaneStats,
    /// Since it got its soldier.
    pub playing_for: Duration,
    /// Whether the server consumed its inputs.
    pub control: Judged,
    /// What was done to it.
    pub hostile: HostileReport,
    /// Round-trip times, milliseconds.
    pub rtt_ms: Samples,
    /// How far prediction was off.
    pub corrections: Corrections,
    /// What it was told of the fight, in order.
    pub told: Vec<FeedEntry>,
    /// How the battle stood, as it was told.
    pub status: SeatStatus,
    /// Why it is not in the battle any more.
    pub ended: Option<String>,
    /// Why its last attempt to get in failed.
    pub trouble: Option<String>,
}

impl Seat {
    /// Bot `number` of the run. It connects a little after the one before it.
    pub(super) fn new(
        config: &SwarmConfig,
        target: &Target,
        number: usize,
        started: Instant,
        fields: &Fields,
        outage: &Arc<Outage>,
    ) -> io::Result<Self> {
        let arrival = started + Duration::from_secs(1) * number as u32 / ARRIVALS_PER_S;
        let seed = config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
        // Each bot moves at another moment of the interval.
        let rebind = config.link.rebind_every.map(|every| {
            let share = (number % 97) as f64 / 97.0;
            (every, arrival + every.mul_f64(0.5 + share))
        });
        let faulty = config.hostile.then(|| FaultyPath {
            faults: BotFaults::new(seed.rotate_left(32), arrival, started + config.duration),
            outage: Arc::clone(outage),
            usual: config.link,
        });
        let needs_path = !config.link.is_plain() || config.hostile;
        let request = Box::new(TicketRequest {
            battle_id: target.battle_id,
            player_key: FIRST_BOT_KEY + number as u128,
            name: format!("bot-{number}"),
            team: None,
            class: (number % 4) as u8,
            valid: Duration::from_secs(30),
        });
        Ok(Self {
            number,
            arrival,
            server: target.addr,
            fingerprint: target.fingerprint,
            admission: Admission::Sign { seed: target.ticket_seed, request },
            client: None,
            socket: open(target.addr)?,
            path: needs_path.then(|| Path::new(&config.link, seed)),
            rebind,
            faulty,
            lane: config.lane,
            mind: NetMind::new(config.scenario, config.seed, fields.clone()),
            fields: fields.clone(),
            wake: arrival,
            out: Vec::with_capacity(2_048),
            seen: Seen::default(),
        })
    }

    /// A bot with a ticket from elsewhere, on the network as it is. It connects at once.
    pub(super) fn visiting(visit: Visit, fields: &Fields, now: Instant) -> io::Result<Self> {
        Ok(Self {
            number: 0,
            arrival: now,
            server: visit.addr,
            fingerprint: visit.fingerprint,
            admission: Admission::Given(visit.ticket),
            client: None,
            socket: open(visit.addr)?,
            path: None,
            rebind: None,
            faulty: None,
            lane: visit.lane,
            mind: NetMind::new(Scenario::Conquest, visit.seed, fields.clone()),
            fields: fields.clone(),
            wake: now,
            out: Vec::with_capacity(2_048),
            seen: Seen::default(),
        })
    }

    /// Makes the thread hear of datagrams under `token`.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Makes the thread hear of it no longer.
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut self.socket)
    }

    /// When it has something to do without a datagram coming in.
    pub(super) fn next_at(&self) -> Instant {
        self.wake
    }

    /// Does what is due: arrives, changes its address, plays its tick, runs timers, sends.
    pub(super) fn serve(
        &mut self,
        now: Instant,
        registry: &Registry,
        token: Token,
    ) -> Result<(), SwarmError> {
        if now < self.arrival {
            return Ok(());
        }
        if self.client.is_none() {
            self.client = Some(self.arrive(now)?);
        }
        if let Some((every, at)) = self.rebind.filter(|(_, at)| *at <= now) {
            self.rebind = Some((every, at + every));
            self.take_new_address(registry, token)?;
        }
        self.apply_faults(now, registry, token)?;
        if self.is_asleep() {
            self.note_wake();
            return Ok(());
        }
        self.take_delayed(now);
        let Some(client) = &mut self.client else { return Ok(()) };
        client.handle_timeouts(now);
        if client.next_tick_at() <= now {
            let Decision { wish, message } = self.mind.decide(client.view());
            if let Some(message) = message {
                client.send_message(&message);
            }
            client.tick(now, &wish);
        }
        self.settle(now);
        self.send(now)
    }

    /// Takes in what waits at the socket.
    pub(super) fn receive(&mut self, now: Instant, scratch: &mut [u8]) -> Result<(), SwarmError> {
        loop {
            match self.socket.recv_from(scratch) {
                Ok((length, from)) => match (&mut self.path, &mut self.client) {
                    (Some(path), _) => path.push_down(now, &scratch[..length]),
                    (None, Some(client)) => {
                        client.handle_datagram(now, from, &mut scratch[..length]);
                    }
                    (None, None) => {}
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The server's port may be closed for a moment while it is restarted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.is_asleep() {
            return Ok(());
        }
        self.settle(now);
        // In the battle, acks ride along with the next input; before it, the handshake is waiting.
        if self.is_playing() { Ok(()) } else { self.send(now) }
    }

    /// Says goodbye.
    pub(super) fn leave(&mut self, now: Instant) {
        if let Some(client) = &mut self.client {
            client.leave(now);
            self.wake = now;
        }
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_done(&self) -> bool {
        self.client.as_ref().is_none_or(GameClient::is_done)
    }

    /// How it is.
    pub(super) fn status(&self) -> SeatStatus {
        let Some(client) = &self.client else { return SeatStatus::default() };
        let (playing, stats) = (self.is_playing(), client.stats());
        let (is_out, finished) = (self.is_out(), self.is_finished());
        let round = &client.view().round;
        let held = |team| round.points.iter().filter(|point| point.owner == Some(team)).count();
        SeatStatus {
            playing: usize::from(playing),
            lost: usize::from(self.seen.connected && is_out && !finished),
            finished: usize::from(finished),
            points: ([0, 1].map(|team| held(team) as u32), round.points.len() as u32),
            shots: self.seen.magazine.shots(),
            kills: self.seen.kills,
            rounds: self.seen.rounds,
            tick: client.view().snapshot_tick,
            rtt_ms_sum: if playing { stats.rtt.as_secs_f64() * 1e3 } else { 0.0 },
            snapshots: stats.session.snapshots,
            mode: self.seen.mode,
            tickets: client.view().round.tickets,
        }
    }

    /// What it saw until now.
    pub(super) fn report(&mut self, now: Instant) -> SeatReport {
        let Some(client) = &self.client else {
            return SeatReport { number: self.number, ..SeatReport::default() };
        };
        let stats = client.stats();
        let (newest, status) = (client.view().snapshot_tick, self.status());
        let (control, hostile) = match &self.faulty {
            Some(faulty) => faulty.faults.result(),
            None => {
                let (told, unplayed) = (stats.session.snapshots, stats.session.starved);
                let without_max = client.without_control_max(now);
                (Judged { told, unplayed, without_max }, HostileReport::default())
            }
        };
        SeatReport {
            number: self.number,
            connected: self.seen.connected,
            playing: self.is_playing(),
            finished: self.is_finished(),
            rounds: self.seen.rounds,
            resumes: stats.resumes,
            soldier_changed: self.seen.soldier_changed,
            resume_max: stats.resume_max,
            ticks: self.seen.first_tick.map(|first| (first, newest)),
            snapshots: stats.session.snapshots,
            snapshot_bytes: stats.session.snapshot_bytes,
            control,
            hostile,
            lane: stats.lane,
            playing_for: self.seen.playing_since.map_or(Duration::ZERO, |since| now - since),
            rtt_ms: std::mem::take(&mut self.seen.rtt_ms),
            corrections: client.corrections().clone(),
            told: std::mem::take(&mut self.seen.told),
            status,
            ended: match client.state() {
                State::Closed { reason, .. } => Some(reason),
                _ => None,
            },
            trouble: client.trouble().map(str::to_owned),
        }
    }

    /// Another address. Nothing is told to the client: a NAT gives no notice either.
    fn take_new_address(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let mut fresh = open(self.server)?;
        registry.deregister(&mut self.socket)?;
        registry.register(&mut fresh, token, Interest::READABLE)?;
        self.socket = fresh;
        Ok(())
    }

    /// Begins or ends the fault that is due in a hostile run.
    fn apply_faults(&mut self, now: Instant, registry: &Registry, token: Token) -> io::Result<()> {
        let (Some(faulty), Some(path)) = (&mut self.faulty, &mut self.path) else { return Ok(()) };
        match faulty.faults.turn(now) {
            Change::None => {}
            Change::Ends => path.set(&faulty.usual, &faulty.usual),
            Change::Begins(BotFault::Move) => self.take_new_address(registry, token)?,
            Change::Begins(fault) => {
                let (up, down) = fault.links(&faulty.usual);
                path.set(&up, &down);
            }
        }
        Ok(())
    }

    fn is_asleep(&self) -> bool {
        self.faulty.as_ref().is_some_and(|faulty| faulty.faults.is_asleep())
    }

    fn is_playing(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.state() == State::Playing)
    }

    /// Whether it was in the battle, or tried to be, and will not be again.
    pub(super) fn is_out(&self) -> bool {
        let state = self.client.as_ref().map(GameClient::state);
        matches!(state, Some(State::Closed { .. }))
    }

    /// Whether the server has told it that the battle is over: what is to come of every battle.
    fn is_finished(&self) -> bool {
        let state = self.client.as_ref().map(GameClient::state);
        let over = Some(CloseCode::RoundOver.number());
        matches!(state, Some(State::Closed { code, .. }) if code == over)
    }

    /// Begins to connect, with a ticket that is fresh now.
    fn arrive(&self, now: Instant) -> Result<GameClient<Predictor>, SwarmError> {
        let refuse = |error: &dyn std::fmt::Display| SwarmError::Client(error.to_string());
        let ticket = match &self.admission {
            Admission::Sign { seed, request } => {
                ticket::issue(seed, request).map_err(|error| refuse(&error))?
            }
            Admission::Given(ticket) => ticket.clone(),
        };
        let quic = sortie_quic::ClientConfig::new(self.server, Fingerprint(self.fingerprint));
        let config = GameClientConfig { lane: self.lane, ..GameClientConfig::new(quic, ticket) };
        GameClient::new(config, Predictor::new(self.fields.clone()), now)
            .map_err(|error| refuse(&error))
    }

    /// Hands on what the simulated network delivers by now, both ways.
    fn take_delayed(&mut self, now: Instant) {
        let (Some(path), Some(client)) = (&mut self.path, &mut self.client) else { return };
        let server = self.server;
        path.deliver_down(now, |datagram| client.handle_datagram(now, server, datagram));
        let socket = &self.socket;
        // What the socket does not take is lost, as on any network.
        path.deliver_up(now, |datagram| drop(socket.send_to(datagram, server)));
    }

    /// Sends what the client has to send, and notes when it wants to be woken.
    fn send(&mut self, now: Instant) -> Result<(), SwarmError> {
        let Some(client) = &mut self.client else { return Ok(()) };
        while let Some(to) = client.poll_transmit(now, &mut self.out) {
            match &mut self.path {
                Some(path) => path.push_up(now, &self.out),
                None => drop(self.socket.send_to(&self.out, to)),
            }
        }
        // A path without delay hands on at once.
        self.take_delayed(now);
        self.note_wake();
        Ok(())
    }

    fn note_wake(&mut self) {
        let is_asleep = self.is_asleep();
        let Some(client) = &mut self.client else { return };
        let fault = self.faulty.as_ref().and_then(|faulty| faulty.faults.next_at());
        if let Some(until) = fault.filter(|_| is_asleep) {
            self.wake = until;
            return;
        }
        let path = self.path.as_ref().and_then(Path::next_at);
        let rebind = self.rebind.map(|(_, at)| at);
        let others = [path, rebind, fault].into_iter().flatten();
        self.wake = others.fold(client.next_wake(), Instant::min);
    }

    /// Notes what happened.
    fn settle(&mut self, now: Instant) {
        let Some(client) = &mut self.client else { return };
        while let Some(event) = client.poll_event() {
            if let Event::Message(ServerMessage::KillFeed(told)) = &event {
                self.seen.told.extend(told.iter());
                let kill = |entry: &&FeedEntry| {
                    matches!(entry, FeedEntry::Downed { victim, killer: Some(killer), .. }
                        if killer != victim)
                };
                self.seen.kills += told.iter().filter(kill).count() as u64;
            }
            if let Event::Message(ServerMessage::RoundEnded { .. }) = &event {
                self.seen.rounds += 1;
            }
            if let Event::Welcomed { .. } = event {
                self.seen.connected = true;
                self.seen.playing_since.get_or_insert(now);
                self.mind.welcome(client.view());
                if self.seen.mode.is_none() {
                    let rules = SimConfig::parse(&client.view().rules).ok();
                    self.seen.mode = rules.map(|rules| rules.mode);
                }
                let slot = client.view().slot;
                self.seen.soldier_changed |=
                    self.seen.slot.replace(slot).is_some_and(|was| was != slot);
            }
        }
        self.seen.magazine.look(&client.view().own);
        let (newest, count) = (client.view().snapshot_tick, client.stats().session.snapshots);
        if self.seen.first_tick.is_none() && count > 0 {
            // Several may have come at once.
            self.seen.first_tick = Some(newest.saturating_sub(count as u32 - 1));
        }
        if let Some(faulty) = &mut self.faulty
            && !matches!(client.state(), State::Closed { .. })
        {
            let (without, session) = (client.without_control(now), client.stats().session);
            faulty.faults.judge(now, &faulty.outage, without, session.snapshots, session.starved);
        }
        if client.state() == State::Playing && self.seen.rtt_next.is_none_or(|next| next <= now) {
            self.seen.rtt_next = Some(now + RTT_EVERY);
            self.seen.rtt_ms.push(client.stats().rtt.as_secs_f32() * 1e3);
        }
        self.note_wake();
    }
}

/// A socket of its own, on an address that reaches the server.
fn open(server: SocketAddr) -> io::Result<UdpSocket> {
    let local = match server {
        SocketAddr::V4(at) if at.ip().is_loopback() => (Ipv4Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(at) if at.ip().is_loopback() => (Ipv6Addr::LOCALHOST, 0).into(),
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(local)
}
