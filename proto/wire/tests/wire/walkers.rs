//! What a changed walking soldier costs on the wire: the figure that the snapshot codec is for.

use sortie_wire::{
    limits::DATAGRAM_BYTES_MAX,
    snapshot::{Snapshot, SnapshotEncoder, SnapshotHeader, Tuning, folded, scale_for},
    state::{EntityState, SelfState},
};

use crate::crowd::Crowd;

const SOLDIERS: usize = 64;

/// Mean bits of one record: id, action, mask and fields.
fn bits_per_soldier(id_end: usize, age_ticks: u32, slope: f32) -> f64 {
    let mut crowd = Crowd::new(7, SOLDIERS, id_end, slope);
    let first = |tick| Snapshot::of(tick, step(&mut crowd));
    let mut past: Vec<_> = (0..age_ticks).map(first).collect();
    let (mut bits, mut records) = (0, 0);
    let mut folded_sum = [0.0; 3];
    let mut tuning = Tuning { skip_bits: 0, moving: 3, resting: 5, turn: 3 };
    for tick in age_ticks..600 {
        let now = step(&mut crowd);
        let from = past.remove(0);
        let header = SnapshotHeader {
            tick,
            baseline: Some(tick - age_ticks),
            tuning,
            ..SnapshotHeader::default()
        };
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let own = SelfState::default();
        let mut encoder = SnapshotEncoder::new(&mut out, &header, &own, &[], &[]).unwrap();
        let overhead = encoder.bit_len();
        for (at, (_, after)) in now.iter().enumerate() {
            let (expected, is_moving) = from.expected(at, tick);
            encoder.delta(0, &expected, after, tuning.scale(is_moving)).unwrap();
            let place = |to: u32, from: u32| folded(to as i32 - from as i32) as f32;
            let of = usize::from(is_moving);
            folded_sum[of] += (place(after.x, expected.x) + place(after.z, expected.z)) / 2.0;
            folded_sum[2] +=
                folded(i32::from(after.yaw.wrapping_sub(expected.yaw) as i16) / 64) as f32;
        }
        bits += encoder.bit_len() - overhead;
        records += now.len();
        let len = encoder.finish();
        let mut decoded = Snapshot::default();
        Snapshot::decode(&out[..len], |_| Some(&from), &mut decoded).unwrap();
        assert_eq!(decoded.entities, now);
        past.push(decoded);
        if tick == 100 {
            // What a server learns in the first moments, it goes on with.
            let ticks = (100 - 2 * age_ticks) as f32;
            let mean = |sum: f32| sum / ticks / SOLDIERS as f32;
            tuning.moving = scale_for(mean(folded_sum[1]));
            tuning.turn = scale_for(mean(folded_sum[2]));
            (bits, records) = (0, 0);
        }
    }
    bits as f64 / records as f64
}

fn step(crowd: &mut Crowd) -> Vec<(u32, EntityState)> {
    crowd.step();
    crowd.states()
}

#[test]
fn a_walking_soldier_costs_some_12_bits() {
    println!("bits per changed soldier, 64 of them at 5 m/s, 60 Hz, yaw 1 to 5 degrees a tick");
    println!("{:>10} {:>10} {:>10} {:>8}", "ids below", "age ticks", "slope", "bits");
    for (id_end, age_ticks, slope, bits_max) in [
        (64, 4, 0.0, 13.0),
        (500, 4, 0.0, 13.0),
        (2_000, 4, 0.0, 13.0),
        (500, 4, 0.2, 18.0),
        (500, 2, 0.0, 12.0),
        (500, 8, 0.0, 17.0),
    ] {
        let bits = bits_per_soldier(id_end, age_ticks, slope);
        println!("{id_end:>10} {age_ticks:>10} {slope:>10} {bits:>8.1}");
        assert!(bits <= bits_max, "{bits} > {bits_max}");
    }
}
