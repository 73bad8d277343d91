//! What the fuzz targets do with bytes. `tests/sealed/fuzz_smoke.rs` runs the same functions over
//! the seed corpus and seeded mutations of it, so that they are compiled and exercised by every
//! plain test run.
//!
//! `stranger` stands before the decryption: packets as they come from the socket. `peer` stands
//! behind it: whatever somebody may write who holds the keys.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sortie_sealed::{
    AMPLIFICATION_LIMIT, CHALLENGE_BYTES, ClientLane, HEADER_BYTES, Header, Keys, LaneConfig,
    LaneSecrets, Lanes, LanesConfig, PACKET_BYTES_MAX, REPORT_BYTES, SealError, Suite,
};

const SUITE: Suite = Suite::Aes128Gcm;
const KEYS: [usize; 3] = [0, 1, 5];
const CONFIG: LaneConfig = LaneConfig { rekey_after_packets: 8, forged_packets_max: 1 << 20 };

/// A table of three lanes, always the same ones, with their session ids.
fn table(now: Instant) -> (Lanes, [u32; 3]) {
    let config = LanesConfig { shard: 1, shard_count: 4, capacity: 8, lane: CONFIG, seed: [5; 32] };
    let mut lanes = Lanes::new(&config).expect("a shard of four");
    let sessions = KEYS.map(|key| {
        let home = address(0);
        lanes.insert(now, key, SUITE, home, |_| Some(secrets(key))).expect("room for eight")
    });
    (lanes, sessions)
}

fn secrets(key: usize) -> LaneSecrets {
    LaneSecrets::from_exporter([key as u8 + 1; 64])
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 4000))
}

/// Forty packets of each of the three clients, in the order in which they were sealed.
pub(crate) fn genuine() -> &'static [Vec<u8>] {
    static PACKETS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let now = Instant::now();
        let (_, sessions) = table(now);
        let mut packets = Vec::new();
        for (key, session) in KEYS.into_iter().zip(sessions) {
            let mut client = ClientLane::new(SUITE, &secrets(key), session, now, CONFIG);
            for number in 0..40 {
                let mut packet = Vec::new();
                let payload = |out: &mut Vec<u8>| out.extend_from_slice(&[0x40; 40][..number]);
                client.seal(now, payload, &mut packet).expect("numbers left");
                packets.push(packet);
            }
        }
        packets
    });
    &PACKETS
}

/// Packets from the socket: for each one byte of source address, one byte of length, the bytes.
/// Whatever is accepted was sealed by a client, and is accepted once.
pub(crate) fn stranger(mut bytes: &[u8]) -> bool {
    let now = Instant::now();
    let (mut lanes, _) = table(now);
    let mut accepted = BTreeSet::new();
    let mut handled = 0;
    while let Some((&[from, len], rest)) = bytes.split_first_chunk() {
        let (packet, rest) = rest.split_at(rest.len().min(usize::from(len)));
        bytes = rest;
        handled += 1;
        let places = KEYS.map(|key| lanes.path(key).expect("a lane").address());
        let mut buffer = packet.to_vec();
        if let Some(arrival) = lanes.handle(now, address(from), &mut buffer) {
            assert!(arrival.payload.len() <= 40 && arrival.payload.iter().all(|&b| b == 0x40));
            assert!(genuine().iter().any(|genuine| genuine == packet));
            assert!(accepted.insert(packet));
        } else {
            assert_eq!(places, KEYS.map(|key| lanes.path(key).expect("a lane").address()));
        }
    }
    let counters = KEYS.map(|key| lanes.lane(key).expect("a lane").counters());
    let reached: u64 = counters.iter().map(|c| c.opened + c.forged + c.replayed).sum();
    let strangers = lanes.strangers();
    assert_eq!(strangers.not_sealed + strangers.unknown + reached, handled);
    assert_eq!(counters.iter().map(|c| c.opened).sum::<u64>(), accepted.len() as u64);
    // Who is silent gets nothing: only a lane's own peer moves or opens anything.
    reached > 0
}

/// Plaintexts of a peer that holds the keys: for each one byte of flags (the header's three;
/// from bit 3 on two of source address; bit 5: half a second passes), four of packet number, one
/// of length, the plaintext. The server takes each and answers with a snapshot; a client takes
/// the same plaintexts from a server of the same kind.
pub(crate) fn peer(mut bytes: &[u8]) -> bool {
    let mut now = Instant::now();
    let (mut lanes, [session, ..]) = table(now);
    let mut client = ClientLane::new(SUITE, &secrets(KEYS[0]), session, now, CONFIG);
    let mut accounts = Accounts::default();
    let mut accepted = 0;
    while let Some((&[flags, a, b, c, d, len], rest)) = bytes.split_first_chunk() {
        let (plain, rest) = rest.split_at(rest.len().min(usize::from(len)));
        bytes = rest;
        if flags & 0x20 != 0 {
            now += Duration::from_millis(500);
        }
        let header = Header {
            phase: flags & 4 != 0,
            report: flags & 2 != 0,
            challenge: flags & 1 != 0,
            session,
            number: u32::from_le_bytes([a, b, c, d]),
        };
        let fields = [(header.challenge, CHALLENGE_BYTES), (header.report, REPORT_BYTES)];
        let payload_start: usize =
            fields.iter().filter(|(set, _)| *set).map(|(_, bytes)| bytes).sum();
        let payload = plain.get(payload_start..);

        let mut packet = seal(&secrets(KEYS[0]).client, &header, plain);
        let from = address(flags >> 3 & 3);
        let packet_bytes = packet.len();
        if let Some(arrival) = lanes.handle(now, from, &mut packet) {
            assert_eq!(Some(arrival.payload), payload);
            accepted += 1;
            accounts.receive(from, packet_bytes);
        }
        accounts.send(now, &mut lanes);

        let mut packet = seal(&secrets(KEYS[0]).server, &header, plain);
        if let Ok(read) = client.open(now, &mut packet) {
            assert_eq!(Some(read), payload);
            accepted += 1;
        }
        let mut input = Vec::new();
        client.seal(now, |out| out.extend_from_slice(&[0x40; 40]), &mut input).expect("open");
        assert!(input.len() <= 40 + HEADER_BYTES + 16 + CHALLENGE_BYTES + REPORT_BYTES);

        let lane = lanes.lane(KEYS[0]).expect("a lane");
        for (sent, lost) in [lane.sent_and_lost(), client.sent_and_lost()] {
            assert!(lost <= sent);
        }
        for rtt in [lane.rtt(), client.rtt()].into_iter().flatten() {
            assert!(rtt <= Duration::from_secs(60));
        }
    }
    accepted > 0
}

/// As an end would seal it that writes what it likes.
fn seal(secret: &[u8; 32], header: &Header, plain: &[u8]) -> Vec<u8> {
    let keys = Keys::new(SUITE, secret);
    let keys = if header.phase { keys.next() } else { keys };
    let mut packet = header.bytes().to_vec();
    packet.extend_from_slice(plain);
    let (head, body) = packet.split_at_mut(HEADER_BYTES);
    let tag = keys.seal_in_place(header.number, head, body);
    packet.extend_from_slice(&tag);
    packet
}

/// Bytes from and to each address.
#[derive(Default)]
struct Accounts {
    of: BTreeMap<SocketAddr, (u64, u64)>,
}

impl Accounts {
    fn receive(&mut self, from: SocketAddr, bytes: usize) {
        self.of.entry(from).or_default().0 += bytes as u64;
    }

    /// The server sends a snapshot, if it may. The secrets of challenges are not the peer's to
    /// guess, so every address but the first stays unproven.
    fn send(&mut self, now: Instant, lanes: &mut Lanes) {
        let mut out = Vec::new();
        let snapshot = |out: &mut Vec<u8>| out.extend_from_slice(&[0x41; 389]);
        match lanes.seal(now, KEYS[0], snapshot, &mut out) {
            Ok(sealed) => {
                assert!(out.len() <= PACKET_BYTES_MAX);
                let account = self.of.entry(sealed.to).or_default();
                account.1 += out.len() as u64;
                let proven = sealed.to == address(0);
                assert!(proven || account.1 <= AMPLIFICATION_LIMIT * account.0);
                assert_eq!(proven, lanes.path(KEYS[0]).expect("a lane").is_proven());
            }
            Err(error) => {
                assert_eq!(error, SealError::Unproven);
                assert!(out.is_empty());
            }
        }
    }
}
