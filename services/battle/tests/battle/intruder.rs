//! Clients that do not keep to the protocol: each is closed with the code that says why, and
//! nobody else notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sortie_battle::Ready;
use sortie_battle::server::Server;
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

use crate::on_both_lanes;
use crate::world::{config_for, ticket};

on_both_lanes! {
    a_stream_of_broken_datagrams_ends_the_connection,
    who_plays_nothing_is_idle,
    a_flood_of_datagrams_is_read_in_part_and_ends_nothing,
}

/// A bare connection, on a clock that the test moves.
struct Intruder {
    quic: Client,
    socket: Socket,
    connected: bool,
    messages: Vec<ServerMessage>,
    lane: Option<ClientLane>,
    /// Sealed packets received.
    sealed: u32,
    closed_by: Option<u64>,
}

/// Server and intruder with a time of their own.
struct Scene {
    server: Server,
    intruder: Intruder,
    now: Instant,
    _dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::over(LanePolicy::Quic)
    }

    /// With a server that offers this lane.
    fn over(lane: LanePolicy) -> Self {
        let dir = tempdir().unwrap();
        let mut server = Server::open(config_for(dir.path(), lane)).unwrap();
        let now = Instant::now();
        server.start_clock(now);
        let ready = server.ready().clone();
        let quic = ClientConfig::new(ready.listen, ready.fingerprint.parse().unwrap());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let intruder = Intruder {
            quic: Client::new(quic, now).unwrap(),
            socket: Socket::bind(any, SocketOptions::client()).unwrap(),
            connected: false,
            messages: Vec::new(),
            lane: None,
            sealed: 0,
            closed_by: None,
        };
        let mut scene = Self { server, intruder, now, _dir: dir };
        scene.until("a connection", |intruder| intruder.connected);
        scene
    }

    fn ready(&self) -> Ready {
        self.server.ready().clone()
    }

    /// One tick of both.
    fn step(&mut self) {
        self.now += Duration::from_nanos(16_666_667);
        let Self { server, intruder, now, .. } = self;
        intruder.send(*now);
        server.tick(*now);
        // The loopback delivers at once, or nothing was sent.
        let soon = Instant::now() + Duration::from_millis(1);
        intruder.socket.wait_readable_until(soon).unwrap();
        intruder.receive(*now);
    }

    fn until(&mut self, what: &str, done: impl Fn(&Intruder) -> bool) {
        for _ in 0..60 * 20 {
            if done(&self.intruder) {
                return;
            }
            self.step();
        }
        panic!("waited too long for: {what}");
    }

    /// The code of the close, which `Leaving` said before.
    fn closed(&mut self) -> Option<CloseCode> {
        let code = self.closed_without_a_word();
        let told = self.intruder.messages.iter().filter_map(|message| match message {
            ServerMessage::Leaving { code, .. } => CloseCode::from_number(u64::from(*code)),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(code), "it is told why, and once");
        code
    }

    fn closed_without_a_word(&mut self) -> Option<CloseCode> {
        self.until("the close", |intruder| intruder.closed_by.is_some());
        self.intruder.closed_by.and_then(CloseCode::from_number)
    }

    fn say(&mut self, message: &ClientMessage) {
        self.intruder.quic.send_message(&message.encode().unwrap()).unwrap();
    }

    fn hello(&mut self, version: u16, credential: Credential) {
        self.say(&ClientMessage::Hello(Hello { version, lanes: all_suites(), credential }));
    }

    fn join(&mut self) {
        let ticket = ticket(&self.ready(), 1, 1);
        self.hello(PROTOCOL_VERSION, Credential::Ticket(Blob::new(ticket).unwrap()));
        self.until("the welcome", |intruder| !intruder.messages.is_empty());
        assert!(matches!(self.intruder.messages[0], ServerMessage::Welcome(_)));
    }

    /// Joins, over the sealed lane if there is one.
    fn join_over(lane: LanePolicy) -> Self {
        let mut scene = Self::over(lane);
        scene.join();
        if lane != LanePolicy::Quic {
            scene.until("the lane", |intruder| intruder.lane.is_some());
        }
        scene
    }

    /// Sends a datagram over the lane that there is.
    fn send_datagram(&mut self, datagram: &[u8]) {
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

    fn send_packet(&mut self, packet: &[u8]) {
        let mut batch = SendBatch::new();
        let to = self.server.ready().listen;
        batch.push(&self.intruder.socket, to, packet);
        batch.flush(&self.intruder.socket);
    }

    /// An honest input for the tick after the next.
    fn input(&self) -> Vec<u8> {
        let tick = self.server.battle().tick().0 + 2;
        let mut out = [0; INPUT_BYTES_MAX];
        let command = InputCommand { tick, view_tick: tick - 1, ..InputCommand::default() };
        InputDatagram::new(0, 0, &[command]).unwrap().encode(&mut out).to_vec()
    }
}

impl Intruder {
    fn send(&mut self, now: Instant) {
        self.quic.handle_timeouts(now);
        let mut batch = SendBatch::new();
        while let Some(transmit) = self.quic.poll_transmit(now, batch.slot(&self.socket)) {
            batch.commit(transmit.to);
        }
        batch.flush(&self.socket);
    }

    fn receive(&mut self, now: Instant) {
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

#[test]
fn who_says_nothing_is_sent_away() {
    let mut scene = Scene::new();
    // There is no stream to say why on.
    assert_eq!(scene.closed_without_a_word(), Some(CloseCode::HelloExpected));
}

#[test]
fn the_first_message_is_a_hello() {
    let mut scene = Scene::new();
    scene.say(&ClientMessage::Spot);
    assert_eq!(scene.closed(), Some(CloseCode::HelloExpected));
}

#[test]
fn another_version_is_told_so() {
    let mut scene = Scene::new();
    let ticket = ticket(&scene.ready(), 1, 1);
    scene.hello(PROTOCOL_VERSION + 1, Credential::Ticket(Blob::new(ticket).unwrap()));
    assert_eq!(scene.closed(), Some(CloseCode::ProtocolVersion));
}

#[test]
fn a_hello_of_another_shape_is_told_of_the_version() {
    let mut scene = Scene::new();
    // A hello of version 1: it has no lanes.
    scene.intruder.quic.send_message(&[0, 1, 1, 0]).unwrap();
    assert_eq!(scene.closed(), Some(CloseCode::ProtocolVersion));
}

#[test]
fn forged_tickets_and_tokens_open_nothing() {
    let mut scene = Scene::new();
    let mut forged = ticket(&scene.ready(), 1, 1);
    forged[20] ^= 1;
    scene.hello(PROTOCOL_VERSION, Credential::Ticket(Blob::new(forged).unwrap()));
    assert_eq!(scene.closed(), Some(CloseCode::TicketInvalid));
    let mut scene = Scene::new();
    scene.hello(PROTOCOL_VERSION, Credential::Resume(Blob::new([7; 67]).unwrap()));
    assert_eq!(scene.closed(), Some(CloseCode::ResumeUnknown));
    assert_eq!(scene.server.battle().view().soldiers.len(), 0);
}

#[test]
fn a_broken_message_ends_the_connection() {
    let mut scene = Scene::new();
    scene.intruder.quic.send_message(&[200, 1, 2, 3]).unwrap();
    assert_eq!(scene.closed(), Some(CloseCode::Malformed));
}

fn a_stream_of_broken_datagrams_ends_the_connection(lane: LanePolicy) {
    let mut scene = Scene::join_over(lane);
    for _ in 0..200 {
        if scene.intruder.closed_by.is_some() {
            break;
        }
        scene.send_datagram(&[0x40, 0xff, 0xff]);
        scene.step();
    }
    assert_eq!(scene.closed(), Some(CloseCode::Malformed));
}

#[test]
fn who_leaves_is_told_so_before_the_close() {
    let mut scene = Scene::new();
    scene.join();
    scene.say(&ClientMessage::Leave);
    assert_eq!(scene.closed(), Some(CloseCode::Left));
    assert_eq!(scene.server.connected(), 0);
}

#[test]
fn nothing_that_is_said_after_the_farewell_counts() {
    let mut scene = Scene::new();
    scene.join();
    (0..100).for_each(|_| scene.say(&ClientMessage::Spot));
    let told = |intruder: &Intruder| {
        let leaving = |message: &ServerMessage| matches!(message, ServerMessage::Leaving { .. });
        intruder.messages.iter().any(leaving)
    };
    scene.until("the farewell", told);
    assert_eq!((scene.intruder.closed_by, scene.server.connected()), (None, 0));
    scene.say(&ClientMessage::Leave);
    scene.say(&ClientMessage::Ping { nonce: 5 });
    assert_eq!(scene.closed(), Some(CloseCode::Flood));
    let pong = |message: &ServerMessage| matches!(message, ServerMessage::Pong { .. });
    assert!(!scene.intruder.messages.iter().any(pong));
    // The player is away, and may come back.
    let view = scene.server.battle().view();
    assert_ne!(view.soldiers[0].status, sortie_sim::view::Status::Left);
}

#[test]
fn a_flood_of_messages_ends_the_connection() {
    let mut scene = Scene::new();
    scene.join();
    (0..100).for_each(|_| scene.say(&ClientMessage::Spot));
    assert_eq!(scene.closed(), Some(CloseCode::Flood));
}

fn who_plays_nothing_is_idle(lane: LanePolicy) {
    let mut scene = Scene::join_over(lane);
    if lane != LanePolicy::Quic {
        // Asking for a sign of life is not playing.
        scene.send_datagram(&[]);
        scene.until("the sign", |intruder| intruder.sealed > 0);
    }
    assert_eq!(scene.closed(), Some(CloseCode::Idle));
    // The soldier waits for its player all the same.
    assert_eq!(scene.server.battle().view().soldiers.len(), 1);
}

fn a_flood_of_datagrams_is_read_in_part_and_ends_nothing(lane: LanePolicy) {
    let mut scene = Scene::join_over(lane);
    for _ in 0..30 {
        let input = scene.input();
        (0..60).for_each(|_| scene.send_datagram(&input));
        scene.step();
    }
    assert_eq!((scene.intruder.closed_by, scene.server.connected()), (None, 1));
}

#[test]
fn a_quiet_quic_connection_beside_a_busy_lane_lives() {
    let mut scene = Scene::join_over(LanePolicy::Auto);
    // Twice the idle timeouts of QUIC and of players.
    for _ in 0..60 * 30 {
        let input = scene.input();
        scene.send_datagram(&input);
        scene.step();
    }
    assert_eq!((scene.intruder.closed_by, scene.server.connected()), (None, 1));
    assert!(scene.intruder.sealed > 60 * 25, "{}", scene.intruder.sealed);
}

#[test]
fn the_lane_ends_with_its_connection() {
    let mut scene = Scene::join_over(LanePolicy::Auto);
    let input = scene.input();
    scene.send_datagram(&input);
    scene.until("a snapshot", |intruder| intruder.sealed > 0);
    scene.intruder.quic.close(u32::from(CloseCode::Normal.number()), "over");
    (0..5).for_each(|_| scene.step());
    let before = scene.intruder.sealed;
    for _ in 0..60 {
        let input = scene.input();
        scene.send_datagram(&input);
        scene.step();
    }
    assert_eq!((scene.intruder.sealed, scene.server.connected()), (before, 0));
}

#[test]
fn nothing_below_0x40_from_a_stranger_is_answered() {
    for lane in [LanePolicy::Quic, LanePolicy::Auto] {
        let mut scene = Scene::join_over(lane);
        scene.intruder.socket = {
            // From here on the intruder is a stranger, at another address.
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            Socket::bind(any, SocketOptions::client()).unwrap()
        };
        scene.intruder.quic.close(0, "");
        for first in 0..0x40_u8 {
            for length in [1, 9, 25, 60, 1_200, 1_400] {
                let mut packet = vec![first; length];
                packet[1..].fill(length as u8);
                scene.send_packet(&packet);
            }
        }
        scene.server.tick(scene.now);
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(!scene.intruder.socket.wait_readable_until(soon).unwrap());
    }
}

#[test]
fn a_ping_is_answered() {
    let mut scene = Scene::new();
    scene.join();
    scene.say(&ClientMessage::Ping { nonce: 99 });
    scene.until("the pong", |intruder| {
        let pong =
            |message: &ServerMessage| matches!(message, ServerMessage::Pong { nonce: 99, .. });
        intruder.messages.iter().any(pong)
    });
}
