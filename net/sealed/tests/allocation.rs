//! Nothing is allocated for a packet: not for sealing, opening, reports, changes of keys, changes
//! of address, forgeries and strangers. And a lane holds so much.

use std::alloc::System;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_sealed::{
    ClientLane, LaneConfig, LaneSecrets, Lanes, LanesConfig, PACKET_BYTES_MAX, Suite,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PACKETS: u32 = 3000;
const KEY: usize = 5;
/// A server's end of a lane holds less.
const LANE_BYTES_MAX: usize = 8 << 10;

fn main() {
    for suite in Suite::ALL {
        let secrets = LaneSecrets::from_exporter([9; 64]);
        let lane = LaneConfig { rekey_after_packets: 100, ..LaneConfig::default() };
        let config = LanesConfig { shard: 0, shard_count: 1, capacity: 64, lane, seed: [1; 32] };
        let mut lanes = Lanes::new(&config).unwrap();
        let mut now = Instant::now();
        let home = SocketAddr::from(([192, 0, 2, 1], 1));
        let session = lanes.insert(now, KEY, suite, home, |_| Some(secrets.clone())).unwrap();
        let mut client = ClientLane::new(suite, &secrets, session, now, lane);
        let mut buffer = Vec::with_capacity(PACKET_BYTES_MAX);

        let region = Region::new(ALLOCATOR);
        for number in 0..PACKETS {
            now += Duration::from_millis(16);
            let from = SocketAddr::from(([192, 0, 2, (number / 700) as u8], 1));
            buffer.clear();
            client.seal(now, |out| out.extend_from_slice(&[1; 40]), &mut buffer).unwrap();
            let arrival = lanes.handle(now, from, &mut buffer).expect("authentic");
            assert_eq!(arrival.payload, [1; 40]);

            buffer.clear();
            lanes.seal(now, KEY, |out| out.extend_from_slice(&[2; 389]), &mut buffer).unwrap();
            if number % 5 == 0 {
                buffer[30] ^= 1;
                assert!(client.open(now, &mut buffer).is_err());
            } else {
                client.open(now, &mut buffer).unwrap();
            }
            assert!(lanes.handle(now, from, &mut buffer).is_none());
        }
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{suite:?}");

        assert_eq!(lanes.path(KEY).unwrap().changes(), 5);
        let (sent, lost) = lanes.lane(KEY).unwrap().sent_and_lost();
        assert_eq!(sent, u64::from(PACKETS));
        assert!((590..=600).contains(&lost), "{lost}");
        let region = Region::new(ALLOCATOR);
        for key in KEY + 1..64 {
            lanes.insert(now, key, suite, home, |_| Some(secrets.clone())).unwrap();
        }
        let held = region.change().bytes_allocated / (63 - KEY);
        assert!(held < LANE_BYTES_MAX, "{held} bytes a lane");
        println!("{suite:?}: {held} bytes a lane");
        println!("{suite:?}: {PACKETS} packets each way, no allocation");
    }
}
