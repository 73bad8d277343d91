//! A server and a bare connection to it over real sockets, on a clock that the test moves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sortie_battle::server::BattleServer;
use sortie_battle::{BattleServerConfig, Ready};
use sortie_client::LanePolicy;
use sortie_quic::{
    Client, ClientConfig, ClientEvent, CloseReason, all_suites, client_secrets, is_sealed,
};
use sortie_sealed::{ClientLane, LaneConfig, Suite};
use sortie_udp::{RecvBatch, SendBatch, Socket, SocketOptions};
use sortie_wire::close::CloseCode;
use sortie_wire::input::{InputCommand, InputDatagram};
use sortie_wire::limits::{INPUT_BYTES_MAX, PROTOCOL_VERSION};
use sortie_wire::message::{Blob, ClientMessage, Credential, Hello, ServerMessage};
use tempfile::tempdir;

use crate::world::{PATIENCE, config_for, ticket};

/// A bare connection, on a clock that the test moves.
pub(crate) struct Intruder {
    pub quic: Client,
    pub socket: Socket,
    pub connected: bool,
    pub messages: Vec<ServerMessage>,
    pub lane: Option<ClientLane>,
    /// Sealed packets received.
    pub sealed: u32,
    pub closed_by: Option<u64>,
}

/// Server and intruder with a time of their own.
pub(crate) struct Scene {
    pub server: BattleServer,
    pub intruder: Intruder,
    pub now: Instant,
    _dir: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::over(LanePolicy::Quic)
    }

    /// With a server that offers this lane.
    pub(crate) fn over(lane: LanePolicy) -> Self {
        Self::with(lane, |_| {})
    }

    /// With a server that offers this lane and is set up otherwise by `change`.
    pub(crate) fn with(lane: LanePolicy, change: impl Fn(&mut BattleServerConfig)) -> Self {
        let dir = tempdir().unwrap();
        let mut config = config_for(dir.path(), lane);
        change(&mut config);
        let mut server = BattleServer::open(config).unwrap();
        let now = Instant::now();
        server.start_clock(now);
        let ready = server.ready().clone();
        let intruder = Intruder::new(&ready, now);
        let mut scene = Self { server, intruder, now, _dir: dir };
        scene.until("a connection", |intruder| intruder.connected);
        scene
    }

    pub(crate) fn ready(&self) -> Ready {
        self.server.ready().clone()
    }

    /// One tick of both.
    pub(crate) fn step(&mut self) {
        self.now += Duration::from_secs(1) / u32::from(self.server.battle().config().tick_hz);
        let Self { server, intruder, now, .. } = self;
        intruder.send(*now);
        server.tick(*now);
        // The loopback delivers at once, or nothing was sent.
        let soon = Instant::now() + Duration::from_millis(1);
        intruder.socket.wait_readable_until(soon).unwrap();
        intruder.receive(*now);
    }

    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Intruder) -> bool) {
        // What the journal's own thread does takes real time, whatever this clock says.
        let deadline = Instant::now() + PATIENCE;
        for tick in 0_u32.. {
            if done(&self.intruder) {
                return;
            }
            let is_late = tick > 60 * 20 && Instant::now() > deadline;
            assert!(!is_late, "waited too long for: {what}");
            self.step();
        }
    }

    /// The code of the close, which `Leaving` said before.
    pub(crate) fn closed(&mut self) -> Option<CloseCode> {
        let code = self.closed_without_a_word();
        let told = self.intruder.messages.iter().filter_map(|message| match message {
            ServerMessage::Leaving { code, .. } => CloseCode::from_number(u64::from(*code)),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(code), "it is told why, and once");
        code
    }

    pub(crate) fn closed_without_a_word(&mut self) -> Option<CloseCode> {
        self.until("the close", |intruder| intruder.closed_by.is_some());
        self.intruder.closed_by.and_then(CloseCode::from_number)
    }

    pub(crate) fn say(&mut self, message: &ClientMessage) {
        self.intruder.say(message);
    }

    pub(crate) fn hello(&mut self, version: u16, credential: Credential) {
        self.intruder.hello(version, credential);
    }

    pub(crate) fn join(&mut self) {
        let ticket = ticket(&self.ready(), 1, 1);
        self.hello(PROTOCOL_VERSION, Credential::Ticket(Blob::new(ticket).unwrap()));
        self.until("the welcome", |intruder| !intruder.messages.is_empty());
        assert!(matches!(self.intruder.messages[0], ServerMessage::Welcome(_)));
    }

    /// Joins, over the sealed lane if there is one.
    pub(crate) fn join_over(lane: LanePolicy) -> Self {
        let mut scene = Self::over(lane);
        scene.join();
        if lane != LanePolicy::Quic {
            scene.until("the lane", |intruder| intruder.lane.is_some());
        }
        scene
    }

    /// Sends a datagram over the lane that there is.
    pub(crate) fn send_datagram(&mut self, datagram: &[u8]) {
        let Self { intruder, now, .. } = self;
        match &mut intruder.lane {
            Some(lane) => {
                let mut packet = Vec::new();
                lane.seal(*now, |out| out.extend_from_slice(datagram), &mut packet).unwrap();
                self.send_packet(&packet);
            }
            // Refused once the close is there.
            None => drop(intruder.quic.send_datagram(Bytes::copy_from_slice(datagram))),
        }
    }

    pub(crate) fn send_packet(&mut self, packet: &[u8]) {
        let mut batch = SendBatch::new();
        let to = self.server.ready().listen;
        batch.push(&self.intruder.socket, to, packet);
        batch.flush(&self.intruder.socket);
    }

    /// An honest input for the tick after the next.
    pub(crate) fn input(&self) -> Vec<u8> {
        let tick = self.server.battle().tick().0 + 2;
        let mut out = [0; INPUT_BYTES_MAX];
        let command = InputCommand { tick, view_tick: tick - 1, ..InputCommand::default() };
        InputDatagram::new(0, 0, &[command]).unwrap().encode(&mut out).to_vec()
    }
}

impl Intruder {
    /// Begins to connect.
    pub(crate) fn new(ready: &Ready, now: Instant) -> Self {
        let quic = ClientConfig::new(ready.listen, ready.fingerprint.parse().unwrap());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            quic: Client::new(quic, now).unwrap(),
            socket: Socket::bind(any, SocketOptions::client()).unwrap(),
            connected: false,
            messages: Vec::new(),
            lane: None,
            sealed: 0,
            closed_by: None,
        }
    }

    pub(crate) fn say(&mut self, message: &ClientMessage) {
        self.quic.send_message(&message.encode().unwrap()).unwrap();
    }

    pub(crate) fn hello(&mut self, version: u16, credential: Credential) {
        self.say(&ClientMessage::Hello(Hello { version, lanes: all_suites(), credential }));
    }

    pub(crate) fn send(&mut self, now: Instant) {
        self.quic.handle_timeouts(now);
        let mut batch = SendBatch::new();
        while let Some(transmit) = self.quic.poll_transmit(now, batch.slot(&self.socket)) {
            batch.commit(transmit.to);
        }
        batch.flush(&self.socket);
    }

    pub(crate) fn receive(&mut self, now: Instant) {
        let mut batch = RecvBatch::new();
        while batch.receive(&self.socket).unwrap() > 0 {
            for (from, datagram) in batch.iter_mut() {
                if is_sealed(datagram) {
                    let lane = self.lane.as_mut().expect("sealed packets come over a lane");
                    lane.open(now, datagram).unwrap();
                    self.sealed += 1;
                    continue;
                }
                self.quic.handle_datagram(now, from, BytesMut::from(&*datagram));
            }
        }
        while let Some(event) = self.quic.poll_event() {
            match event {
                ClientEvent::Connected => self.connected = true,
                ClientEvent::Message(message) => {
                    let message = ServerMessage::decode(&message).unwrap();
                    if let ServerMessage::SealedLane { session, suite } = message {
                        let suite = Suite::from_number(suite).unwrap();
                        let secrets = client_secrets(&self.quic, session, suite).unwrap();
                        let config = LaneConfig::default();
                        self.lane = Some(ClientLane::new(suite, &secrets, session, now, config));
                    }
                    self.messages.push(message);
                }
                ClientEvent::Closed(CloseReason::Remote { code, .. }) => {
                    self.closed_by = Some(code);
                }
                _ => {}
            }
        }
    }
}
