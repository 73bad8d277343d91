//! What the lane costs beyond its cipher, in nanoseconds a packet:
//! `cargo run --release -p sortie-sealed --example cost`.
//!
//! Seals and opens a snapshot of 389 bytes and an input of 40, once through both ends of a lane
//! and once with the bare AEAD on the same bytes. One thread, one lane, everything in the cache;
//! the median of 21 runs.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_sealed::{ClientLane, Keys, LaneConfig, LaneSecrets, Lanes, LanesConfig, Suite};

const RUNS: usize = 21;
const PACKETS: u32 = 20_000;
const ADDRESS: ([u8; 4], u16) = ([192, 0, 2, 1], 4000);

fn main() {
    println!("{:<18} {:>5} {:>10} {:>10} {:>8}", "suite", "bytes", "bare ns", "lane ns", "added");
    for suite in Suite::ALL {
        for bytes in [389, 40] {
            let payload = vec![7; bytes];
            let bare = median(|| bare(suite, &payload));
            let lane = median(|| lane(suite, &payload));
            let name = format!("{suite:?}");
            println!("{name:<18} {bytes:>5} {bare:>10.0} {lane:>10.0} {:>8.0}", lane - bare);
        }
    }
}

/// Nanoseconds a packet in the middle one of the runs.
fn median(mut run: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<_> = (0..RUNS).map(|_| run()).collect();
    times.sort();
    times[RUNS / 2].as_nanos() as f64 / f64::from(PACKETS)
}

fn bare(suite: Suite, payload: &[u8]) -> Duration {
    let keys = Keys::new(suite, &[3; 32]);
    let header = [0x10, 1, 2, 3, 4, 5, 6, 7, 8];
    let mut buffer = Vec::with_capacity(1200);
    let begun = Instant::now();
    for number in 0..PACKETS {
        buffer.clear();
        buffer.extend_from_slice(payload);
        let tag = keys.seal_in_place(number, &header, &mut buffer);
        buffer.extend_from_slice(&tag);
        black_box(keys.open_in_place(number, &header, &mut buffer)).expect("authentic");
    }
    begun.elapsed()
}

fn lane(suite: Suite, payload: &[u8]) -> Duration {
    let lane = LaneConfig::default();
    let config = LanesConfig { shard: 0, shard_count: 1, capacity: 64, lane, seed: [1; 32] };
    let mut lanes = Lanes::new(&config).expect("one shard");
    let secrets = LaneSecrets::from_exporter([9; 64]);
    let now = Instant::now();
    let address = SocketAddr::from(ADDRESS);
    let session = lanes.insert(now, 0, suite, address, |_| Some(secrets.clone())).expect("room");
    let mut client = ClientLane::new(suite, &secrets, session, now, lane);
    let mut buffer = Vec::with_capacity(1200);
    let begun = Instant::now();
    for _ in 0..PACKETS {
        buffer.clear();
        client.seal(now, |out| out.extend_from_slice(payload), &mut buffer).expect("numbers left");
        black_box(lanes.handle(now, address, &mut buffer)).expect("authentic");
    }
    begun.elapsed()
}
