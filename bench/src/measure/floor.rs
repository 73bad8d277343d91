//! The floor under every transport: a program that only moves datagrams.
//!
//! Each tick it takes in what its clients sent and sends a datagram to each, batched, over
//! loopback, optionally with AES-128-GCM on every datagram, under a key for each client and
//! direction as any server must have them. The clients are as many sockets on another core. What
//! a transport or a whole server costs is told as a ratio to this, measured in the same minutes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sortie_udp::{BATCH, RecvBatch, SendBatch, Socket, SocketOptions};

use super::transport_run::{Cost, ServerSide, Taker, TransportRun, run};
use crate::light::pace::Guest;

/// Bytes that sealing takes of a datagram: a packet number, and the tag.
const SEALING_BYTES: usize = 8 + 16;

/// Bytes of a packet number.
const NUMBER_BYTES: usize = 8;

/// Measures the floor; `sealed` adds AES-128-GCM both ways, within the same sizes.
///
/// # Errors
/// Those of sockets.
pub fn measure(load: &TransportRun, sealed: bool) -> io::Result<Cost> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = Socket::bind(loopback, SocketOptions::default())?;
    let server = socket.local_addr();
    let mut guests = Vec::with_capacity(load.clients);
    crate::pin::raise_file_limit(load.clients)?;
    for number in 0..load.clients as u64 {
        let socket = UdpSocket::bind(loopback)?;
        socket.set_nonblocking(true)?;
        socket.connect(server)?;
        guests.push(Bare {
            socket,
            key: key(sealed, 2 * number)?,
            bytes: load.up_bytes,
            number: number << CLIENT_AT,
            taken: 0,
            out: Vec::with_capacity(load.up_bytes + SEALING_BYTES),
        });
    }
    let addresses = guests.iter().map(|guest| guest.socket.local_addr());
    let mut floor = Floor {
        addresses: addresses.collect::<io::Result<_>>()?,
        socket,
        rx: RecvBatch::new(),
        tx: SendBatch::new(),
        keys: keys(sealed, load.clients as u64)?,
        plain: Vec::with_capacity(2_048),
        bytes: load.down_bytes,
        number: 0,
        heard: 0,
    };
    run(load, &mut floor, &mut guests)
}

/// Where a packet number has its client's number: what comes in tells by it which key it needs.
const CLIENT_AT: u32 = 48;

fn key(sealed: bool, number: u64) -> io::Result<Option<LessSafeKey>> {
    let mut bytes = [9; 16];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    let key = UnboundKey::new(&AES_128_GCM, &bytes).map_err(|_| io::Error::other("no AES"))?;
    Ok(sealed.then(|| LessSafeKey::new(key)))
}

/// For each client what it seals with, and what is sealed for it.
fn keys(sealed: bool, clients: u64) -> io::Result<Vec<[Option<LessSafeKey>; 2]>> {
    (0..clients)
        .map(|number| Ok([key(sealed, 2 * number)?, key(sealed, 2 * number + 1)?]))
        .collect()
}

struct Floor {
    socket: Socket,
    addresses: Vec<SocketAddr>,
    rx: RecvBatch,
    tx: SendBatch,
    keys: Vec<[Option<LessSafeKey>; 2]>,
    plain: Vec<u8>,
    bytes: usize,
    number: u64,
    heard: u64,
}

impl ServerSide for Floor {
    fn tick(&mut self, _now: Instant) -> io::Result<()> {
        loop {
            let count = self.rx.receive(&self.socket)?;
            for (_, datagram) in self.rx.iter() {
                self.heard += 1;
                let first = datagram.first_chunk().copied().map(u16::from_be_bytes);
                let keys = first.and_then(|client| self.keys.get(usize::from(client)));
                if let Some([Some(key), _]) = keys {
                    self.plain.clear();
                    self.plain.extend_from_slice(datagram);
                    open(key, &mut self.plain)?;
                }
            }
            if count < BATCH {
                break;
            }
        }
        self.number += 1;
        for (&to, [_, key]) in self.addresses.iter().zip(&self.keys) {
            let slot = self.tx.slot(&self.socket);
            fill(key.as_ref(), self.number, self.bytes, slot)?;
            self.tx.commit(to);
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

/// A client that sends and takes datagrams, and knows no more.
struct Bare {
    socket: UdpSocket,
    key: Option<LessSafeKey>,
    bytes: usize,
    number: u64,
    taken: u64,
    out: Vec<u8>,
}

impl Guest for Bare {
    fn take(&mut self, _now: Instant, scratch: &mut [u8]) -> io::Result<usize> {
        let mut took = 0;
        while self.socket.recv(scratch).is_ok() {
            took += 1;
        }
        self.taken += took as u64;
        Ok(took)
    }

    fn say(&mut self, _now: Instant, _scratch: &mut [u8]) -> io::Result<()> {
        self.number += 1;
        self.out.clear();
        fill(self.key.as_ref(), self.number, self.bytes, &mut self.out)?;
        // What the socket does not take is missing from what the server hears.
        drop(self.socket.send(&self.out));
        Ok(())
    }
}

impl Taker for Bare {
    fn taken(&self) -> u64 {
        self.taken
    }
}

/// A datagram of `bytes`; sealed: its number, what is sealed, the tag.
fn fill(key: Option<&LessSafeKey>, number: u64, bytes: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let Some(key) = key else {
        out.resize(bytes, 3);
        return Ok(());
    };
    out.extend_from_slice(&number.to_be_bytes());
    out.resize(NUMBER_BYTES + bytes.saturating_sub(SEALING_BYTES), 3);
    let sealed = key.seal_in_place_separate_tag(
        nonce(number),
        Aad::from(number.to_be_bytes()),
        &mut out[NUMBER_BYTES..],
    );
    out.extend_from_slice(sealed.map_err(|_| io::Error::other("sealing failed"))?.as_ref());
    Ok(())
}

/// Opens a datagram in place.
fn open(key: &LessSafeKey, datagram: &mut [u8]) -> io::Result<()> {
    let refuse = || io::Error::other("a datagram does not open");
    let (head, sealed) = datagram.split_at_mut_checked(NUMBER_BYTES).ok_or_else(refuse)?;
    let number: [u8; NUMBER_BYTES] = (&*head).try_into().map_err(|_| refuse())?;
    let nonce = nonce(u64::from_be_bytes(number));
    key.open_in_place(nonce, Aad::from(number), sealed).map_err(|_| refuse())?;
    Ok(())
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - NUMBER_BYTES..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_moves_every_datagram() {
        let load = TransportRun {
            clients: 8,
            ticks: 30,
            warm_up: 5,
            tick_hz: 500,
            ..TransportRun::default()
        };
        for sealed in [false, true] {
            let cost = measure(&load, sealed).unwrap();
            assert_eq!(cost.delivered, 1.0, "{cost:?}");
            assert!(cost.us_per_client_tick > 0.0 && cost.heard > 0.5, "{cost:?}");
        }
    }
}
