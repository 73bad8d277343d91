//! The fuzz targets' functions under plain `cargo test`: the seed corpus, every truncation of it,
//! and a bounded number of seeded mutations. `WIRE_SEED=n` replays a run.

use std::{fs, path::Path};

use crate::{entries, rng::Rng};

const MUTATIONS_PER_SEED: usize = 20_000;

#[test]
fn inputs() {
    smoke("input", entries::input);
}

#[test]
fn snapshots() {
    smoke("snapshot", entries::snapshot);
}

#[test]
fn messages() {
    smoke("message", entries::message);
}

#[test]
fn tickets() {
    smoke("ticket", entries::ticket);
}

fn smoke(target: &str, entry: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{folder:?}: {error}"))
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty());
    let seed = std::env::var("WIRE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("WIRE_SEED={seed}");
    let mut rng = Rng::new(seed);
    let mut accepted = 0;
    let mut tried = 0;
    for seed in &seeds {
        for len in 0..=seed.len() {
            entry(&seed[..len]);
        }
        // Signatures make ticket trials far slower than others.
        let mutations =
            if target == "ticket" { MUTATIONS_PER_SEED / 10 } else { MUTATIONS_PER_SEED };
        for _ in 0..mutations {
            let bytes = mutate(seed, &seeds, &mut rng);
            accepted += usize::from(entry(&bytes));
            tried += 1;
        }
    }
    println!("{target}: {tried} mutations of {} seeds, {accepted} accepted", seeds.len());
    assert!(accepted > 0, "mutations that only ever fail at the first check test nothing");
}

fn mutate(seed: &[u8], seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len().max(1));
        match rng.below(7) {
            0..=2 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            3 if at < bytes.len() => bytes[at] = [0, 0xFF, 0x7F, 0x80, 251][rng.below(5)],
            4 => bytes.insert(at, rng.next() as u8),
            5 => bytes.truncate(at),
            6 => {
                let other = &seeds[rng.below(seeds.len())];
                bytes.extend_from_slice(&other[rng.below(other.len())..]);
            }
            _ => bytes.push(0),
        }
    }
    bytes
}
