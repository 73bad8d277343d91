//! What the QUIC datagram lane costs beside the [floor](super::floor): datagrams of the same size
//! on the same loopback, through connections of the server's own QUIC layer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sortie_pump::Pump;
use sortie_quic::{
    Client, ClientConfig, ClientEvent, Fingerprint, PeerId, Secrets, Server, ServerConfig,
    ServerEvent,
};
use sortie_udp::{Socket, SocketOptions};

use super::transport_run::{Cost, ServerSide, Taker, TransportRun, run};
use crate::light::pace::Guest;

/// Bytes that QUIC adds to a datagram to a client: header, packet number, frame, tag.
pub const OVERHEAD_BYTES: usize = 30;

/// New connections a second.
const ARRIVALS_PER_S: u32 = 250;

/// Batches of 64 that a tick takes in, most.
const BATCHES_MAX: usize = 128;

/// Measures the lane.
///
/// # Errors
/// Those of sockets and of QUIC, and clients that do not connect.
pub fn measure(load: &TransportRun) -> io::Result<Cost> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    crate::pin::raise_file_limit(load.clients)?;
    let socket = Socket::bind(loopback, SocketOptions::default())?;
    let server = socket.local_addr();
    let identity = sortie_identity::ephemeral().map_err(io::Error::other)?;
    let fingerprint = identity.fingerprint();
    let config = ServerConfig::new(identity, Secrets::ephemeral());
    let mut lane = Lane {
        server: Server::new(config, Instant::now()).map_err(io::Error::other)?,
        socket,
        pump: Pump::new(),
        peers: Vec::with_capacity(load.clients),
        clients: load.clients,
        snapshot: vec![3; load.down_bytes.saturating_sub(OVERHEAD_BYTES)],
        offered: 0,
        heard: 0,
    };
    let input = Bytes::from(vec![7; load.up_bytes.saturating_sub(OVERHEAD_BYTES).max(1)]);
    let started = Instant::now();
    let mut players = Vec::with_capacity(load.clients);
    for number in 0..load.clients {
        let socket = UdpSocket::bind(loopback)?;
        socket.set_nonblocking(true)?;
        socket.connect(server)?;
        let arrival = started + Duration::from_secs(1) * number as u32 / ARRIVALS_PER_S;
        let input = input.clone();
        players.push(Player {
            socket,
            server,
            fingerprint,
            arrival,
            client: None,
            input,
            taken: 0,
        });
    }
    run(load, &mut lane, &mut players)
}

struct Lane {
    server: Server,
    socket: Socket,
    pump: Pump,
    peers: Vec<PeerId>,
    clients: usize,
    snapshot: Vec<u8>,
    offered: u64,
    heard: u64,
}

impl ServerSide for Lane {
    fn tick(&mut self, now: Instant) -> io::Result<()> {
        self.pump.receive(&self.socket, &mut self.server, now, BATCHES_MAX)?;
        self.server.handle_timeouts(now);
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::Connected { peer, .. } => self.peers.push(peer),
                ServerEvent::Datagram { .. } => self.heard += 1,
                ServerEvent::Message { .. } | ServerEvent::Closed { .. } => {}
            }
        }
        if self.is_complete() {
            for &peer in &self.peers {
                self.offered += 1;
                // A lane that is full drops older snapshots; `delivered` shows it.
                let _ = self.server.send_datagram_from(peer, &self.snapshot);
            }
        }
        self.pump.transmit(&self.socket, &mut self.server, now);
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.peers.len() >= self.clients
    }

    fn totals(&self) -> [u64; 3] {
        let (rx, tx) = self.pump.counters();
        [self.offered, self.heard, rx.syscalls + tx.syscalls]
    }

    fn bytes(&self) -> u64 {
        let (rx, tx) = self.pump.counters();
        rx.bytes + tx.bytes
    }
}

struct Player {
    socket: UdpSocket,
    server: SocketAddr,
    fingerprint: Fingerprint,
    arrival: Instant,
    client: Option<Client>,
    input: Bytes,
    taken: u64,
}

impl Guest for Player {
    fn take(&mut self, now: Instant, scratch: &mut [u8]) -> io::Result<usize> {
        let Some(client) = &mut self.client else { return Ok(0) };
        let mut took = 0;
        while let Ok(length) = self.socket.recv(scratch) {
            client.handle_datagram(now, self.server, BytesMut::from(&scratch[..length]));
            took += 1;
        }
        while let Some(event) = client.poll_event() {
            self.taken += u64::from(matches!(event, ClientEvent::Datagram(_)));
        }
        if client.is_connected() { Ok(took) } else { self.send(now).map(|()| took) }
    }

    fn say(&mut self, now: Instant, _scratch: &mut [u8]) -> io::Result<()> {
        if self.client.is_none() && now >= self.arrival {
            let config = ClientConfig::new(self.server, self.fingerprint);
            self.client = Some(Client::new(config, now).map_err(io::Error::other)?);
        }
        if let Some(client) = &mut self.client {
            client.handle_timeouts(now);
            if client.is_connected() {
                let _ = client.send_datagram(self.input.clone());
            }
        }
        self.send(now)
    }
}

impl Player {
    fn send(&mut self, now: Instant) -> io::Result<()> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let mut out = Vec::new();
        while client.poll_transmit(now, &mut out).is_some() {
            // What the socket does not take is lost, as on any network.
            drop(self.socket.send(&out));
        }
        Ok(())
    }
}

impl Taker for Player {
    fn taken(&self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lane_delivers_what_it_is_given() {
        let load = TransportRun {
            clients: 4,
            ticks: 60,
            warm_up: 5,
            tick_hz: 250,
            ..TransportRun::default()
        };
        let cost = measure(&load).unwrap();
        assert!(cost.delivered > 0.95 && cost.heard > 0.5, "{cost:?}");
    }
}
