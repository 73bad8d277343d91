//! Clients that do not keep to the protocol: each is closed with the code that says why, and
//! nobody else notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sortie_battle::Ready;
use sortie_battle::server::Server;
use sortie_quic::{Client, ClientConfig, ClientEvent, CloseReason};
use sortie_udp::{RecvBatch, SendBatch, Socket, SocketOptions};
use sortie_wire::close::CloseCode;
use sortie_wire::limits::PROTOCOL_VERSION;
use sortie_wire::message::{Blob, ClientMessage, Credential, Hello, ServerMessage};
use tempfile::tempdir;

use crate::world::{config, ticket};

/// A bare connection, on a clock that the test moves.
struct Intruder {
    quic: Client,
    socket: Socket,
    connected: bool,
    messages: Vec<ServerMessage>,
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
        let dir = tempdir().unwrap();
        let mut server = Server::open(config(dir.path())).unwrap();
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

    fn closed(&mut self) -> Option<CloseCode> {
        self.until("the close", |intruder| intruder.closed_by.is_some());
        self.intruder.closed_by.and_then(CloseCode::from_number)
    }

    fn say(&mut self, message: &ClientMessage) {
        self.intruder.quic.send_message(&message.encode().unwrap()).unwrap();
    }

    fn hello(&mut self, version: u16, credential: Credential) {
        self.say(&ClientMessage::Hello(Hello { version, lanes: 0, credential }));
    }

    fn join(&mut self) {
        let ticket = ticket(&self.ready(), 1, 1);
        self.hello(PROTOCOL_VERSION, Credential::Ticket(Blob::new(ticket).unwrap()));
        self.until("the welcome", |intruder| !intruder.messages.is_empty());
        assert!(matches!(self.intruder.messages[0], ServerMessage::Welcome(_)));
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
            for (from, datagram) in batch.iter() {
                self.quic.handle_datagram(now, from, BytesMut::from(datagram));
            }
        }
        while let Some(event) = self.quic.poll_event() {
            match event {
                ClientEvent::Connected => self.connected = true,
                ClientEvent::Message(message) => {
                    self.messages.push(ServerMessage::decode(&message).unwrap());
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
    assert_eq!(scene.closed(), Some(CloseCode::HelloExpected));
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

#[test]
fn a_stream_of_broken_datagrams_ends_the_connection() {
    let mut scene = Scene::new();
    scene.join();
    for _ in 0..200 {
        if scene.intruder.closed_by.is_some() {
            break;
        }
        let garbage = Bytes::from_static(&[0x40, 0xff, 0xff]);
        // Refused once the close is there.
        let _ = scene.intruder.quic.send_datagram(garbage);
        scene.step();
    }
    assert_eq!(scene.closed(), Some(CloseCode::Malformed));
}

#[test]
fn a_flood_of_messages_ends_the_connection() {
    let mut scene = Scene::new();
    scene.join();
    (0..100).for_each(|_| scene.say(&ClientMessage::Spot));
    assert_eq!(scene.closed(), Some(CloseCode::Flood));
}

#[test]
fn who_plays_nothing_is_idle() {
    let mut scene = Scene::new();
    scene.join();
    assert_eq!(scene.closed(), Some(CloseCode::Idle));
    // The soldier waits for its player all the same.
    assert_eq!(scene.server.battle().view().soldiers.len(), 1);
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
