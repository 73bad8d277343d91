//! Sealed lanes on real sockets: beside QUIC on one port, on steered shards, in one batch.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use sortie_pump::{Pump, SealedLane};
use sortie_quic::{
    Client, ClientConfig, ClientEvent, Driven, Identity, PeerId, SealedLanes, Secrets, Server,
    ServerConfig, ServerEvent, Shard, Transmit, all_suites, best_suite, client_secrets, is_sealed,
};
use sortie_sealed::{ClientLane, LaneConfig, PAYLOAD_BYTES_MAX, Suite};
use sortie_session::peer::{Peer, SendError};
use sortie_udp::{Socket, SocketOptions};

const CLIENTS: usize = 24;
const SHARDS: u16 = 4;

/// One shard: what arrives over its lanes is sent back over them.
struct Place {
    socket: Socket,
    pump: Pump,
    port: Port,
}

struct Port {
    quic: Server,
    lanes: SealedLanes,
    arrived: Vec<(PeerId, Vec<u8>)>,
}

impl Driven for Port {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        if !is_sealed(datagram) {
            self.quic.handle_datagram(now, from, BytesMut::from(&*datagram));
        } else if let Some((peer, payload)) = self.lanes.handle(now, from, datagram) {
            self.arrived.push((peer, payload.to_vec()));
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.quic.poll_transmit(now, out)
    }
}

impl Place {
    fn serve(&mut self, now: Instant) {
        let Self { socket, pump, port } = self;
        pump.receive(socket, port, now, 16).unwrap();
        port.quic.handle_timeouts(now);
        while let Some(event) = port.quic.poll_event() {
            match event {
                ServerEvent::Message { peer, message } => {
                    let suite = best_suite(message[0]).unwrap();
                    let session = port.lanes.open(now, &port.quic, peer, suite).unwrap();
                    let told = [&session.to_le_bytes()[..], &[suite as u8]].concat();
                    port.quic.send_message(peer, &told).unwrap();
                }
                ServerEvent::Closed { reason, .. } => panic!("lost a client: {reason}"),
                ServerEvent::Connected { .. } | ServerEvent::Datagram { .. } => {}
            }
        }
        for (peer, payload) in std::mem::take(&mut port.arrived) {
            let Port { quic, lanes, .. } = port;
            let mut lane = SealedLane { lanes, server: quic, pump, socket, now, peer };
            lane.send_datagram(&payload).unwrap();
        }
        pump.transmit(socket, port, now);
    }
}

/// A client with its socket.
struct Player {
    socket: Socket,
    pump: Pump,
    line: Line,
}

struct Line {
    quic: Client,
    lane: Option<ClientLane>,
    server: SocketAddr,
    suites: u8,
    echoed: u32,
    asks: bool,
}

impl Driven for Line {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        match &mut self.lane {
            Some(lane) if is_sealed(datagram) => {
                assert_eq!(lane.open(now, datagram).unwrap(), b"ping");
                self.echoed += 1;
                self.asks = true;
            }
            _ => self.quic.handle_datagram(now, from, BytesMut::from(&*datagram)),
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if let Some(lane) = self.lane.as_mut().filter(|_| self.asks) {
            self.asks = false;
            out.clear();
            lane.seal(now, |out| out.extend_from_slice(b"ping"), out).unwrap();
            return Some(Transmit { to: self.server });
        }
        self.quic.poll_transmit(now, out)
    }
}

impl Player {
    fn play(&mut self, now: Instant) {
        let Self { socket, pump, line } = self;
        pump.receive(socket, line, now, 4).unwrap();
        line.quic.handle_timeouts(now);
        while let Some(event) = line.quic.poll_event() {
            match event {
                ClientEvent::Connected => line.quic.send_message(&[line.suites]).unwrap(),
                ClientEvent::Message(told) => {
                    let session = u32::from_le_bytes(told[..4].try_into().unwrap());
                    let suite = Suite::from_number(told[4]).unwrap();
                    let secrets = client_secrets(&line.quic, session, suite).unwrap();
                    let config = LaneConfig::default();
                    line.lane = Some(ClientLane::new(suite, &secrets, session, now, config));
                    line.asks = true;
                }
                ClientEvent::Datagram(_) => {}
                ClientEvent::Closed(reason) => panic!("{reason}"),
            }
        }
        pump.transmit(socket, line, now);
    }
}

fn places() -> (Vec<Place>, Identity) {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let identity = sortie_identity::ephemeral().unwrap();
    let secrets = Secrets::ephemeral();
    let sockets = Socket::bind_shards(local, SHARDS.into(), SocketOptions::default()).unwrap();
    let place = |(index, socket)| {
        let mut config = ServerConfig::new(identity.clone(), secrets.clone());
        config.shard = Shard { index: index as u8, count: SHARDS };
        let lanes = SealedLanes::new(config.shard, config.connections_max).unwrap();
        let quic = Server::new(config, Instant::now()).unwrap();
        Place { socket, pump: Pump::new(), port: Port { quic, lanes, arrived: Vec::new() } }
    };
    (sockets.into_iter().enumerate().map(place).collect(), identity)
}

fn player(number: usize, server: SocketAddr, identity: &Identity) -> Player {
    let config = ClientConfig::new(server, identity.fingerprint());
    // Every second one has no AES.
    let suites = if number.is_multiple_of(2) { all_suites() } else { 2 };
    let quic = Client::new(config, Instant::now()).unwrap();
    let line = Line { quic, lane: None, server, suites, echoed: 0, asks: false };
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = Socket::bind(local, SocketOptions::client()).unwrap();
    Player { socket, pump: Pump::new(), line }
}

#[test]
fn sealed_packets_find_their_shard_from_any_address() {
    let (mut places, identity) = places();
    let server = places[0].socket.local_addr();
    let mut players: Vec<Player> =
        (0..CLIENTS).map(|number| player(number, server, &identity)).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    let (mut moved, mut wanted) = (false, 5);
    while !players.iter().all(|player| player.line.echoed >= wanted) {
        let now = Instant::now();
        assert!(now < deadline, "waited too long");
        places.iter_mut().for_each(|place| place.serve(now));
        players.iter_mut().for_each(|player| player.play(now));
        if !moved && players.iter().all(|player| player.line.echoed >= wanted) {
            (moved, wanted) = (true, wanted + 5);
            for player in &mut players {
                let local = SocketAddr::from(([127, 0, 0, 1], 0));
                player.socket = Socket::bind(local, SocketOptions::client()).unwrap();
                // What was under way to the old address is lost.
                (player.line.asks, player.line.echoed) = (true, 5);
            }
        }
        let soon = now + Duration::from_millis(1);
        players[0].socket.wait_readable_until(soon).unwrap();
    }
    let counters: Vec<_> = places.iter().map(|place| place.port.lanes.counters()).collect();
    let sum = |of: fn(&sortie_quic::SealedCounters) -> u64| counters.iter().map(of).sum::<u64>();
    assert_eq!((sum(|c| c.opened), sum(|c| c.moves)), (CLIENTS as u64, CLIENTS as u64));
    assert_eq!(sum(|c| c.refused), 0, "a packet came to another shard than its own");
    assert!(counters.iter().filter(|c| c.opened > 0).count() > 1, "{counters:?}");
}

#[test]
fn what_is_too_long_is_refused_and_a_lane_that_is_closed_sends_nothing() {
    let (mut places, identity) = places();
    let server = places[0].socket.local_addr();
    let mut player = player(0, server, &identity);
    let deadline = Instant::now() + Duration::from_secs(20);
    while player.line.echoed == 0 {
        let now = Instant::now();
        assert!(now < deadline, "waited too long");
        places.iter_mut().for_each(|place| place.serve(now));
        player.play(now);
    }
    let place = places.iter_mut().find(|place| place.port.lanes.counters().opened > 0).unwrap();
    let peer = place.port.quic.peers().next().unwrap();
    let Place { socket, pump, port: Port { quic, lanes, .. } } = place;
    let mut lane = SealedLane { lanes, server: quic, pump, socket, now: Instant::now(), peer };
    assert_eq!(lane.max_datagram(), PAYLOAD_BYTES_MAX);
    assert_eq!(lane.send_datagram(&[1; PAYLOAD_BYTES_MAX + 1]), Err(SendError::TooLarge));
    assert_eq!(lane.send_datagram(&[1; PAYLOAD_BYTES_MAX]), Ok(()));
    lane.lanes.close(peer);
    assert_eq!((lane.max_datagram(), lane.send_datagram(&[1])), (0, Err(SendError::Closed)));
    assert!(!lanes.has(peer) && lanes.open(Instant::now(), quic, peer, Suite::Aes128Gcm).is_some());
}
