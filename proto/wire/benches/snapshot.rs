//! Time and bits per entity of the snapshot codec: 64 walking soldiers, baseline 4 ticks old.
//!
//! `cargo bench -p sortie-wire` measures; under `cargo test` a short run checks that what is
//! measured is right.

#[path = "../tests/wire/crowd.rs"]
mod crowd;
#[path = "../tests/wire/rng.rs"]
mod rng;

use std::{hint::black_box, time::Instant};

use crowd::Crowd;
use sortie_wire::{
    limits::DATAGRAM_BYTES_MAX,
    snapshot::{DeltaCode, Snapshot, SnapshotEncoder, SnapshotHeader, Tuning},
    state::{EntityState, SelfState},
};

const SOLDIERS: usize = 64;
const IDS: usize = 500;
const AGE_TICKS: usize = 4;
const TICK: u32 = 100;

type Entities = Vec<(u32, EntityState)>;

fn main() {
    let full_run = std::env::args().any(|arg| arg == "--bench");
    let (rounds, repeats) = if full_run { (200, 15) } else { (1, 1) };
    let pairs = frame_pairs(100);
    let datagrams: Vec<_> = pairs.iter().map(|(from, to)| encode(from, to)).collect();
    check(&pairs, &datagrams);
    let entities = (pairs.len() * SOLDIERS * rounds) as f64;
    let encode_ns = median(repeats, || {
        for _ in 0..rounds {
            for (from, to) in &pairs {
                let mut out = [0; DATAGRAM_BYTES_MAX];
                black_box(encode_into(black_box(from), TICK, black_box(to), &mut out));
            }
        }
    }) / entities;
    let mut decoded = Snapshot::default();
    let decode_ns = median(repeats, || {
        for _ in 0..rounds {
            for ((from, _), datagram) in pairs.iter().zip(&datagrams) {
                Snapshot::decode(black_box(datagram), |_| Some(from), &mut decoded).unwrap();
                black_box(&decoded);
            }
        }
    }) / entities;
    let bytes: usize = datagrams.iter().map(Vec::len).sum();
    let bits = (bytes * 8) as f64 / (pairs.len() * SOLDIERS) as f64;
    println!("64 walking soldiers of {IDS}, baseline {AGE_TICKS} ticks old, {repeats} repeats");
    println!("encode {encode_ns:.1} ns, decode {decode_ns:.1} ns per entity (median)");
    println!("{bits:.1} bits per entity with the datagram's share of header and own soldier");
}

/// What a client held, its motions included, and what is to be told `AGE_TICKS` later.
fn frame_pairs(count: usize) -> Vec<(Snapshot, Entities)> {
    let mut crowd = Crowd::new(7, SOLDIERS, IDS, 0.1);
    let mut frame = || {
        crowd.step();
        crowd.states()
    };
    let frames: Vec<_> = (0..count + 2 * AGE_TICKS).map(|_| frame()).collect();
    let held = |at: usize| {
        let before = Snapshot::of(TICK - 2 * AGE_TICKS as u32, frames[at].clone());
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let tick = TICK - AGE_TICKS as u32;
        let len = encode_into(&before, tick, &frames[at + AGE_TICKS], &mut out);
        let mut held = Snapshot::default();
        Snapshot::decode(&out[..len], |_| Some(&before), &mut held).expect("just encoded");
        held
    };
    (0..count).map(|at| (held(at), frames[at + 2 * AGE_TICKS].clone())).collect()
}

fn encode_into(from: &Snapshot, tick: u32, to: &Entities, out: &mut [u8]) -> usize {
    let tuning = Tuning { skip_bits: 0, moving: 1, resting: 4, turn: 3 };
    let header = SnapshotHeader {
        tick,
        baseline: Some(from.header.tick),
        gap_bits: 0,
        input_tick: tick,
        input_margin: 2,
        tuning,
    };
    let own = SelfState { pos: [1.0; 3], vel: [1.0, 0.0, 1.0], ammo: 30, ..SelfState::default() };
    let encoder = SnapshotEncoder::new(out, &header, &own, &[], &[]);
    let mut encoder = encoder.expect("the header fits");
    for (at, (_, after)) in to.iter().enumerate() {
        let (expected, is_moving) = from.expected(at, tick);
        let scale = tuning.scale(is_moving);
        let written = match DeltaCode::new(&expected, after, scale) {
            Some(code) => encoder.coded(0, code),
            None => encoder.delta(0, &expected, after, scale),
        };
        written.expect("64 soldiers fit");
    }
    encoder.finish()
}

fn encode(from: &Snapshot, to: &Entities) -> Vec<u8> {
    let mut out = vec![0; DATAGRAM_BYTES_MAX];
    let len = encode_into(from, TICK, to, &mut out);
    out.truncate(len);
    out
}

fn check(pairs: &[(Snapshot, Entities)], datagrams: &[Vec<u8>]) {
    let mut decoded = Snapshot::default();
    for ((from, to), datagram) in pairs.iter().zip(datagrams) {
        Snapshot::decode(datagram, |_| Some(from), &mut decoded).expect("it was just encoded");
        assert_eq!(decoded.entities, *to);
    }
}

/// Median CPU time of one `work`, nanoseconds.
fn median(repeats: usize, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut times: Vec<_> = (0..repeats)
        .map(|_| {
            let before = cpu_ns().unwrap_or_else(|| start.elapsed().as_nanos());
            work();
            cpu_ns().unwrap_or_else(|| start.elapsed().as_nanos()) - before
        })
        .collect();
    times.sort_unstable();
    times[repeats / 2] as f64
}

/// CPU time of this thread so far, where the system tells: a busy machine distorts it least.
fn cpu_ns() -> Option<u128> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
