//! What the sealed UDP lane costs beside the [floor](super::floor): datagrams of the same size on
//! the same loopback, sealed and opened by the server's own lanes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use sortie_sealed::{
    ClientLane, EXPORTER_BYTES, LaneConfig, LaneSecrets, Lanes, LanesConfig, OVERHEAD_BYTES_MIN,
    Suite,
};
use sortie_udp::{BATCH, RecvBatch, SendBatch, Socket, SocketOptions};

use super::transport_run::{Cost, ServerSide, Taker, TransportRun, run};
use crate::light::pace::Guest;

/// Measures the lane with the suite that is the default.
///
/// # Errors
/// Those of sockets and lanes.
pub fn measure(load: &TransportRun) -> io::Result<Cost> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    crate::pin::raise_file_limit(load.clients)?;
    let socket = Socket::bind(loopback, SocketOptions::default())?;
    let config = LanesConfig {
        shard: 0,
        shard_count: 1,
        capacity: load.clients,
        lane: LaneConfig::default(),
        seed: [7; 32],
    };
    let mut side = Sealing {
        lanes: Lanes::new(&config).map_err(io::Error::other)?,
        clients: load.clients,
        rx: RecvBatch::new(),
        tx: SendBatch::new(),
        snapshot: vec![3; load.down_bytes.saturating_sub(OVERHEAD_BYTES_MIN)],
        heard: 0,
        socket,
    };
    let now = Instant::now();
    let mut players = Vec::with_capacity(load.clients);
    for key in 0..load.clients {
        let socket = UdpSocket::bind(loopback)?;
        socket.set_nonblocking(true)?;
        socket.connect(side.socket.local_addr())?;
        // In a battle the secrets come from the client's QUIC connection.
        let secrets = || LaneSecrets::from_exporter([key as u8; EXPORTER_BYTES]);
        let address = socket.local_addr()?;
        let session = side.lanes.insert(now, key, Suite::Aes128Gcm, address, |_| Some(secrets()));
        let session = session.map_err(io::Error::other)?;
        players.push(Player {
            socket,
            lane: ClientLane::new(
                Suite::Aes128Gcm,
                &secrets(),
                session,
                now,
                LaneConfig::default(),
            ),
            input: vec![7; load.up_bytes.saturating_sub(OVERHEAD_BYTES_MIN)],
            out: Vec::with_capacity(256),
            taken: 0,
        });
    }
    run(load, &mut side, &mut players)
}

struct Sealing {
    socket: Socket,
    lanes: Lanes,
    clients: usize,
    rx: RecvBatch,
    tx: SendBatch,
    snapshot: Vec<u8>,
    heard: u64,
}

impl ServerSide for Sealing {
    fn tick(&mut self, now: Instant) -> io::Result<()> {
        loop {
            let count = self.rx.receive(&self.socket)?;
            for (from, packet) in self.rx.iter_mut() {
                self.heard += u64::from(self.lanes.handle(now, from, packet).is_some());
            }
            if count < BATCH {
                break;
            }
        }
        for key in 0..self.clients {
            let slot = self.tx.slot(&self.socket);
            let sealed =
                self.lanes.seal(now, key, |out| out.extend_from_slice(&self.snapshot), slot);
            self.tx.commit(sealed.map_err(io::Error::other)?.to);
        }
        self.tx.flush(&self.socket);
        Ok(())
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn totals(&self) -> [u64; 3] {
        let (rx, tx) = (self.rx.counters(), self.tx.counters());
        [tx.packets, self.heard, rx.syscalls + tx.syscalls]
    }

    fn bytes(&self) -> u64 {
        self.rx.counters().bytes + self.tx.counters().bytes
    }
}

struct Player {
    socket: UdpSocket,
    lane: ClientLane,
    input: Vec<u8>,
    out: Vec<u8>,
    taken: u64,
}

impl Guest for Player {
    fn take(&mut self, now: Instant, scratch: &mut [u8]) -> io::Result<usize> {
        let mut took = 0;
        while let Ok(length) = self.socket.recv(scratch) {
            took += 1;
            // What does not open is not counted as taken, and shows as not delivered.
            self.taken += u64::from(self.lane.open(now, &mut scratch[..length]).is_ok());
        }
        Ok(took)
    }

    fn say(&mut self, now: Instant, _scratch: &mut [u8]) -> io::Result<()> {
        self.out.clear();
        let Self { lane, input, out, .. } = self;
        lane.seal(now, |out| out.extend_from_slice(input), out).map_err(io::Error::other)?;
        // What the socket does not take is missing from what the server hears.
        drop(self.socket.send(&self.out));
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
            clients: 8,
            ticks: 60,
            warm_up: 5,
            tick_hz: 500,
            ..TransportRun::default()
        };
        let cost = measure(&load).unwrap();
        assert!(cost.delivered == 1.0 && cost.heard > 0.5, "{cost:?}");
    }
}
