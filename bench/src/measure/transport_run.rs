//! A server's transport on one core, its clients on the other: what one client-tick costs.
//!
//! The same beat and the same clients' thread for every transport, so that the ratio of two of
//! them says what the one does more than the other. The server's thread is measured by its own CPU
//! time, system time included; loopback bills it the delivery into the clients' sockets.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::light::pace::{Guest, Pace};
use crate::pin::{CLIENT_CORE, SERVER_CORE, on_core, raise_file_limit};
use sortie_players::cpu::thread_time;

/// Longest that all clients together may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long clients go on looking at their sockets when the server has sent its last.
const LINGER: Duration = Duration::from_millis(100);

/// How much is moved.
#[derive(Clone, Copy, Debug)]
pub struct TransportRun {
    /// Clients, each with a socket of its own.
    pub clients: usize,
    /// Ticks that count.
    pub ticks: usize,
    /// Ticks before them.
    pub warm_up: usize,
    /// Ticks a second.
    pub tick_hz: u32,
    /// Bytes of a datagram to the server, as UDP carries it.
    pub up_bytes: usize,
    /// Bytes of a datagram to a client, as UDP carries it.
    pub down_bytes: usize,
    /// One thread takes server and clients in turn, and a tick later it is a tick later: counts
    /// are the same on every run, and times mean nothing.
    pub in_turn: bool,
}

impl Default for TransportRun {
    /// Five seconds of 500 clients with the sizes of S1 as it was published.
    fn default() -> Self {
        Self {
            clients: 500,
            ticks: 300,
            warm_up: 60,
            tick_hz: 60,
            up_bytes: 40,
            down_bytes: 389,
            in_turn: false,
        }
    }
}

/// What a transport costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU microseconds of the server's thread per (datagram in + datagram out).
    pub us_per_client_tick: f64,
    /// Datagrams that reached the clients over those sent to them, 0 to 1.
    pub delivered: f64,
    /// Datagrams that reached the server over those expected in the ticks that count.
    pub heard: f64,
    /// System calls of the server's thread per tick, waiting apart.
    pub syscalls_per_tick: f64,
    /// Bytes of datagrams per tick, both ways, as UDP carries them.
    pub bytes_per_tick: f64,
}

/// The server's half of a transport.
pub trait ServerSide: Send {
    /// Takes in what came and sends one datagram to every client, once all are there.
    fn tick(&mut self, now: Instant) -> io::Result<()>;

    /// Whether all clients are there.
    fn is_complete(&self) -> bool;

    /// Datagrams sent to clients, datagrams taken from clients, system calls; since the start.
    fn totals(&self) -> [u64; 3];

    /// Bytes of all datagrams to and from clients, as UDP carries them; since the start.
    fn bytes(&self) -> u64;
}

/// The clients' half: a guest that counts what it got.
pub trait Taker: Guest {
    /// Datagrams of the server that reached it.
    fn taken(&self) -> u64;
}

/// Runs a transport.
///
/// # Errors
/// Those of sockets, and clients that never connect.
pub fn run(
    load: &TransportRun,
    side: &mut impl ServerSide,
    guests: &mut [impl Taker],
) -> io::Result<Cost> {
    raise_file_limit(load.clients)?;
    if load.in_turn {
        return run_in_turn(load, side, guests);
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let cost = on_core(SERVER_CORE, || serve(load, side)).and_then(|cost| cost);
            over.store(true, Ordering::Release);
            cost
        });
        on_core(CLIENT_CORE, || {
            let mut pace = Pace::new(load.tick_hz);
            let mut linger_until = None;
            while linger_until.is_none_or(|until| Instant::now() < until) {
                pace.phase(guests)?;
                if linger_until.is_none() && over.load(Ordering::Acquire) {
                    linger_until = Some(Instant::now() + LINGER);
                }
            }
            Ok::<_, io::Error>(())
        })
        .and_then(|done| done)?;
        let (mut cost, sent) =
            server.join().map_err(|_| io::Error::other("the server's thread panicked"))??;
        let taken: u64 = guests.iter().map(Taker::taken).sum();
        cost.delivered = taken as f64 / (sent as f64).max(1.0);
        Ok(cost)
    })
}

/// [`run`], step by step.
fn run_in_turn(
    load: &TransportRun,
    side: &mut impl ServerSide,
    guests: &mut [impl Taker],
) -> io::Result<Cost> {
    let period = Duration::from_secs(1) / load.tick_hz.max(1);
    let mut scratch = vec![0; 2_048];
    let mut now = Instant::now();
    let mut step = |side: &mut _| -> io::Result<()> {
        now += period;
        guests.iter_mut().try_for_each(|guest| guest.say(now, &mut scratch))?;
        ServerSide::tick(side, now)?;
        guests.iter_mut().try_for_each(|guest| guest.take(now, &mut scratch).map(drop))
    };
    let mut left = CONNECT_TIMEOUT.as_millis() / period.as_millis().max(1);
    while !side.is_complete() {
        left = left.checked_sub(1).ok_or_else(|| io::Error::other("not all clients connected"))?;
        step(side)?;
    }
    for _ in 0..load.warm_up {
        step(side)?;
    }
    let (before, bytes) = (side.totals(), side.bytes());
    for _ in 0..load.ticks {
        step(side)?;
    }
    let [sent, heard, calls] = side.totals();
    let taken: u64 = guests.iter().map(Taker::taken).sum();
    let client_ticks = ((load.clients * load.ticks) as f64).max(1.0);
    Ok(Cost {
        us_per_client_tick: 0.0,
        delivered: taken as f64 / (sent as f64).max(1.0),
        heard: (heard - before[1]) as f64 / client_ticks,
        syscalls_per_tick: (calls - before[2]) as f64 / (load.ticks as f64).max(1.0),
        bytes_per_tick: (side.bytes() - bytes) as f64 / (load.ticks as f64).max(1.0),
    })
}

/// Ticks until all has been measured; gives the cost and what was sent since the start.
fn serve(load: &TransportRun, side: &mut impl ServerSide) -> io::Result<(Cost, u64)> {
    let period = Duration::from_secs(1) / load.tick_hz.max(1);
    let began = Instant::now();
    let mut due = began;
    let mut tick = |side: &mut _| -> io::Result<()> {
        due += period;
        wait_until(due);
        ServerSide::tick(side, Instant::now())
    };
    while !side.is_complete() {
        if began.elapsed() > CONNECT_TIMEOUT {
            return Err(io::Error::other("not all clients connected"));
        }
        tick(side)?;
    }
    for _ in 0..load.warm_up {
        tick(side)?;
    }
    let (before, bytes, start) = (side.totals(), side.bytes(), thread_time());
    for _ in 0..load.ticks {
        tick(side)?;
    }
    let spent = thread_time() - start;
    let [sent, heard, calls] = side.totals();
    let client_ticks = ((load.clients * load.ticks) as f64).max(1.0);
    let cost = Cost {
        us_per_client_tick: spent.as_secs_f64() * 1e6 / client_ticks,
        delivered: 0.0,
        heard: (heard - before[1]) as f64 / client_ticks,
        syscalls_per_tick: (calls - before[2]) as f64 / (load.ticks as f64).max(1.0),
        bytes_per_tick: (side.bytes() - bytes) as f64 / (load.ticks as f64).max(1.0),
    };
    Ok((cost, sent))
}

/// Waits for the next tick, as a server does.
fn wait_until(at: Instant) {
    let left = at.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        thread::sleep(left);
    }
}
