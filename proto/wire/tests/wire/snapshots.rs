//! Snapshots: round trip of any states, budget, and what hostile bytes can do.

use proptest::{collection::vec, prelude::*};
use sortie_wire::{
    DecodeError,
    limits::{DATAGRAM_BYTES_MAX, ENTITIES_MAX, ENTITY_ID_END, HITS_MAX, SOUNDS_MAX},
    snapshot::{
        DeltaCode, HitMarker, Snapshot, SnapshotEncoder, SnapshotHeader, Sound, SoundKind, Tuning,
        gap_bits_for,
    },
    state::{EntityState, SelfState, XZ_BITS, Y_BITS},
};

use crate::samples;

prop_compose! {
    fn state()(
        kind in 0..16u8,
        team in 0..2u8,
        class in 0..8u8,
        weapon: u8,
        x in 0..1u32 << XZ_BITS,
        y in 0..1u32 << Y_BITS,
        z in 0..1u32 << XZ_BITS,
        yaw: u16,
        pitch: i16,
        (flags, health, radius_dm) in any::<(u16, u8, u8)>(),
        vel: [i8; 3],
    ) -> EntityState {
        let state = EntityState {
            kind,
            team,
            class,
            weapon,
            x,
            y,
            z,
            yaw,
            pitch,
            flags,
            health,
            vel,
            radius_dm,
        };
        state.quantised()
    }
}

/// A state near to another one: what deltas are made of, at every size of step.
fn near(
    from: EntityState,
    (size, dx, dy, dz, turn, tilt): (u32, i32, i32, i32, i16, i16),
) -> EntityState {
    let moved = |at: u32, by: i32, bits: u32| {
        (i64::from(at) + i64::from(by >> size)).clamp(0, (1 << bits) - 1) as u32
    };
    EntityState {
        x: moved(from.x, dx, XZ_BITS),
        y: moved(from.y, dy, Y_BITS),
        z: moved(from.z, dz, XZ_BITS),
        yaw: from.yaw.wrapping_add((turn >> (size / 3)) as u16),
        pitch: from.pitch.saturating_add(tilt >> (size / 3)),
        flags: from.flags ^ u16::from(size == 25),
        health: from.health ^ u8::from(size == 26),
        weapon: from.weapon ^ u8::from(size == 27),
        ..from
    }
    .quantised()
}

/// What happens to an entity between two snapshots.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Kept,
    Moved((u32, i32, i32, i32, i16, i16)),
    Replaced(EntityState),
    Removed,
    Entered(EntityState),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Kept),
        (0..32u32, any::<i32>(), any::<i32>(), any::<i32>(), any::<i16>(), any::<i16>())
            .prop_map(Fate::Moved),
        state().prop_map(Fate::Replaced),
        Just(Fate::Removed),
        state().prop_map(Fate::Entered),
    ]
}

proptest! {
    #[test]
    fn any_change_of_any_set_survives_the_wire(
        fates in vec((1..300u32, state(), fate()), 0..30),
        (gap_bits, skip_bits) in (0..8u8, 0..8u8),
        (moving, resting, turn) in (0..8u8, 0..8u8, 0..8u8),
        far in 0..2u32,
    ) {
        let header = SnapshotHeader {
            tick: 500,
            baseline: Some(437),
            input_margin: -7,
            input_tick: 400,
            gap_bits,
            tuning: Tuning { skip_bits, moving, resting, turn },
        };
        let own = samples::own();
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let mut encoder = SnapshotEncoder::new(&mut out, &header, &own, &[], &[]).unwrap();
        let (mut known, mut expected, mut entered) = (Vec::new(), Vec::new(), Vec::new());
        let mut id = far * 5_000_000;
        let (scale, mut skipped) = (header.tuning.scale(false), 0);
        for (gap, from, fate) in fates {
            id += gap;
            if !matches!(fate, Fate::Entered(_)) {
                known.push((id, from));
            }
            match fate {
                Fate::Kept => {
                    expected.push((id, from));
                    skipped += 1;
                    continue;
                }
                Fate::Moved(by) => {
                    let to = near(from, by);
                    match DeltaCode::new(&from, &to, scale) {
                        Some(code) => encoder.coded(skipped, code).unwrap(),
                        None => encoder.delta(skipped, &from, &to, scale).unwrap(),
                    }
                    expected.push((id, to));
                }
                Fate::Replaced(to) => {
                    encoder.delta(skipped, &from, &to, scale).unwrap();
                    expected.push((id, to));
                }
                Fate::Removed => encoder.remove(skipped).unwrap(),
                Fate::Entered(to) => {
                    entered.push((id, to));
                    expected.push((id, to));
                    continue;
                }
            }
            skipped = 0;
        }
        for (id, to) in entered {
            encoder.enter(id, &to).unwrap();
        }
        let len = encoder.finish();
        let mut decoded = Snapshot::default();
        let known = Snapshot::of(437, known);
        let asked = |tick| (tick == 437).then_some(&known);
        prop_assert_eq!(Snapshot::decode(&out[..len], asked, &mut decoded), Ok(()));
        prop_assert_eq!(decoded.entities, expected);
        prop_assert_eq!(decoded.header, header);
        prop_assert_eq!(decoded.own, own);
    }

    #[test]
    fn any_own_soldier_survives_the_wire(
        (pos, vel, fall_from_y) in (any::<[f32; 3]>(), any::<[f32; 3]>(), any::<f32>()),
        (still, crouched, grounded) in any::<(bool, bool, bool)>(),
        (jump_held, aiming, reloading) in any::<(bool, bool, bool)>(),
        (status, class, health_hp) in (0..4u8, 0..8u8, 0..128u8),
        (weapon, weapon_slot) in (any::<u8>(), 0..4u8),
        (ammo, reserve, grenades) in (0..1_024u16, 0..4_096u16, 0..16u8),
        (squad, order, spawns_at) in
            (prop::option::of(0..4_096u16), prop::option::of(0..32u8), any::<Option<u32>>()),
    ) {
        let own = SelfState {
            status, class, pos, health_hp, weapon, weapon_slot, ammo, reserve, grenades, squad,
            order, spawns_at, crouched, grounded, jump_held, aiming, reloading,
            vel: if still { [0.0; 3] } else { vel },
            fall_from_y: if still { pos[1] } else { fall_from_y },
        };
        let mut out = [0; 128];
        let header = SnapshotHeader::default();
        let len = SnapshotEncoder::new(&mut out, &header, &own, &[], &[]).unwrap().finish();
        let mut decoded = Snapshot::default();
        prop_assert_eq!(Snapshot::decode(&out[..len], |_| None, &mut decoded), Ok(()));
        prop_assert_eq!(decoded.own, own);
    }

    #[test]
    fn any_bytes_are_refused_or_re_encode_to_themselves(bytes in vec(any::<u8>(), 0..200)) {
        crate::entries::snapshot(&[&[0x41, 3, 0], &bytes[..]].concat());
    }
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let known = samples::baseline()[0].1;
    let mut out = [0; 120];
    let header = SnapshotHeader { gap_bits: 2, ..SnapshotHeader::default() };
    let own = SelfState::default();
    let mut encoder = SnapshotEncoder::new(&mut out, &header, &own, &[], &[]).unwrap();
    let fitting = (0..100).take_while(|&id| encoder.enter(id, &known).is_ok()).count();
    let bits = encoder.bit_len();
    assert!(encoder.enter(100, &known).is_err() && encoder.bit_len() == bits);
    let len = encoder.finish();
    assert!((107..=120).contains(&len), "{len}");
    let mut decoded = Snapshot::default();
    Snapshot::decode(&out[..len], |_| None, &mut decoded).unwrap();
    assert_eq!(decoded.entities.len(), fitting);
}

#[test]
fn an_encoder_refuses_what_cannot_be_said() {
    let new = |len: usize, tick, baseline, gap_bits| {
        let mut out = [0; 64];
        let header = SnapshotHeader { tick, baseline, gap_bits, ..SnapshotHeader::default() };
        SnapshotEncoder::new(&mut out[..len], &header, &SelfState::default(), &[], &[]).is_some()
    };
    assert!(new(64, 100, Some(99), 0) && new(64, 100, Some(37), 7) && new(64, 5, None, 0));
    assert!(!new(64, 100, Some(100), 0) && !new(64, 100, Some(36), 0));
    assert!(!new(64, 100, Some(101), 0) && !new(64, 100, None, 8) && !new(5, 100, None, 0));
}

#[test]
fn senses_are_cut_at_their_limits() {
    let sound = Sound { kind: SoundKind(15), direction: 200, distance: 15 };
    let hit = HitMarker { damage_hp: 127, headshot: false, downed: true };
    let (sounds, hits) = ([sound; SOUNDS_MAX + 5], [hit; HITS_MAX + 5]);
    let mut out = [0; 128];
    let own = SelfState::default();
    let encoder = SnapshotEncoder::new(&mut out, &Default::default(), &own, &sounds, &hits);
    let len = encoder.unwrap().finish();
    let mut decoded = Snapshot::default();
    Snapshot::decode(&out[..len], |_| None, &mut decoded).unwrap();
    assert_eq!((decoded.sounds, decoded.hits), (vec![sound; SOUNDS_MAX], vec![hit; HITS_MAX]));
}

#[test]
fn every_truncation_and_addition_is_an_error() {
    let known = Snapshot::of(samples::BASELINE_TICK, samples::baseline());
    for bytes in [samples::snapshot(), samples::full_snapshot()] {
        let mut decoded = Snapshot::default();
        for len in 0..bytes.len() {
            let result = Snapshot::decode(&bytes[..len], |_| Some(&known), &mut decoded);
            assert_eq!(result, Err(DecodeError::Truncated), "cut to {len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        let result = Snapshot::decode(&longer, |_| Some(&known), &mut decoded);
        assert_eq!(result, Err(DecodeError::Trailing));
    }
    let longest = [&[0x41][..], &[0; DATAGRAM_BYTES_MAX]].concat();
    let result = Snapshot::decode(&longest, |_| None, &mut Snapshot::default());
    assert_eq!(result, Err(DecodeError::TooLong));
}

#[test]
fn a_hostile_count_ends_with_the_bytes() {
    for mut bytes in [samples::snapshot(), samples::full_snapshot()] {
        bytes[1..3].copy_from_slice(&u16::MAX.to_le_bytes());
        let known = Snapshot::of(samples::BASELINE_TICK, samples::baseline());
        let mut decoded = Snapshot::default();
        let result = Snapshot::decode(&bytes, |_| Some(&known), &mut decoded);
        assert!(result.is_err());
        assert!(decoded.entities.len() < 8);
    }
}

#[test]
fn a_missing_baseline_or_entity_is_named() {
    let mut decoded = Snapshot::default();
    let result = Snapshot::decode(&samples::snapshot(), |_| None, &mut decoded);
    assert_eq!(result, Err(DecodeError::UnknownBaseline(samples::BASELINE_TICK)));
    let known = Snapshot::of(samples::BASELINE_TICK, samples::baseline()[..2].to_vec());
    let result = Snapshot::decode(&samples::snapshot(), |_| Some(&known), &mut decoded);
    assert_eq!(result, Err(DecodeError::UnknownEntity(2)));
}

#[test]
fn a_set_never_outgrows_its_limit() {
    let many = |count| {
        let ids = 0..count as u32;
        Snapshot::of(1, ids.map(|id| (id, EntityState::default())).collect())
    };
    let (full, almost) = (many(ENTITIES_MAX), many(ENTITIES_MAX - 1));
    let header = SnapshotHeader { tick: 2, baseline: Some(1), ..SnapshotHeader::default() };
    let mut out = [0; 128];
    let own = SelfState::default();
    let mut encoder = SnapshotEncoder::new(&mut out, &header, &own, &[], &[]).unwrap();
    encoder.enter(ENTITY_ID_END - 1, &EntityState::default()).unwrap();
    let len = encoder.finish();
    let mut decoded = Snapshot::default();
    let result = Snapshot::decode(&out[..len], |_| Some(&full), &mut decoded);
    assert_eq!(result, Err(DecodeError::OutOfRange));
    let result = Snapshot::decode(&out[..len], |_| Some(&almost), &mut decoded);
    assert_eq!(result, Ok(()));
}

#[test]
fn not_a_number_is_no_place() {
    let own = SelfState { pos: [f32::NAN, 0.0, 0.0], ..SelfState::default() };
    let mut out = [0; 64];
    let len = SnapshotEncoder::new(&mut out, &Default::default(), &own, &[], &[]).unwrap().finish();
    let result = Snapshot::decode(&out[..len], |_| None, &mut Snapshot::default());
    assert_eq!(result, Err(DecodeError::NotFinite));
}

#[test]
fn gap_bits_follow_the_density() {
    assert_eq!(gap_bits_for(64, 64), 0);
    assert_eq!(gap_bits_for(64, 500), 2);
    assert_eq!(gap_bits_for(64, 2_000), 4);
    assert_eq!(gap_bits_for(0, u32::MAX), 7);
}
