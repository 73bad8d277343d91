//! One player's client: connection, battle and return, driven by calls.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use sortie_quic::{ClientEvent, CloseReason, Driven, SetupError, Transmit};
use sortie_session::predict::Predict;
use sortie_wire::{
    close::CloseCode,
    limits::PROTOCOL_VERSION,
    message::{Blob, ClientMessage, Credential, Hello, ServerMessage, Welcome},
};

use crate::{
    config::{GameClientConfig, LocalInput},
    control::Control,
    corrections::Corrections,
    event::{Event, State},
    lane::LaneUse,
    link::{Link, Stage},
    playing::Playing,
    prediction::Prediction,
    stats::{ClientStats, sum},
    view::ClientView,
};

/// Pace of a client that is in no battle: it has nothing to play.
const IDLE_TICK: Duration = Duration::from_millis(20);

/// A client is called several times in this time. One that is not was late itself, and what it
/// has not read yet is not the server's silence.
const CALLED_WITHIN: Duration = Duration::from_millis(150);

/// A clock that waits for the server is no reason to fall silent: after this time without a tick
/// the newest input is sent again, which tells of the snapshots that arrived and that the lane
/// works.
const REPEAT_AFTER: Duration = Duration::from_millis(100);

/// One player's client.
///
/// Drive it like this: hand in every datagram; when [`next_wake`](Self::next_wake) is due, call
/// [`tick`](Self::tick) if [`next_tick_at`](Self::next_tick_at) is due, and
/// [`handle_timeouts`](Self::handle_timeouts); then poll transmits and events until there are none.
pub struct GameClient<P> {
    config: GameClientConfig,
    predictor: P,
    link: Link,
    lane: LaneUse,
    resume: Option<Resume>,
    playing: Option<Playing>,
    prediction: Prediction,
    control: Control,
    view: ClientView,
    events: VecDeque<Event>,
    closed: Option<(Option<u16>, String)>,
    stats: ClientStats,
    idle_tick_at: Instant,
    /// When the newest input is to be sent again, if no tick comes first.
    repeat_at: Instant,
    called_at: Instant,
    /// Why the last attempt failed.
    trouble: Option<String>,
}

/// What the last welcome gave for coming back.
struct Resume {
    token: Blob<{ sortie_wire::resume::RESUME_TOKEN_BYTES }>,
    incarnation: u64,
    grace: Duration,
}

impl<P: Predict> GameClient<P> {
    /// Begins to connect.
    ///
    /// # Errors
    /// When QUIC cannot be set up with this configuration.
    pub fn new(config: GameClientConfig, predictor: P, now: Instant) -> Result<Self, SetupError> {
        Ok(Self {
            link: Link::new(&config, now)?,
            lane: LaneUse::new(config.lane, now),
            config,
            predictor,
            resume: None,
            playing: None,
            prediction: Prediction::default(),
            control: Control::default(),
            view: ClientView::default(),
            events: VecDeque::new(),
            closed: None,
            stats: ClientStats::default(),
            idle_tick_at: now,
            repeat_at: now,
            called_at: now,
            trouble: None,
        })
    }

    /// Takes one UDP datagram in.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.note_call(now);
        self.stats.bytes_in += datagram.len() as u64;
        if sortie_quic::is_sealed(datagram) {
            if let Some(payload) = self.lane.receive(now, datagram) {
                self.link.heard_at = now;
                if !payload.is_empty() {
                    self.handle_snapshot(now, payload, true);
                }
            }
            return;
        }
        self.link.quic.handle_datagram(now, from, BytesMut::from(&*datagram));
        self.link.note_datagram(now);
        self.settle(now);
    }

    /// Runs what is due: QUIC's timers, the next attempt, giving up.
    pub fn handle_timeouts(&mut self, now: Instant) {
        self.note_call(now);
        self.link.quic.handle_timeouts(now);
        self.settle(now);
        self.repeat(now);
        self.link.ask(now);
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            match self.link.stage {
                Stage::Pausing(_) => self.retry(now),
                // Silent on one lane, it may be well on the other.
                _ if self.lane.give_way(now) => self.link.heard_at = now,
                _ => match self.lane.quic_lives(now) {
                    Some(heard_at) => self.link.heard_at = heard_at,
                    None => self.lose(now, "the server does not answer"),
                },
            }
        }
    }

    /// When something is to be done without a datagram coming in.
    pub fn next_wake(&mut self) -> Instant {
        let repeat_at = self.playing.as_ref().map(|_| self.repeat_at);
        let ask_at = self.link.next_ask_at();
        let due = [self.link.quic.next_timeout(), self.deadline(), repeat_at, ask_at];
        due.into_iter().flatten().fold(self.next_tick_at(), Instant::min)
    }

    /// When the next tick is to be played.
    pub fn next_tick_at(&self) -> Instant {
        self.playing
            .as_ref()
            .map_or(self.idle_tick_at, |playing| playing.session.clock().next_tick_at())
    }

    /// Plays the tick that is due with what the player wants. In no battle, nothing happens.
    pub fn tick(&mut self, now: Instant, wish: &LocalInput) {
        self.note_call(now);
        let Some(playing) = &mut self.playing else {
            self.idle_tick_at = now + IDLE_TICK;
            return;
        };
        let Self { predictor, prediction, view, .. } = self;
        let datagram = playing.tick(now, wish, predictor, prediction, view);
        self.repeat_at = now + REPEAT_AFTER;
        if self.lane.give_way(now) {
            self.link.heard_at = now;
        }
        if self.lane.is_lost(now) {
            return self.lose(now, "the server does not answer on the sealed lane");
        }
        send_inputs(&mut self.lane, &mut self.link, now, datagram);
    }

    /// Sends the newest input again when the clock has waited for long.
    fn repeat(&mut self, now: Instant) {
        if now < self.repeat_at {
            return;
        }
        self.repeat_at = now + REPEAT_AFTER;
        let Some(playing) = &mut self.playing else { return };
        let datagram = playing.repeat();
        if !datagram.is_empty() {
            send_inputs(&mut self.lane, &mut self.link, now, datagram);
        }
    }

    /// Writes the next UDP datagram into `out`, whose content is replaced; gives where it goes.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let to = match self.lane.poll_transmit(now, out) {
            true => self.config.quic.server,
            false => self.link.quic.poll_transmit(now, out)?.to,
        };
        self.stats.bytes_out += out.len() as u64;
        Some(to)
    }

    /// What happened since the last call.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Says something on the reliable stream; dropped while there is none.
    pub fn send_message(&mut self, message: &ClientMessage) {
        if let (Some(_), Ok(bytes)) = (&self.playing, message.encode()) {
            // A backlog means a dead connection, which the silence will tell.
            let _ = self.link.quic.send_message(&bytes);
        }
    }

    /// Leaves the battle for good. Keep polling transmits until [`is_done`](Self::is_done).
    pub fn leave(&mut self, _now: Instant) {
        self.send_message(&ClientMessage::Leave);
        self.link.quic.close(u32::from(CloseCode::Left.number()), CloseCode::Left.text());
        self.end(Some(CloseCode::Left.number()), CloseCode::Left.text().to_owned());
    }

    /// The socket has another address now: tells the server from there at once.
    pub fn local_address_changed(&mut self) {
        self.link.quic.local_address_changed();
    }

    /// Drops the connection without a word and connects anew, as after a loss.
    pub fn reconnect(&mut self, now: Instant) {
        if self.closed.is_none() {
            self.lose(now, "reconnecting");
        }
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        if let Some((code, reason)) = &self.closed {
            return State::Closed { code: *code, reason: reason.clone() };
        }
        match self.link.stage {
            Stage::Up => State::Playing,
            _ if self.resume.is_some() => State::Resuming,
            Stage::Joining(_) => State::Joining,
            _ => State::Connecting,
        }
    }

    /// Why the last attempt to get in or to come back failed; `None` before the first failure.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether everything is over and sent.
    pub fn is_done(&self) -> bool {
        self.closed.is_some() && self.link.quic.is_drained()
    }

    /// The battle as this player may know it.
    pub fn view(&self) -> &ClientView {
        &self.view
    }

    /// What was counted.
    pub fn stats(&self) -> ClientStats {
        let mut stats = self.stats;
        stats.rtt = self.rtt();
        stats.lane = self.lane.stats();
        stats.attempts = self.link.attempts;
        if let Some(playing) = &self.playing {
            stats.session = sum(stats.session, playing.session.counters());
            stats.clock_jumps += playing.session.clock().jumps();
        }
        stats
    }

    /// The time since the last sign that the server consumed an input of this client; zero before
    /// the first welcome.
    pub fn without_control(&self, now: Instant) -> Duration {
        self.control.present(now)
    }

    /// The longest time from one sign that the server consumed an input of this client to the
    /// next, since the first welcome; the present one counts until `now`.
    pub fn without_control_max(&self, now: Instant) -> Duration {
        self.control.longest(now)
    }

    /// How far prediction was off.
    pub fn corrections(&self) -> &Corrections {
        &self.prediction.corrections
    }

    /// Round-trip time of the lane in use.
    fn rtt(&self) -> Duration {
        self.lane.rtt().unwrap_or_else(|| self.link.quic.rtt())
    }

    /// Leaves the time that the client slept out of what counts as silence.
    fn note_call(&mut self, now: Instant) {
        let slept = now.saturating_duration_since(self.called_at);
        self.called_at = self.called_at.max(now);
        if slept > CALLED_WITHIN {
            self.link.heard_at += slept;
            self.lane.note_sleep(slept);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.link.deadline(&self.config, self.resume.is_some())
    }

    /// Works off what QUIC has to say.
    fn settle(&mut self, now: Instant) {
        while let Some(event) = self.link.quic.poll_event() {
            match event {
                ClientEvent::Connected => self.say_hello(now),
                ClientEvent::Message(message) => self.handle_message(now, &message),
                ClientEvent::Datagram(datagram) => self.handle_snapshot(now, &datagram, false),
                ClientEvent::Closed(reason) => {
                    self.handle_closed(now, &reason);
                    return;
                }
            }
        }
    }

    fn say_hello(&mut self, now: Instant) {
        let ticket = || Blob::new(self.config.ticket.clone()).map(Credential::Ticket);
        let credential = match &self.resume {
            Some(resume) => Some(Credential::Resume(resume.token.clone())),
            None => ticket(),
        };
        let Some(credential) = credential else {
            self.end(None, "the ticket is too long".to_owned());
            return;
        };
        let lanes = self.lane.offer();
        let hello = ClientMessage::Hello(Hello { version: PROTOCOL_VERSION, lanes, credential });
        if let Ok(bytes) = hello.encode() {
            let _ = self.link.quic.send_message(&bytes);
        }
        self.link.join(now);
    }

    fn handle_message(&mut self, now: Instant, bytes: &[u8]) {
        self.link.heard_at = now;
        let message = match ServerMessage::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                let code = CloseCode::Malformed;
                self.link.quic.close(u32::from(code.number()), code.text());
                self.end(None, format!("the server sent a malformed message: {error}"));
                return;
            }
        };
        match message {
            ServerMessage::Welcome(welcome) => self.handle_welcome(now, *welcome),
            ServerMessage::SealedLane { session, suite } if self.playing.is_some() => {
                self.lane.open(now, &self.link.quic, session, suite);
            }
            message => {
                self.view.apply(&message);
                self.events.push_back(Event::Message(message));
            }
        }
    }

    fn handle_welcome(&mut self, now: Instant, welcome: Welcome) {
        if self.playing.is_some() {
            return;
        }
        let prepared =
            self.predictor.prepare(welcome.map.as_str(), welcome.rules.as_str(), welcome.tick_hz);
        if let Err(error) = prepared {
            let code = CloseCode::Left;
            self.link.quic.close(u32::from(code.number()), code.text());
            self.end(None, error.to_string());
            return;
        }
        let resumed_after = self.link.up(now);
        let restarted =
            self.resume.as_ref().is_some_and(|last| last.incarnation != welcome.incarnation);
        if self.resume.is_some() {
            self.stats.resumes += 1;
            self.stats.resume_max = self.stats.resume_max.max(resumed_after);
        }
        self.playing = Some(Playing::new(now, &welcome, self.link.quic.rtt()));
        self.prediction.restart();
        self.control.welcome(now);
        self.view.others.clear();
        self.view.slot = welcome.slot;
        self.view.team = welcome.team;
        self.view.tick_hz = welcome.tick_hz;
        self.view.load = welcome.load;
        self.view.map = welcome.map.into_string();
        self.view.rules = welcome.rules.into_string();
        self.resume = Some(Resume {
            token: welcome.resume_token,
            incarnation: welcome.incarnation,
            grace: Duration::from_secs(welcome.grace_s.into()),
        });
        self.events.push_back(Event::Welcomed { resumed: welcome.resumed, restarted });
    }

    fn handle_snapshot(&mut self, now: Instant, datagram: &[u8], sealed: bool) {
        self.link.heard_at = now;
        let rtt = self.rtt();
        let Some(playing) = &mut self.playing else { return };
        self.lane.note_snapshot(now, sealed);
        playing.session.note_rtt(rtt);
        let Self { predictor, prediction, view, events, .. } = self;
        playing.handle_snapshot(now, datagram, predictor, prediction, view, events);
        if let Some(newest) = playing.session.newest() {
            self.control.note(now, newest.snapshot.header.input_tick);
        }
    }

    fn handle_closed(&mut self, now: Instant, reason: &CloseReason) {
        // What the given-up connection of a pause still says changes nothing.
        if self.closed.is_some() || matches!(self.link.stage, Stage::Pausing(_)) {
            return;
        }
        if let CloseReason::Remote { code, .. } = reason
            && let Some(code) = CloseCode::from_number(*code)
            && code.is_final()
        {
            self.end(Some(code.number()), code.text().to_owned());
            return;
        }
        if is_of_certificate(reason) {
            // Another attempt would see the same one.
            let server = self.config.quic.server;
            let why = format!("the certificate at {server} is not the one of the fingerprint");
            return self.end(None, why);
        }
        self.lose(now, &reason.to_string());
    }

    /// The connection is of no use any more: comes back if there is still time.
    fn lose(&mut self, now: Instant, why: &str) {
        if let Some(playing) = self.playing.take() {
            self.stats.session = sum(self.stats.session, playing.session.counters());
            self.stats.clock_jumps += playing.session.clock().jumps();
            self.events.push_back(Event::Lost);
        }
        self.trouble = Some(why.to_owned());
        self.idle_tick_at = now + IDLE_TICK;
        self.lane.close();
        let grace = self.resume.as_ref().map_or(self.config.join_max, |resume| resume.grace);
        if !self.link.lose(&self.config, now, grace) {
            self.end(None, why.to_owned());
        }
    }

    fn retry(&mut self, now: Instant) {
        if let Err(error) = self.link.retry(&self.config, now) {
            self.end(None, error.to_string());
        }
    }

    fn end(&mut self, code: Option<u16>, reason: String) {
        if self.closed.is_some() {
            return;
        }
        if let Some(playing) = self.playing.take() {
            self.stats.session = sum(self.stats.session, playing.session.counters());
        }
        self.lane.close();
        self.link.stage = Stage::Over;
        self.closed = Some((code, reason));
        self.events.push_back(Event::Closed);
    }
}

/// Sends a datagram of inputs over the lane that is in use.
fn send_inputs(lane: &mut LaneUse, link: &mut Link, now: Instant, datagram: &[u8]) {
    if let Some(datagram) = lane.tick(now, &mut link.quic, datagram) {
        // A datagram that does not leave is a lost datagram; the next ones repeat it.
        let _ = link.quic.send_datagram(Bytes::copy_from_slice(datagram));
    }
}

/// Whether this side did not believe the server's certificate.
fn is_of_certificate(reason: &CloseReason) -> bool {
    /// TLS alerts as QUIC carries them (RFC 9001, 4.8): bad_certificate (42) to access_denied (49).
    const CERTIFICATE_ALERTS: std::ops::RangeInclusive<u64> = 0x12a..=0x131;
    matches!(reason, CloseReason::Transport { code, by_peer: false, .. }
        if CERTIFICATE_ALERTS.contains(code))
}

impl<P: Predict> Driven for GameClient<P> {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.handle_datagram(now, from, datagram);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.poll_transmit(now, out).map(|to| Transmit { to })
    }
}
