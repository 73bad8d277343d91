//! What decoders allocate, counted: never more than the bytes at hand justify.

use std::{alloc::System, fs, path::Path};

use sortie_wire::{
    input::InputDatagram,
    limits::{DATAGRAM_BYTES_MAX, INPUT_BYTES_MAX},
    message::{ClientMessage, ServerMessage},
    snapshot::{Snapshot, SnapshotEncoder, SnapshotHeader, Tuning},
    state::{EntityState, SelfState},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes allocated, reallocations included, while `work` ran.
fn allocated(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let stats = region.change();
    stats.bytes_allocated + stats.bytes_reallocated.unsigned_abs()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

// One test: the allocator counts for the whole process.
#[test]
fn allocations_are_justified_by_the_bytes() {
    inputs_allocate_nothing();
    snapshots_allocate_nothing_once_warm();
    messages_allocate_in_proportion();
    claims_without_bytes_allocate_nothing();
}

fn inputs_allocate_nothing() {
    for seed in seeds("input") {
        let datagram = InputDatagram::decode(&seed).unwrap();
        assert_eq!(allocated(|| assert!(InputDatagram::decode(&seed).is_ok())), 0);
        let mut out = [0; INPUT_BYTES_MAX];
        assert_eq!(allocated(|| assert!(!datagram.encode(&mut out).is_empty())), 0);
    }
}

fn snapshots_allocate_nothing_once_warm() {
    let known = Snapshot::of(5, (0..200).map(|id| (id, EntityState::default())).collect());
    let moved = EntityState { x: 30, yaw: 640, ..EntityState::default() };
    let header = SnapshotHeader {
        tick: 9,
        baseline: Some(5),
        tuning: Tuning { resting: 4, turn: 2, ..Tuning::default() },
        ..SnapshotHeader::default()
    };
    let mut decoded = Snapshot::default();
    let mut bytes = 0;
    for _ in 0..2 {
        bytes = allocated(|| {
            let mut out = [0; DATAGRAM_BYTES_MAX];
            let own = SelfState::default();
            let mut encoder = SnapshotEncoder::new(&mut out, &header, &own, &[], &[]).unwrap();
            for (_, from) in &known.entities {
                encoder.delta(0, from, &moved, header.tuning.scale(false)).unwrap();
            }
            let len = encoder.finish();
            Snapshot::decode(&out[..len], |_| Some(&known), &mut decoded).unwrap();
        });
    }
    assert_eq!(bytes, 0);
}

fn messages_allocate_in_proportion() {
    for seed in seeds("message") {
        // The largest element has 40 bytes in memory and 4 on the wire, and a growing list
        // copies itself; a box of a welcome comes on top.
        let bytes = allocated(|| {
            let _ = ClientMessage::decode(&seed);
            let _ = ServerMessage::decode(&seed);
        });
        assert!(bytes <= 512 + 40 * seed.len(), "{bytes} for {}", seed.len());
    }
}

fn claims_without_bytes_allocate_nothing() {
    // Lists of 250 elements, a text of 60,000 bytes, a ticket of 236 bytes: claimed, not sent.
    for kind in [2u8, 3, 4] {
        assert_eq!(allocated(|| drop(ServerMessage::decode(&[kind, 250]))), 0);
    }
    assert_eq!(allocated(|| drop(ServerMessage::decode(&[8, 16, 250]))), 0);
    assert_eq!(allocated(|| drop(ClientMessage::decode(&[0, 1, 0, 236]))), 0);
}
