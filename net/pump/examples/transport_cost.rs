//! What a pair (one datagram of 389 B out, one of 40 B in) costs the server, next to bare UDP.
//!
//! `cargo run --release -p sortie-pump --example transport_cost -- [CLIENTS] [SECONDS] [REPEATS]`
//!
//! Two threads: the server's on one socket, the clients' on a socket for each client, both at
//! 60 Hz. Only the server thread's CPU time counts, as the kernel bills it: sending on loopback
//! includes the receiver's part of the kernel's work, in every variant alike. Variants alternate;
//! the table shows the median of the repeats and their range.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sortie_pump::Pump;
use sortie_quic::{
    Client, ClientConfig, ClientEvent, Identity, Secrets, Server, ServerConfig, ServerEvent,
};
use sortie_udp::{BATCH, RecvBatch, SendBatch, Socket, SocketOptions};

const SNAPSHOT_BYTES: usize = 389;
const INPUT_BYTES: usize = 40;
const TICK: Duration = Duration::from_nanos(1_000_000_000 / 60);
const WARM_UP: Duration = Duration::from_secs(4);
/// What AES-GCM and a packet number add to a sealed packet.
const SEAL_BYTES: usize = 16 + 8;

/// Shared by the two threads of a run.
#[derive(Default)]
struct Shared {
    connected: AtomicU64,
    measuring: AtomicBool,
    stop: AtomicBool,
    snapshots_received: AtomicU64,
}

/// What the server thread measured.
#[derive(Clone, Copy)]
struct Measured {
    cpu: Duration,
    sent: u64,
    inputs: u64,
    syscalls: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Bare,
    Sealed,
    Quic,
}

fn main() {
    let argument = |k: usize, default: u64| {
        std::env::args().nth(k).map_or(default, |text| text.parse().expect("a number"))
    };
    let (clients, seconds, repeats) = (argument(1, 200), argument(2, 5), argument(3, 3));
    let variants = [
        ("bare UDP", Variant::Bare),
        ("bare UDP + AES-128-GCM", Variant::Sealed),
        ("QUIC", Variant::Quic),
    ];
    let mut costs = [const { Vec::new() }; 3];
    println!("{clients} clients, 60 Hz, {seconds} s, {repeats} repeats");
    for _ in 0..repeats {
        for (k, (name, variant)) in variants.into_iter().enumerate() {
            let shared = Shared::default();
            let (measured, received) = run(variant, clients as usize, seconds, &shared);
            let cost = measured.cpu.as_secs_f64() * 1e6 / measured.sent as f64;
            let ratio = measured.inputs as f64 / measured.sent as f64;
            // On a busy machine the clients starve, and what was measured is no pair.
            let is_pair = (0.95..=1.05).contains(&ratio);
            if is_pair {
                costs[k].push(cost);
            }
            println!(
                "{name}: {cost:.2} us a pair, {:.3} calls a pair, {:.2} inputs a snapshot, \
                 {:.2} % delivered{}",
                measured.syscalls as f64 / measured.sent as f64,
                ratio,
                100.0 * received as f64 / measured.sent as f64,
                if is_pair { "" } else { ": clients starved, not counted" },
            );
        }
    }
    println!("| variant | us a pair, median (range) | against bare |\n|---|---|---|");
    assert!(costs.iter().all(|costs| !costs.is_empty()), "the machine is too busy to measure");
    let median = |costs: &mut Vec<f64>| {
        costs.sort_by(f64::total_cmp);
        costs[costs.len() / 2]
    };
    let bare = median(&mut costs[0]);
    for ((name, _), costs) in variants.iter().zip(&mut costs) {
        let middle = median(costs);
        let (low, high) = (costs[0], costs[costs.len() - 1]);
        println!("| {name} | {middle:.1} ({low:.1}-{high:.1}) | {:.2} |", middle / bare);
    }
}

fn run(variant: Variant, clients: usize, seconds: u64, shared: &Shared) -> (Measured, u64) {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = Socket::bind(local, SocketOptions::default()).expect("a server socket");
    let address = socket.local_addr();
    let identity = sortie_identity::ephemeral().expect("a certificate");
    let fingerprint = identity.fingerprint();
    let sockets: Vec<Socket> = (0..clients)
        .map(|_| Socket::bind(local, SocketOptions::client()).expect("a client socket"))
        .collect();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| match variant {
            Variant::Quic => quic_server(&socket, identity, clients, shared),
            _ => bare_server(&socket, clients, variant == Variant::Sealed, shared),
        });
        let players = scope.spawn(|| match variant {
            Variant::Quic => quic_clients(&sockets, address, fingerprint, shared),
            _ => bare_clients(&sockets, address, variant == Variant::Sealed, shared),
        });
        while shared.connected.load(Ordering::Relaxed) < clients as u64 {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(WARM_UP);
        shared.measuring.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(seconds));
        shared.stop.store(true, Ordering::Relaxed);
        let measured = server.join().expect("the server thread");
        players.join().expect("the clients' thread");
        (measured, shared.snapshots_received.load(Ordering::Relaxed))
    })
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let nanos = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.expect("schedstat starts with nanoseconds"))
}

/// Calls `tick` at 60 Hz until told to stop; the measurement starts with the first tick after the
/// word to measure.
fn at_60_hz(shared: &Shared, mut tick: impl FnMut(Instant, bool)) -> Duration {
    let mut started = None;
    let mut next = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        let measuring = shared.measuring.load(Ordering::Relaxed);
        if measuring && started.is_none() {
            started = Some(thread_cpu());
        }
        tick(Instant::now(), measuring);
        next += TICK;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    thread_cpu() - started.unwrap_or_default()
}

fn quic_server(socket: &Socket, identity: Identity, clients: usize, shared: &Shared) -> Measured {
    let config = ServerConfig::new(identity, Secrets::ephemeral());
    let mut server = Server::new(config, Instant::now()).expect("a server");
    let mut pump = Pump::new();
    let mut peers = Vec::new();
    let (mut sent, mut inputs, mut calls_before) = (0, 0, 0);
    let calls = |pump: &Pump| pump.counters().0.syscalls + pump.counters().1.syscalls;
    let cpu = at_60_hz(shared, |now, measuring| {
        if !measuring {
            calls_before = calls(&pump);
        }
        pump.receive(socket, &mut server, now, 64).expect("receiving");
        server.handle_timeouts(now);
        while let Some(event) = server.poll_event() {
            match event {
                ServerEvent::Connected { peer, .. } => peers.push(peer),
                ServerEvent::Datagram { .. } => inputs += u64::from(measuring),
                ServerEvent::Closed { reason, .. } => panic!("lost a client: {reason}"),
                ServerEvent::Message { .. } => {}
            }
        }
        shared.connected.store(peers.len() as u64, Ordering::Relaxed);
        if peers.len() == clients {
            for &peer in &peers {
                server.send_datagram_from(peer, &[7; SNAPSHOT_BYTES]).expect("a live peer");
            }
            sent += if measuring { clients as u64 } else { 0 };
        }
        pump.transmit(socket, &mut server, now);
    });
    Measured { cpu, sent, inputs, syscalls: calls(&pump) - calls_before }
}

fn quic_clients(
    sockets: &[Socket],
    server: SocketAddr,
    fingerprint: sortie_quic::Fingerprint,
    shared: &Shared,
) {
    let mut pump = Pump::new();
    let config = ClientConfig::new(server, fingerprint);
    let connect = |_| Client::new(config.clone(), Instant::now()).expect("a client");
    let mut clients: Vec<Client> = sockets.iter().map(connect).collect();
    at_60_hz(shared, |now, measuring| {
        for (client, socket) in clients.iter_mut().zip(sockets) {
            pump.receive(socket, client, now, 1).expect("receiving");
            client.handle_timeouts(now);
            while let Some(event) = client.poll_event() {
                if measuring && matches!(event, ClientEvent::Datagram(_)) {
                    shared.snapshots_received.fetch_add(1, Ordering::Relaxed);
                }
            }
            if client.is_connected() {
                let input = bytes::Bytes::from_static(&[5; INPUT_BYTES]);
                client.send_datagram(input).expect("a live connection");
            }
            pump.transmit(socket, client, now);
        }
    });
}

fn aead() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[9; 16]).expect("a key of 16 bytes"))
}

/// The packet number in front as nonce and associated data, then sealed bytes and tag.
fn seal(key: &LessSafeKey, number: u64, plain: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(plain);
    let (head, body) = out.split_at_mut(8);
    let tag = key.seal_in_place_separate_tag(nonce(number), Aad::from(&*head), body);
    out.extend_from_slice(tag.expect("short packets can be sealed").as_ref());
}

fn open(key: &LessSafeKey, packet: &[u8], scratch: &mut Vec<u8>) -> bool {
    let Some((head, body)) = packet.split_first_chunk::<8>() else { return false };
    scratch.clear();
    scratch.extend_from_slice(body);
    let number = u64::from_be_bytes(*head);
    key.open_in_place(nonce(number), Aad::from(&head[..]), scratch).is_ok()
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn bare_server(socket: &Socket, clients: usize, sealed: bool, shared: &Shared) -> Measured {
    let (mut rx, mut tx) = (RecvBatch::new(), SendBatch::new());
    let (key, mut scratch, mut number) = (aead(), Vec::new(), 0);
    let mut peers: Vec<SocketAddr> = Vec::new();
    let (mut sent, mut inputs, mut calls_before) = (0, 0, 0);
    let cpu = at_60_hz(shared, |_, measuring| {
        if !measuring {
            calls_before = rx.counters().syscalls + tx.counters().syscalls;
        }
        loop {
            let count = rx.receive(socket).expect("receiving");
            for (from, packet) in rx.iter() {
                if peers.len() < clients && !peers.contains(&from) {
                    peers.push(from);
                }
                let valid = !sealed || open(&key, packet, &mut scratch);
                inputs += u64::from(measuring && valid);
            }
            if count < BATCH {
                break;
            }
        }
        shared.connected.store(peers.len() as u64, Ordering::Relaxed);
        if peers.len() < clients {
            return;
        }
        for &peer in &peers {
            // The same bytes on the wire as QUIC's: its header and tag come to about as many.
            let out = tx.slot(socket);
            if sealed {
                number += 1;
                seal(&key, number, &[7; SNAPSHOT_BYTES], out);
            } else {
                out.resize(SNAPSHOT_BYTES + SEAL_BYTES, 7);
            }
            tx.commit(peer);
        }
        tx.flush(socket);
        sent += if measuring { clients as u64 } else { 0 };
    });
    let syscalls = rx.counters().syscalls + tx.counters().syscalls - calls_before;
    Measured { cpu, sent, inputs, syscalls }
}

fn bare_clients(sockets: &[Socket], server: SocketAddr, sealed: bool, shared: &Shared) {
    let (mut rx, mut tx) = (RecvBatch::new(), SendBatch::new());
    let (key, mut number) = (aead(), 0);
    at_60_hz(shared, |_, measuring| {
        for socket in sockets {
            let count = rx.receive(socket).expect("receiving") as u64;
            shared.snapshots_received.fetch_add(count * u64::from(measuring), Ordering::Relaxed);
            let out = tx.slot(socket);
            if sealed {
                number += 1;
                seal(&key, number, &[5; INPUT_BYTES], out);
            } else {
                out.resize(INPUT_BYTES + SEAL_BYTES, 5);
            }
            tx.commit(server);
            tx.flush(socket);
        }
    });
}
