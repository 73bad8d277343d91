//! The floor under every transport: a program that only moves datagrams.
//!
//! Each tick it receives one input from each of N sockets and sends one snapshot to each, batched,
//! over loopback, optionally with AES-128-GCM on every datagram. What a transport costs is told as
//! a ratio to this, measured in the same run.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sortie_udp::{RecvBatch, SendBatch, Socket, SocketOptions};

use super::cpu::{median, thread_time};

/// Bytes of an input datagram.
pub const INPUT_BYTES: usize = 40;

/// Bytes of a snapshot datagram for 64 visible players.
pub const SNAPSHOT_BYTES: usize = 389;

/// Bytes that sealing adds.
const TAG_BYTES: usize = 16;

/// Ticks before the clock runs.
const WARM_UP_TICKS: usize = 20;

/// Longest wait for inputs that were sent and have not come.
const INPUTS_TIMEOUT: Duration = Duration::from_secs(2);

/// What the floor is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    /// CPU microseconds of the server thread per (input in + snapshot out).
    pub us_per_client_tick: f64,
    /// Datagrams that did not arrive; loopback should lose none.
    pub lost: u64,
}

/// Measures the floor for `clients` over `ticks`, one each `pace`; `sealed` adds AES-128-GCM both
/// ways.
pub fn measure(clients: usize, ticks: usize, pace: Duration, sealed: bool) -> io::Result<Floor> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Socket::bind(loopback, SocketOptions::default())?;
    let at = server.local_addr();
    let sockets: Vec<UdpSocket> = (0..clients)
        .map(|_| {
            let socket = UdpSocket::bind(loopback)?;
            socket.set_nonblocking(true)?;
            socket.connect(at)?;
            Ok(socket)
        })
        .collect::<io::Result<_>>()?;
    thread::scope(|scope| {
        let (go, told) = channel();
        let (done, arrived) = channel();
        let players = scope.spawn(move || play(&sockets, &told, &done));
        let floor = serve(&server, (clients, ticks, pace), sealed, &go, &arrived);
        drop(go);
        players.join().map_err(|_| io::Error::other("the players' thread panicked"))??;
        floor
    })
}

/// Sends everyone's input when told, and takes in what came.
fn play(sockets: &[UdpSocket], told: &Receiver<()>, done: &Sender<u64>) -> io::Result<()> {
    let mut buffer = [0; 2_048];
    while told.recv().is_ok() {
        let mut taken = 0;
        for socket in sockets {
            while socket.recv(&mut buffer).is_ok() {
                taken += 1;
            }
            socket.send(&[7; INPUT_BYTES])?;
        }
        if done.send(taken).is_err() {
            break;
        }
    }
    Ok(())
}

fn serve(
    socket: &Socket,
    (clients, ticks, pace): (usize, usize, Duration),
    sealed: bool,
    go: &Sender<()>,
    arrived: &Receiver<u64>,
) -> io::Result<Floor> {
    let key = UnboundKey::new(&AES_128_GCM, &[9; 16]).map_err(|_| io::Error::other("no AES"))?;
    let key = LessSafeKey::new(key);
    let (mut receive, mut send) = (RecvBatch::new(), SendBatch::new());
    let mut addresses = Vec::with_capacity(clients);
    let mut plain = Vec::with_capacity(2_048);
    let (mut lost, mut sequence) = (0, 0_u64);
    let mut samples = Vec::with_capacity(ticks);
    let started = Instant::now();
    for tick in 0..WARM_UP_TICKS + ticks {
        wait_until(started + pace * tick as u32);
        go.send(()).map_err(|_| io::Error::other("the players are gone"))?;
        let taken = arrived.recv().map_err(|_| io::Error::other("the players are gone"))?;
        if tick > 0 {
            lost += (clients as u64).saturating_sub(taken);
        }
        let before = thread_time();
        addresses.clear();
        let deadline = Instant::now() + INPUTS_TIMEOUT;
        while addresses.len() < clients && Instant::now() < deadline {
            receive.receive(socket)?;
            for (from, datagram) in receive.iter() {
                addresses.push(from);
                if sealed {
                    // Players send no tag; sealing the same bytes costs what opening does.
                    sequence += 1;
                    plain.clear();
                    plain.extend_from_slice(datagram);
                    seal(&key, sequence, &mut plain)?;
                }
            }
        }
        for &to in &addresses {
            let slot = send.slot(socket);
            slot.resize(SNAPSHOT_BYTES - if sealed { TAG_BYTES } else { 0 }, 3);
            if sealed {
                sequence += 1;
                seal(&key, sequence, slot)?;
            }
            send.commit(to);
        }
        send.flush(socket);
        if tick >= WARM_UP_TICKS {
            let spent = thread_time() - before;
            samples.push(spent.as_secs_f64() * 1e6 / addresses.len().max(1) as f64);
        }
    }
    Ok(Floor { us_per_client_tick: median(&mut samples), lost })
}

/// Waits for the next tick, as a server does.
pub(super) fn wait_until(at: Instant) {
    loop {
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}

fn seal(key: &LessSafeKey, sequence: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&sequence.to_be_bytes());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), bytes)
        .map_err(|_| io::Error::other("sealing failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_moves_every_datagram() {
        for sealed in [false, true] {
            let floor = measure(8, 10, Duration::ZERO, sealed).unwrap();
            assert_eq!(floor.lost, 0);
            assert!(floor.us_per_client_tick > 0.0);
        }
    }
}
