//! What the QUIC datagram lane costs beside the [floor](super::floor): the same datagrams, on the
//! same loopback, through connections of the server's own QUIC layer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sortie_quic::{
    Client, ClientConfig, ClientEvent, Fingerprint, Identity, PeerId, Pump, Secrets, Server,
    ServerConfig, ServerEvent,
};
use sortie_udp::{Socket, SocketOptions};

use super::cpu::{median, thread_time};
use super::floor::{INPUT_BYTES, SNAPSHOT_BYTES, wait_until};

/// Bytes that QUIC adds to a datagram: header, connection id, packet number, frame, tag.
const OVERHEAD_BYTES: usize = 30;

/// Ticks before the clock runs.
const WARM_UP_TICKS: usize = 60;

/// Longest that all handshakes may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// What the lane costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuicLane {
    /// CPU microseconds of the server thread per (input in + snapshot out).
    pub us_per_client_tick: f64,
    /// Snapshots delivered over snapshots offered, 0 to 1.
    pub delivered: f64,
}

/// Measures the lane for `clients` over `ticks`, one each `pace`.
pub fn measure(clients: usize, ticks: usize, pace: Duration) -> io::Result<QuicLane> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = Socket::bind(loopback, SocketOptions::default())?;
    let at = socket.local_addr();
    let identity = Identity::ephemeral().map_err(io::Error::other)?;
    let fingerprint = identity.fingerprint();
    let config = ServerConfig::new(identity, Secrets::ephemeral());
    let server = Server::new(config, Instant::now()).map_err(io::Error::other)?;
    thread::scope(|scope| {
        let (go, told) = channel();
        let (done, arrived) = channel();
        let players = scope.spawn(move || play(clients, at, fingerprint, &told, &done));
        let lane = Lane { server, socket, pump: Pump::new(), peers: Vec::new() };
        let measured = lane.run(clients, ticks, pace, &go, &arrived);
        drop(go);
        players.join().map_err(|_| io::Error::other("the players' thread panicked"))??;
        measured
    })
}

struct Lane {
    server: Server,
    socket: Socket,
    pump: Pump,
    peers: Vec<PeerId>,
}

impl Lane {
    fn run(
        mut self,
        clients: usize,
        ticks: usize,
        pace: Duration,
        go: &Sender<()>,
        arrived: &Receiver<u64>,
    ) -> io::Result<QuicLane> {
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        while self.peers.len() < clients {
            if Instant::now() > deadline {
                let connected = self.peers.len();
                return Err(io::Error::other(format!("{connected} of {clients} connected")));
            }
            self.exchange(go, arrived)?;
            self.tick(None)?;
        }
        let snapshot = [3; SNAPSHOT_BYTES - OVERHEAD_BYTES];
        let (mut samples, mut delivered) = (Vec::with_capacity(ticks), 0);
        let started = Instant::now();
        for tick in 0..WARM_UP_TICKS + ticks {
            wait_until(started + pace * tick as u32);
            let taken = self.exchange(go, arrived)?;
            let before = thread_time();
            self.tick(Some(&snapshot))?;
            if tick >= WARM_UP_TICKS {
                delivered += taken;
                let spent = thread_time() - before;
                samples.push(spent.as_secs_f64() * 1e6 / clients.max(1) as f64);
            }
        }
        let offered = (clients * ticks).max(1) as f64;
        Ok(QuicLane {
            us_per_client_tick: median(&mut samples),
            delivered: delivered as f64 / offered,
        })
    }

    /// Lets the players take in what came and send their inputs; returns the snapshots they got.
    fn exchange(&self, go: &Sender<()>, arrived: &Receiver<u64>) -> io::Result<u64> {
        go.send(()).map_err(|_| io::Error::other("the players are gone"))?;
        arrived.recv().map_err(|_| io::Error::other("the players are gone"))
    }

    fn tick(&mut self, snapshot: Option<&[u8]>) -> io::Result<()> {
        let now = Instant::now();
        self.pump.receive(&self.socket, &mut self.server, now, 64)?;
        self.server.handle_timeouts(now);
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::Connected { peer, .. } = event {
                self.peers.push(peer);
            }
        }
        for &peer in self.peers.iter().filter(|_| snapshot.is_some()) {
            // A lane that is full drops older snapshots; `delivered` shows it.
            let _ = self.server.send_datagram_from(peer, snapshot.unwrap_or_default());
        }
        self.pump.transmit(&self.socket, &mut self.server, now);
        Ok(())
    }
}

/// Drives every player's client once when told, and tells how many snapshots came.
fn play(
    clients: usize,
    server: SocketAddr,
    fingerprint: Fingerprint,
    told: &Receiver<()>,
    done: &Sender<u64>,
) -> io::Result<()> {
    let mut players = Vec::with_capacity(clients);
    for _ in 0..clients {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let config = ClientConfig::new(server, fingerprint);
        let client = Client::new(config, Instant::now()).map_err(io::Error::other)?;
        players.push((socket, client));
    }
    let input = Bytes::from_static(&[7; INPUT_BYTES - OVERHEAD_BYTES]);
    let (mut buffer, mut out) = ([0; 2_048], Vec::new());
    while told.recv().is_ok() {
        let mut snapshots = 0;
        for (socket, client) in &mut players {
            let now = Instant::now();
            while let Ok(length) = socket.recv(&mut buffer) {
                client.handle_datagram(now, server, BytesMut::from(&buffer[..length]));
            }
            client.handle_timeouts(now);
            while let Some(event) = client.poll_event() {
                snapshots += u64::from(matches!(event, ClientEvent::Datagram(_)));
            }
            if client.is_connected() {
                let _ = client.send_datagram(input.clone());
            }
            while let Some(transmit) = client.poll_transmit(now, &mut out) {
                socket.send_to(&out, transmit.to)?;
            }
        }
        if done.send(snapshots).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lane_delivers_what_it_is_given() {
        let lane = measure(4, 30, Duration::from_millis(2)).unwrap();
        assert!(lane.delivered > 0.95, "{lane:?}");
    }
}
