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

struct Fixture {
    now: Instant,
    lanes: Lanes,
    client: ClientLane,
}

impl Fixture {
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
    let mut fixture = Fixture::new();
    let input = fixture.client_sends(40);
    assert_eq!(usize::from(input[1]) % 4, 1, "the shard's bits");
    assert_eq!(fixture.arrives(HOME, &input), Some(40));
    let (to, whole, mut snapshot) = fixture.server_sends(389).unwrap();
    assert_eq!((to, whole), (at(HOME), true));
    assert_eq!(fixture.client.open(fixture.now, &mut snapshot).unwrap(), [2; 389]);
}

#[test]
fn a_roaming_client_is_followed_and_proven() {
    let mut fixture = Fixture::new();
    let input = fixture.client_sends(40);
    fixture.arrives(ROAMED, &input).unwrap();
    // 195 bytes may go there: the challenge alone, not the snapshot.
    let (to, whole, mut packet) = fixture.server_sends(389).unwrap();
    assert_eq!((to, whole, packet.len()), (at(ROAMED), false, 9 + 8 + 10 + 16));
    assert_eq!(fixture.client.open(fixture.now, &mut packet).unwrap(), []);
    let echo = fixture.client_sends(40);
    assert_eq!(fixture.arrives(ROAMED, &echo), Some(40));
    assert!(fixture.lanes.path(42).unwrap().is_proven());
    let (to, whole, packet) = fixture.server_sends(389).unwrap();
    assert_eq!((to, whole, packet.len()), (at(ROAMED), true, 389 + 25));
}

#[test]
fn an_echo_from_elsewhere_proves_nothing() {
    let mut fixture = Fixture::new();
    let input = fixture.client_sends(40);
    fixture.arrives(ROAMED, &input).unwrap();
    let (_, _, mut packet) = fixture.server_sends(0).unwrap();
    fixture.client.open(fixture.now, &mut packet).unwrap();
    let echo = fixture.client_sends(40);
    fixture.arrives("203.0.113.9:1", &echo).unwrap();
    let path = fixture.lanes.path(42).unwrap();
    assert_eq!((path.address(), path.is_proven()), (at(ROAMED), false));
}

#[test]
fn the_client_that_comes_home_is_trusted_at_once_but_not_before_its_time() {
    let mut fixture = Fixture::new();
    let input = fixture.client_sends(40);
    fixture.arrives(ROAMED, &input).unwrap();
    let input = fixture.client_sends(40);
    fixture.arrives(HOME, &input).unwrap();
    assert_eq!(fixture.lanes.path(42).unwrap().address(), at(ROAMED));
    fixture.now += Duration::from_millis(250);
    let input = fixture.client_sends(40);
    fixture.arrives(HOME, &input).unwrap();
    let path = fixture.lanes.path(42).unwrap();
    assert_eq!((path.address(), path.is_proven(), path.changes()), (at(HOME), true, 2));
}

#[test]
fn strangers_are_counted_and_nothing_else() {
    let mut fixture = Fixture::new();
    let mut input = fixture.client_sends(40);
    let session = session_of(&input).unwrap();
    assert_eq!(fixture.arrives(ROAMED, &[0x42; 60]), None);
    // Another generation of the same key, another key, and a key beyond the table.
    for other in [session ^ 1 << 31, session ^ 1 << 2, session | 127 << 2] {
        input[1..5].copy_from_slice(&other.to_le_bytes());
        assert_eq!(fixture.arrives(ROAMED, &input), None);
    }
    let strangers = fixture.lanes.strangers();
    assert_eq!((strangers.not_sealed, strangers.unknown), (1, 3));
    input[1..5].copy_from_slice(&session.to_le_bytes());
    input[20] ^= 1;
    assert_eq!(fixture.arrives(ROAMED, &input), None);
    assert_eq!(fixture.lanes.lane(42).unwrap().counters().forged, 1);
    assert_eq!(fixture.lanes.path(42).unwrap().address(), at(HOME));
}

#[test]
fn a_removed_lane_is_a_stranger_and_a_new_one_has_another_id() {
    let mut fixture = Fixture::new();
    let input = fixture.client_sends(40);
    fixture.lanes.remove(42);
    assert_eq!(fixture.arrives(HOME, &input), None);
    assert_eq!(fixture.server_sends(1).unwrap_err(), SealError::NoLane);
    let again =
        fixture.lanes.insert(fixture.now, 42, Suite::Aes128Gcm, at(HOME), |_| Some(secrets()));
    assert_ne!(again, Ok(fixture.client.session()));
}

#[test]
fn a_client_notices_that_nothing_comes() {
    let mut fixture = Fixture::new();
    assert!(!fixture.client.is_silent(fixture.now + Duration::from_secs(60)));
    fixture.client_sends(1);
    assert!(!fixture.client.is_silent(fixture.now + Duration::from_millis(1999)));
    assert!(fixture.client.is_silent(fixture.now + Duration::from_secs(2)));
    let (_, _, mut packet) = fixture.server_sends(9).unwrap();
    fixture.client.open(fixture.now, &mut packet).unwrap();
    assert!(fixture.client.is_heard());
    // Its own pause is not the path's silence.
    fixture.now += Duration::from_secs(10);
    assert!(!fixture.client.is_silent(fixture.now));
    fixture.client_sends(1);
    fixture.now += Duration::from_secs(1);
    fixture.client_sends(1);
    assert!(!fixture.client.is_silent(fixture.now));
    fixture.now += Duration::from_secs(1);
    assert!(fixture.client.is_silent(fixture.now));
}
