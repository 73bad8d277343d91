//! A restored battle is the battle that was saved; damaged bytes are refused.

use std::sync::OnceLock;

use proptest::prelude::*;
use sortie_sim::battle::RestoreError;
use sortie_sim::codec::Sink;
use sortie_sim::config::{Mode, SimConfig};
use sortie_sim::hash::Mixer;
use sortie_sim::{Battle, BattleSetup};

use crate::support::{Players, arena, hashes, run, seed, setup};

/// Where the length and the hash of the state stand in a checkpoint.
const LENGTH_AT: usize = 8 + 2 + 8 + 8 + 8;
const STATE_AT: usize = LENGTH_AT + 4 + 8;

/// Heavy mode: whatever a tick needs and the listing of state lacks is lost here at once.
#[test]
fn saving_and_loading_on_every_tick_changes_nothing() {
    let seed = seed(21);
    for mode in [Mode::Conquest, Mode::Deathmatch] {
        let (expected, fought) = hashes(arena(mode, seed), 32, 1_800);
        assert!(fought.enough());
        let mut battle = Battle::new(arena(mode, seed));
        let mut players = Players::new(32, seed);
        let mut bytes = Vec::new();
        for (tick, expected) in (1..).zip(expected) {
            let commands = players.commands(&battle);
            let stepped = battle.step(&commands).clone();
            bytes.clear();
            battle.checkpoint(&mut bytes);
            let view = battle.view().clone();
            battle = Battle::restore(arena(mode, seed), &bytes).expect("just saved");
            assert_eq!(battle.state_hash(), expected, "{mode:?} at tick {tick}");
            assert_eq!(battle.tick(), stepped.tick);
            assert_eq!(format!("{:?}", battle.view()), format!("{view:?}"), "tick {tick}");
        }
    }
}

#[test]
fn a_restored_battle_happens_as_the_saved_one_went_on() {
    let seed = seed(22);
    let original = || arena(Mode::Conquest, seed);
    let mut battle = Battle::new(original());
    let mut players = Players::new(48, seed);
    run(&mut battle, &mut players, 900, |_| {});
    let mut bytes = Vec::new();
    battle.checkpoint(&mut bytes);
    let threads = BattleSetup { threads: 3, ..original() };
    let mut restored = Battle::restore(threads, &bytes).expect("just saved");
    for _ in 0..300 {
        let commands = players.commands(&battle);
        let (expected, found) = (battle.step(&commands).clone(), restored.step(&commands));
        assert_eq!(found.events, expected.events);
        assert_eq!(found.report, expected.report);
        assert_eq!(battle.state_hash(), restored.state_hash());
    }
}

#[test]
fn a_checkpoint_belongs_to_its_rules_map_and_seed() {
    let original = setup(Mode::Walk, 128.0, 1);
    let mut bytes = Vec::new();
    Battle::new(original.clone()).checkpoint(&mut bytes);
    let restore = |setup| Battle::restore(setup, &bytes).err();
    assert_eq!(restore(original.clone()), None);
    let rules = SimConfig { friendly_fire: true, ..original.config.clone() };
    let other_rules = BattleSetup { config: rules, ..original.clone() };
    assert_eq!(restore(other_rules), Some(RestoreError::Rules));
    assert_eq!(restore(setup(Mode::Walk, 64.0, 1)), Some(RestoreError::Map));
    assert_eq!(restore(setup(Mode::Walk, 128.0, 2)), Some(RestoreError::Seed));
}

/// A small battle's checkpoint, made once.
fn saved() -> (BattleSetup, Vec<u8>) {
    static SAVED: OnceLock<(BattleSetup, Vec<u8>)> = OnceLock::new();
    let make = || {
        let setup = arena(Mode::Conquest, 5);
        let mut battle = Battle::new(setup.clone());
        run(&mut battle, &mut Players::new(8, 5), 900, |_| {});
        let mut bytes = Vec::new();
        battle.checkpoint(&mut bytes);
        (setup, bytes)
    };
    SAVED.get_or_init(make).clone()
}

/// Makes the header agree with a changed state, so that loading itself has to refuse it.
fn seal(bytes: &mut [u8]) {
    let (length, hash) = ((bytes.len() - STATE_AT) as u64, Mixer::of_bytes(&bytes[STATE_AT..]));
    let mut fields = Vec::new();
    fields.put(length, 4);
    fields.put(hash, 8);
    bytes[LENGTH_AT..STATE_AT].copy_from_slice(&fields);
}

#[test]
fn every_changed_byte_is_refused() {
    let (setup, bytes) = saved();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(Battle::restore(setup.clone(), &damaged).is_err(), "byte {at}");
    }
    for end in 0..bytes.len() {
        assert!(Battle::restore(setup.clone(), &bytes[..end]).is_err(), "cut at {end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Even bytes that claim to be sound: an error or a battle that can be stepped, no panic.
    #[test]
    fn a_well_sealed_lie_never_panics(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let (setup, mut bytes) = saved();
        let state = bytes.len() - STATE_AT;
        for (index, byte) in changes {
            bytes[STATE_AT + index.index(state)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(STATE_AT + cut.index(state));
        }
        seal(&mut bytes);
        if let Ok(mut battle) = Battle::restore(setup, &bytes) {
            run(&mut battle, &mut Players::new(8, 5), 3, |_| {});
        }
    }
}
