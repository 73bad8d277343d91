//! What a changed walking soldier costs on the wire: the figure that the snapshot codec is for.

use sortie_wire::{
    limits::DATAGRAM_BYTES_MAX,
    snapshot::{Snapshot, SnapshotEncoder, SnapshotHeader, gap_bits_for},
    state::{EntityState, SelfState},
};

use crate::crowd::Crowd;

const SOLDIERS: usize = 64;

/// Mean bits of one record: id, action, mask and fields.
fn bits_per_soldier(id_end: usize, age_ticks: u32, slope: f32) -> f64 {
    let mut crowd = Crowd::new(7, SOLDIERS, id_end, slope);
    let mut past: Vec<_> = (0..age_ticks).map(|_| step(&mut crowd)).collect();
    let (mut bits, mut records) = (0, 0);
    for tick in age_ticks..600 {
        let now = step(&mut crowd);
        let from = past.remove(0);
        let header = SnapshotHeader {
            tick,
            baseline: Some(tick - age_ticks),
            gap_bits: gap_bits_for(SOLDIERS, id_end as u32),
            ..SnapshotHeader::default()
        };
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let own = SelfState::default();
        let mut encoder = SnapshotEncoder::new(&mut out, &header, &own, &[], &[]).unwrap();
        let overhead = encoder.bit_len();
        for (before, after) in from.iter().zip(&now) {
            encoder.delta(after.0, &before.1, &after.1).unwrap();
        }
        bits += encoder.bit_len() - overhead;
        records += now.len();
        let len = encoder.finish();
        let mut decoded = Snapshot::default();
        Snapshot::decode(&out[..len], |_| Some(&from), &mut decoded).unwrap();
        assert_eq!(decoded.entities, now);
        past.push(now);
    }
    bits as f64 / records as f64
}

fn step(crowd: &mut Crowd) -> Vec<(u32, EntityState)> {
    crowd.step();
    crowd.states()
}

#[test]
fn a_walking_soldier_costs_at_most_40_bits() {
    println!("bits per changed soldier, 64 of them at 5 m/s, 60 Hz, yaw 1 to 5 degrees a tick");
    println!("{:>10} {:>10} {:>10} {:>8}", "ids below", "age ticks", "slope", "bits");
    for (id_end, age_ticks, slope, bits_max) in [
        (64, 4, 0.0, 34.0),
        (500, 4, 0.0, 36.0),
        (2_000, 4, 0.0, 38.0),
        (64, 4, 0.2, 39.0),
        (500, 4, 0.2, 40.0),
        (500, 2, 0.0, 36.0),
        (500, 8, 0.0, 40.0),
    ] {
        let bits = bits_per_soldier(id_end, age_ticks, slope);
        println!("{id_end:>10} {age_ticks:>10} {slope:>10} {bits:>8.1}");
        assert!(bits <= bits_max, "{bits} > {bits_max}");
    }
}
