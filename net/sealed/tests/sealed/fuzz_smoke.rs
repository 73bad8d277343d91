//! The fuzz targets' functions under plain `cargo test`: the seed corpus, every truncation of it,
//! and a bounded number of seeded mutations. `SEALED_SEED=n` replays a run, `UPDATE_GOLDEN=1`
//! writes the seeds anew.

use std::{fs, path::PathBuf};

use crate::entries;

const MUTATIONS_PER_SEED: u64 = 2000;

/// Packets of real clients: in order, doubled, backwards, from elsewhere, and not packets at all.
fn stranger_seeds() -> [(&'static str, Vec<u8>); 4] {
    let record = |from: u8, packet: &[u8]| [&[from, packet.len() as u8], packet].concat();
    let genuine = entries::genuine();
    let in_order = genuine[..12].iter().flat_map(|packet| record(0, packet)).collect();
    let doubled = genuine[40..50].iter().rev().flat_map(|packet| record(0, packet).repeat(2));
    let roaming = genuine[85..].iter().zip(0..9).flat_map(|(packet, n)| record(n / 2, packet));
    let quic = [record(3, &[0xc3; 40]), record(3, &[0x52; 60]), record(3, &[])].concat();
    let quic = [quic, record(0, &genuine[0])].concat();
    [
        ("in_order", in_order),
        ("doubled", doubled.collect()),
        ("roaming", roaming.collect()),
        ("beside_quic", quic),
    ]
}

/// What peers may write: payloads, reports true and false, echoes, leaps, phases, empty packets.
fn peer_seeds() -> [(&'static str, Vec<u8>); 4] {
    let record = |flags: u8, number: u32, plain: &[u8]| {
        [&[flags][..], &number.to_le_bytes(), &[plain.len() as u8], plain].concat()
    };
    let report = |highest: u32, received: u32, delay: u16| {
        [&highest.to_le_bytes()[..], &received.to_le_bytes(), &delay.to_le_bytes()].concat()
    };
    let inputs = (0..10).flat_map(|n| record(0, n, &[0x40; 20]));
    let reports = [
        record(2, 0, &report(0, 1, 5)),
        record(2, 1, &report(u32::MAX, u32::MAX, u16::MAX)),
        record(2, 2, &report(1, 0, 0)),
        record(2, 3, &report(2, 1, 60_000)),
        record(2, 4, &[0; 9]),
    ];
    let roams = (0..8u32).flat_map(|n| {
        let flags = 0x20 | (n as u8 & 3) << 3 | 1;
        record(flags, n * 700, &[n as u8; 30])
    });
    let phases = [(0, 0), (0, 5), (4, 8), (0, 6), (4, 7), (4, 4_000_000_000), (0, u32::MAX - 1)];
    let phases = phases.iter().flat_map(|&(flags, number)| record(flags, number, &[]));
    [
        ("inputs", inputs.collect()),
        ("reports", reports.concat()),
        ("roams", roams.collect()),
        ("phases", phases.collect()),
    ]
}

#[test]
fn strangers() {
    smoke("stranger", entries::stranger, &stranger_seeds());
}

#[test]
fn peers() {
    smoke("peer", entries::peer, &peer_seeds());
}

fn smoke(target: &str, entry: fn(&[u8]) -> bool, seeds: &[(&str, Vec<u8>)]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut rng = Rng(std::env::var("SEALED_SEED").map_or(1, |seed| seed.parse().unwrap()));
    println!("SEALED_SEED={}", rng.0);
    let (mut tried, mut reached) = (0, 0);
    for (name, seed) in seeds {
        let file = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, seed).unwrap();
        }
        assert_eq!(&fs::read(&file).unwrap(), seed, "{file:?} is not what peers write");
        assert!(entry(seed), "{name} is not read at all");
        for len in 0..seed.len() {
            entry(&seed[..len]);
        }
        for _ in 0..MUTATIONS_PER_SEED {
            reached += u64::from(entry(&mutate(seed, &mut rng)));
            tried += 1;
        }
    }
    println!("{target}: {tried} mutations of {} seeds, {reached} reached a lane", seeds.len());
    assert!(reached > tried / 2, "mutations that fail at the first check test nothing");
}

fn mutate(seed: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len().max(1));
        match rng.below(6) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            2 if at < bytes.len() => bytes[at] = [0, 0xff, 0x7f, 0x80][rng.below(4)],
            3 => bytes.insert(at, rng.next() as u8),
            4 => bytes.truncate(at),
            _ => bytes.extend_from_slice(&seed[rng.below(seed.len())..]),
        }
    }
    bytes
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 up to, but without, `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
