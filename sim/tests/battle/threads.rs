//! The number of threads and the order of independent systems change nothing.

use crate::support::{Players, arena, hashes, seed, shipped};
use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings};
use sortie_sim::config::{Mode, RegionRules, SimConfig};
use sortie_sim::schedule::Phase;
use sortie_sim::{Battle, BattleSetup};

const TICKS: u32 = 900;
const PLAYERS: u16 = 64;

/// Regions that split and merge often, so that several threads have something to do.
fn lively(mode: Mode, seed: u64) -> BattleSetup {
    let mut setup =
        if mode == Mode::Walk { shipped(mode, "ridge", seed) } else { arena(mode, seed) };
    let region = RegionRules {
        ceiling_units: 200,
        low_water_units: 100,
        split_after_ticks: 3,
        merge_after_ticks: 20,
        ..setup.config.region
    };
    setup.config = SimConfig { region, ..setup.config };
    setup
}

#[test]
fn one_two_and_four_threads_agree_on_every_tick() {
    let seed = seed(11);
    for mode in [Mode::Conquest, Mode::Deathmatch, Mode::Walk] {
        let one = hashes(lively(mode, seed), PLAYERS, TICKS);
        assert!(mode == Mode::Walk || one.1.enough());
        for threads in [2, 4] {
            let many = hashes(BattleSetup { threads, ..lively(mode, seed) }, PLAYERS, TICKS);
            assert_same(&one.0, &many.0, &format!("{mode:?} with {threads} threads"));
        }
    }
}

#[test]
fn twenty_shuffled_schedules_agree_on_every_tick() {
    let seed = seed(12);
    let (one, fought) = hashes(lively(Mode::Conquest, seed), PLAYERS, TICKS);
    assert!(fought.enough());
    for shuffle in 0..20 {
        let threads = 1 + shuffle as usize % 2;
        let setup = BattleSetup { threads, ..lively(Mode::Conquest, seed) };
        let mut battle = Battle::with_timetable(setup, |timetable| {
            for phase in Phase::ORDER {
                timetable.schedule_mut(phase).set_build_settings(ScheduleBuildSettings {
                    ambiguity_detection: LogLevel::Error,
                    shuffle_seed: Some(shuffle),
                    ..ScheduleBuildSettings::default()
                });
            }
        });
        let mut players = Players::new(PLAYERS, seed);
        let mut shuffled = Vec::new();
        crate::support::run(&mut battle, &mut players, TICKS, |b| shuffled.push(b.state_hash()));
        assert_same(&one, &shuffled, &format!("shuffle {shuffle}"));
    }
}

fn assert_same(expected: &[u64], found: &[u64], what: &str) {
    let differs = expected.iter().zip(found).position(|(a, b)| a != b);
    assert_eq!(differs, None, "{what}: first differing tick (from 0)");
}
