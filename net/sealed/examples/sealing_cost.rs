//! What the lane costs beyond its cipher, in nanoseconds a packet:
//! `cargo run --release -p sortie-sealed --example sealing_cost`.
//!
//! Seals and opens a snapshot of 389 bytes and an input of 40, once through both ends of a lane
//! and once with the bare AEAD on the same bytes: with one lane, which stays in the cache, and
//! with a thousand in turn, as a server has them. One thread; the median of 21 runs.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_sealed::{ClientLane, Keys, LaneConfig, LaneSecrets, Lanes, LanesConfig, Suite};

const RUNS: usize = 21;
const PACKETS: u32 = 20_000;
const ADDRESS: ([u8; 4], u16) = ([192, 0, 2, 1], 4000);
const HEADER: [u8; 9] = [0x10, 1, 2, 3, 4, 5, 6, 7, 8];

fn main() {
    let heads = ["suite", "lanes", "bytes", "bare ns", "lane ns", "added"];
    let [suite, lanes, bytes, bare, lane, added] = heads;
    println!("{suite:<18} {lanes:>5} {bytes:>5} {bare:>8} {lane:>8} {added:>6}");
    for suite in Suite::ALL {
        for lanes in [1, 1000] {
            let mut bare_ends = bare_ends(suite, lanes);
            let mut ends = Ends::new(suite, lanes);
            for bytes in [389, 40] {
                let payload = vec![7; bytes];
                let bare = median(|| bare_packets(&mut bare_ends, &payload));
                let lane = median(|| ends.packets(&payload));
                let added = lane - bare;
                let name = format!("{suite:?}");
                println!("{name:<18} {lanes:>5} {bytes:>5} {bare:>8.0} {lane:>8.0} {added:>6.0}");
            }
        }
    }
}

/// Nanoseconds a packet in the middle one of the runs.
fn median(mut run: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<_> = (0..RUNS).map(|_| run()).collect();
    times.sort();
    times[RUNS / 2].as_nanos() as f64 / f64::from(PACKETS)
}

/// Keys of both ends of each lane, and the next number.
type BareEnds = (Vec<[Keys; 2]>, u32);

fn bare_ends(suite: Suite, lanes: usize) -> BareEnds {
    let ends = |lane| [(); 2].map(|()| Keys::new(suite, &[lane as u8; 32]));
    ((0..lanes).map(ends).collect(), 0)
}

fn bare_packets((lanes, number): &mut BareEnds, payload: &[u8]) -> Duration {
    let mut buffer = Vec::with_capacity(1200);
    let begun = Instant::now();
    for packet in 0..PACKETS {
        let [client, server] = &lanes[packet as usize % lanes.len()];
        buffer.clear();
        buffer.extend_from_slice(payload);
        let tag = client.seal_in_place(*number, &HEADER, &mut buffer);
        buffer.extend_from_slice(&tag);
        black_box(server.open_in_place(*number, &HEADER, &mut buffer)).expect("authentic");
        *number += 1;
    }
    begun.elapsed()
}

/// A table and its clients.
struct Ends {
    lanes: Lanes,
    clients: Vec<ClientLane>,
    now: Instant,
}

impl Ends {
    fn new(suite: Suite, count: usize) -> Self {
        let lane = LaneConfig::default();
        let config = LanesConfig { shard: 0, shard_count: 1, capacity: count, lane, seed: [1; 32] };
        let mut lanes = Lanes::new(&config).expect("one shard");
        let now = Instant::now();
        let client = |key| {
            let secrets = LaneSecrets::from_exporter([key as u8; 64]);
            let address = SocketAddr::from(ADDRESS);
            let session = lanes.insert(now, key, suite, address, |_| Some(secrets.clone()));
            ClientLane::new(suite, &secrets, session.expect("room"), now, lane)
        };
        let clients = (0..count).map(client).collect();
        Self { lanes, clients, now }
    }

    fn packets(&mut self, payload: &[u8]) -> Duration {
        let Self { lanes, clients, now } = self;
        let count = clients.len();
        let address = SocketAddr::from(ADDRESS);
        let mut buffer = Vec::with_capacity(1200);
        let begun = Instant::now();
        for packet in 0..PACKETS {
            let client = &mut clients[packet as usize % count];
            buffer.clear();
            let write = |out: &mut Vec<u8>| out.extend_from_slice(payload);
            client.seal(*now, write, &mut buffer).expect("numbers left");
            black_box(lanes.handle(*now, address, &mut buffer)).expect("authentic");
        }
        begun.elapsed()
    }
}
