//! What the fuzz targets do with bytes. `tests/fuzz_smoke.rs` runs the same functions over the
//! seed corpus and seeded mutations of it, so that they are compiled and exercised by every plain
//! test run.
//!
//! Each asserts more than "no panic": bytes that a decoder accepts are the bytes that the encoder
//! writes for the value.

use sortie_wire::{
    input::InputDatagram,
    limits::{DATAGRAM_BYTES_MAX, ENTITIES_MAX, INPUT_BYTES_MAX},
    message::{ClientMessage, ServerMessage},
    resume::ResumeKey,
    snapshot::{Change, DeltaCode, Snapshot, SnapshotEncoder, SnapshotHeader, SnapshotReader},
    state::{EntityState, SelfState},
    ticket::{TicketSigner, TicketVerifier, read_body},
};

/// An input datagram from a stranger.
pub(crate) fn input(bytes: &[u8]) -> bool {
    let Ok(datagram) = InputDatagram::decode(bytes) else { return false };
    let mut out = [0; INPUT_BYTES_MAX];
    assert_eq!(datagram.encode(&mut out), bytes);
    true
}

/// A snapshot against a baseline of 40 soldiers and 8 props, whatever tick it asks for.
pub(crate) fn snapshot(bytes: &[u8]) -> bool {
    let known = known_snapshot(bytes);
    let mut decoded = Snapshot::default();
    if Snapshot::decode(bytes, |_| Some(&known), &mut decoded).is_err() {
        return false;
    }
    assert!(decoded.entities.is_sorted_by(|a, b| a.0 < b.0));
    assert!(decoded.entities.len() <= ENTITIES_MAX);
    assert!(decoded.entities.iter().all(|(_, state)| *state == state.quantised()));
    assert_eq!(encode_again(bytes, &known), bytes);
    true
}

/// A message of either side.
pub(crate) fn message(bytes: &[u8]) -> bool {
    let client = ClientMessage::decode(bytes);
    if let Ok(message) = &client {
        assert_eq!(message.encode().as_deref(), Ok(bytes));
    }
    let server = ServerMessage::decode(bytes);
    if let Ok(message) = &server {
        assert_eq!(message.encode().as_deref(), Ok(bytes));
    }
    client.is_ok() || server.is_ok()
}

/// A ticket, with and without a look at its signature; and a resume token.
pub(crate) fn ticket(bytes: &[u8]) -> bool {
    let signer = TicketSigner::from_seed([1; 32]);
    let verifier = TicketVerifier::new(signer.public_key(), 1, "");
    assert!(verifier.verify(bytes, 0).is_err());
    assert!(ResumeKey::new(&[1; 32]).verify(bytes).is_none());
    let body = &bytes[..bytes.len().saturating_sub(64)];
    let Some(ticket) = read_body(body) else { return false };
    let again = signer.sign(&ticket).expect("what can be read can be signed");
    // Before the ticket stand the version and, from version 2 on, the id of the key.
    let head = if body[0] == 1 { 1 } else { 9 };
    assert_eq!(&again[9..again.len() - 64], &body[head..]);
    true
}

/// The world before the fuzzed snapshot, at the tick that it asks for: half of the soldiers have
/// moved in the two ticks before.
fn known_snapshot(bytes: &[u8]) -> Snapshot {
    let mut head = Snapshot::default();
    let asked = SnapshotReader::new(bytes, &mut head).ok().and(head.header.baseline);
    let tick = asked.unwrap_or(2).max(2);
    let soldiers = (0..40u32).map(|id| id * 3);
    let props = (0..8u32).map(|id| 8_195 + id * 2);
    let first = soldiers.chain(props).map(|id| (id, known_state(id))).collect();
    let first = Snapshot::of(tick - 2, first);
    let header = SnapshotHeader { tick, baseline: Some(tick - 2), ..SnapshotHeader::default() };
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let encoder = SnapshotEncoder::new(&mut out, &header, &SelfState::default(), &[], &[]);
    let mut encoder = encoder.expect("the header fits");
    for (_, from) in first.entities[..40].iter().step_by(2) {
        let mut to = EntityState { x: from.x + 7, yaw: from.yaw.wrapping_add(128), ..*from };
        to.z = to.z.saturating_sub(20);
        to = to.quantised();
        let skipped = u32::from(encoder.records() > 0);
        encoder.delta(skipped, from, &to, header.tuning.scale(false)).expect("twenty fit");
    }
    let len = encoder.finish();
    let mut known = Snapshot::default();
    Snapshot::decode(&out[..len], |_| Some(&first), &mut known).expect("it was just encoded");
    known
}

fn known_state(id: u32) -> EntityState {
    let kind = if id < 8_192 { 0 } else { 1 + (id % 7) as u8 };
    let state = EntityState {
        kind,
        team: (id % 2) as u8,
        class: (id % 4) as u8,
        weapon: (id % 9) as u8,
        x: id.wrapping_mul(7_919),
        y: id.wrapping_mul(104_729),
        z: id.wrapping_mul(15_485_863) % (1 << 19),
        yaw: (id * 977) as u16,
        pitch: (id * 331) as i16,
        flags: (id * 11) as u16,
        health: (id % 16) as u8,
        vel: if kind == 0 { [0; 3] } else { [id as i8, 1, -1] },
        radius_dm: if kind == 0 { 0 } else { id as u8 },
    };
    state.quantised()
}

fn encode_again(bytes: &[u8], known: &Snapshot) -> Vec<u8> {
    let mut head = Snapshot::default();
    let mut reader = SnapshotReader::new(bytes, &mut head).expect("it was decoded before");
    let mut out = vec![0; DATAGRAM_BYTES_MAX];
    let mut encoder =
        SnapshotEncoder::new(&mut out, &head.header, &head.own, &head.sounds, &head.hits)
            .expect("what came in a datagram fits in one");
    let mut at = 0;
    while let Ok(Some(skipped)) = reader.next_skip() {
        at += skipped as usize;
        let (expected, is_moving) = known.expected(at, head.header.tick);
        let scale = head.header.tuning.scale(is_moving);
        let change = reader.change(&expected, is_moving).expect("it was decoded before");
        let written = match change {
            Change::Delta(to) => match DeltaCode::new(&expected, &to, scale) {
                Some(code) => encoder.coded(skipped, code),
                None => encoder.delta(skipped, &expected, &to, scale),
            },
            Change::Full(to) => encoder.full(skipped, &to),
            Change::Removed => encoder.remove(skipped),
        };
        written.expect("what came in a datagram fits in one");
        at += 1;
    }
    while let Ok(Some((id, to))) = reader.next_enter() {
        encoder.enter(id, &to).expect("what came in a datagram fits in one");
    }
    let len = encoder.finish();
    out.truncate(len);
    out
}
