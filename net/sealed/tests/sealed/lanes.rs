//! A shard's table and its clients.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_sealed::{ClientLane, LaneConfig, Lanes, LanesConfig, SealError, Suite, session_of};

use crate::pair::secrets;

const HOME: &str = "192.0.2.1:4000";
const ROAMED: &str = "198.51.100.7:5000";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn table(shard: u8, shard_count: u16, capacity: usize) -> Lanes {
    let lane = LaneConfig::default();
    Lanes::new(&LanesConfig { shard, shard_count, capacity, lane, seed: [7; 32] }).unwrap()
}

struct World {
    now: Instant,
    lanes: Lanes,
    client: ClientLane,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut lanes = table(1, 4, 100);
        let insert = lanes.insert(now, 42, Suite::Aes128Gcm, at(HOME), |_| Some(secrets()));
        let client = ClientLane::new(
            Suite::Aes128Gcm,
            &secrets(),
            insert.unwrap(),
            now,
            LaneConfig::default(),
        );
        Self { now, lanes, client }
    }

    fn client_sends(&mut self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.client.seal(self.now, |out| out.resize(out.len() + bytes, 1), &mut out).unwrap();
        out
    }

    /// The bytes of the payload, if the packet was accepted.
    fn arrives(&mut self, from: &str, packet: &[u8]) -> Option<usize> {
        let mut packet = packet.to_vec();
        let arrival = self.lanes.handle(self.now, at(from), &mut packet)?;
        assert_eq!(arrival.key, 42);
        Some(arrival.payload.len())
    }

    /// Address, whether the payload went, and the packet.
    fn server_sends(&mut self, bytes: usize) -> Result<(SocketAddr, bool, Vec<u8>), SealError> {
        let mut out = Vec::new();
        let payload = |out: &mut Vec<u8>| out.resize(out.len() + bytes, 2);
        let sealed = self.lanes.seal(self.now, 42, payload, &mut out)?;
        Ok((sealed.to, sealed.whole, out))
    }
}

#[test]
fn packets_go_both_ways() {
    let mut world = World::new();
    let input = world.client_sends(40);
    assert_eq!(usize::from(input[1]) % 4, 1, "the shard's bits");
    assert_eq!(world.arrives(HOME, &input), Some(40));
    let (to, whole, mut snapshot) = world.server_sends(389).unwrap();
    assert_eq!((to, whole), (at(HOME), true));
    assert_eq!(world.client.open(world.now, &mut snapshot).unwrap(), [2; 389]);
}

#[test]
fn a_roaming_client_is_followed_and_proven() {
    let mut world = World::new();
    let input = world.client_sends(40);
    world.arrives(ROAMED, &input).unwrap();
    // 195 bytes may go there: the challenge alone, not the snapshot.
    let (to, whole, mut packet) = world.server_sends(389).unwrap();
    assert_eq!((to, whole, packet.len()), (at(ROAMED), false, 9 + 8 + 10 + 16));
    assert_eq!(world.client.open(world.now, &mut packet).unwrap(), []);
    let echo = world.client_sends(40);
    assert_eq!(world.arrives(ROAMED, &echo), Some(40));
    assert!(world.lanes.path(42).unwrap().is_proven());
    let (to, whole, packet) = world.server_sends(389).unwrap();
    assert_eq!((to, whole, packet.len()), (at(ROAMED), true, 389 + 25));
}

#[test]
fn an_echo_from_elsewhere_proves_nothing() {
    let mut world = World::new();
    let input = world.client_sends(40);
    world.arrives(ROAMED, &input).unwrap();
    let (_, _, mut packet) = world.server_sends(0).unwrap();
    world.client.open(world.now, &mut packet).unwrap();
    let echo = world.client_sends(40);
    world.arrives("203.0.113.9:1", &echo).unwrap();
    let path = world.lanes.path(42).unwrap();
    assert_eq!((path.address(), path.is_proven()), (at(ROAMED), false));
}

#[test]
fn the_client_that_comes_home_is_trusted_at_once_but_not_before_its_time() {
    let mut world = World::new();
    let input = world.client_sends(40);
    world.arrives(ROAMED, &input).unwrap();
    let input = world.client_sends(40);
    world.arrives(HOME, &input).unwrap();
    assert_eq!(world.lanes.path(42).unwrap().address(), at(ROAMED));
    world.now += Duration::from_millis(250);
    let input = world.client_sends(40);
    world.arrives(HOME, &input).unwrap();
    let path = world.lanes.path(42).unwrap();
    assert_eq!((path.address(), path.is_proven(), path.changes()), (at(HOME), true, 2));
}

#[test]
fn strangers_are_counted_and_nothing_else() {
    let mut world = World::new();
    let mut input = world.client_sends(40);
    let session = session_of(&input).unwrap();
    assert_eq!(world.arrives(ROAMED, &[0x42; 60]), None);
    // Another generation of the same key, another key, and a key beyond the table.
    for other in [session ^ 1 << 31, session ^ 1 << 2, session | 127 << 2] {
        input[1..5].copy_from_slice(&other.to_le_bytes());
        assert_eq!(world.arrives(ROAMED, &input), None);
    }
    let strangers = world.lanes.strangers();
    assert_eq!((strangers.not_sealed, strangers.unknown), (1, 3));
    input[1..5].copy_from_slice(&session.to_le_bytes());
    input[20] ^= 1;
    assert_eq!(world.arrives(ROAMED, &input), None);
    assert_eq!(world.lanes.lane(42).unwrap().counters().forged, 1);
    assert_eq!(world.lanes.path(42).unwrap().address(), at(HOME));
}

#[test]
fn a_removed_lane_is_a_stranger_and_a_new_one_has_another_id() {
    let mut world = World::new();
    let input = world.client_sends(40);
    world.lanes.remove(42);
    assert_eq!(world.arrives(HOME, &input), None);
    assert_eq!(world.server_sends(1).unwrap_err(), SealError::NoLane);
    let again = world.lanes.insert(world.now, 42, Suite::Aes128Gcm, at(HOME), |_| Some(secrets()));
    assert_ne!(again, Ok(world.client.session()));
}

#[test]
fn a_client_notices_that_nothing_comes() {
    let mut world = World::new();
    assert!(!world.client.is_silent(world.now + Duration::from_secs(60)));
    world.client_sends(1);
    assert!(!world.client.is_silent(world.now + Duration::from_millis(1999)));
    assert!(world.client.is_silent(world.now + Duration::from_secs(2)));
    let (_, _, mut packet) = world.server_sends(9).unwrap();
    world.client.open(world.now, &mut packet).unwrap();
    assert!(world.client.is_heard());
    // Its own pause is not the path's silence.
    world.now += Duration::from_secs(10);
    assert!(!world.client.is_silent(world.now));
    world.client_sends(1);
    world.now += Duration::from_secs(1);
    world.client_sends(1);
    assert!(!world.client.is_silent(world.now));
    world.now += Duration::from_secs(1);
    assert!(world.client.is_silent(world.now));
}
