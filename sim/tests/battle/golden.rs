//! Hashes written down: debug and release builds, and every later commit, must find them again.
//!
//! A change of the rules or of the state changes them, and then replays of before must not be
//! judged by it: hashes are kept with the name of the simulation that gave them. Whoever changes
//! them raises [`SIMULATION`] and adds a line, unless that was done since the last release; lines
//! of releases never change. The commit says why.

use sortie_sim::SIMULATION;
use sortie_sim::config::Mode;

use crate::support::{Players, arena, hashes, hashes_of, shipped};

/// What battles ended in, by the simulation that stepped them, oldest first: a conquest, a
/// deathmatch, a walk, and a conquest that players leave.
const KNOWN: &[(&str, &[u64])] = &[
    ("sortie-sim 0.1.0", &[0x3629_b515_015c_b10a, 0x80d3_9ffd_bc20_045a, 0x9530_2d3f_1fd8_e9db]),
    (
        "sortie-sim 2",
        &[
            0x050e_8a92_cab1_3f96,
            0x056d_a5e6_67b8_5e08,
            0x4e1c_da4c_c726_466c,
            0xe156_1cbd_5d2e_f5a7,
        ],
    ),
];

#[test]
fn known_battles_end_in_known_hashes() {
    let (conquest, fought) = hashes(arena(Mode::Conquest, 42), 64, 900);
    assert!(fought.enough());
    let (deathmatch, fought) = hashes(arena(Mode::Deathmatch, 42), 64, 900);
    assert!(fought.enough());
    let (walk, _) = hashes(shipped(Mode::Walk, "steppe", 42), 64, 900);
    let leavers = Players::who_leave(96, 43);
    let (left, fought) = hashes_of(arena(Mode::Conquest, 43), leavers, 900);
    assert!(fought.enough());
    let found = [conquest, deathmatch, walk, left].map(|all| *all.last().expect("it has ticks"));
    let Some((name, known)) = KNOWN.last() else { panic!("nothing is known") };
    assert!(
        found == *known,
        "battles do not come out as those of {name}: {found:#018x?}. Replays of it would be \
         judged by other rules than they were fought with: raise sortie_sim::SIMULATION"
    );
}

#[test]
fn a_name_stands_for_one_way_in_which_battles_come_out() {
    let Some((newest, _)) = KNOWN.last() else { panic!("nothing is known") };
    assert_eq!(*newest, SIMULATION, "no hashes are known of this simulation, or it was lowered");
    for (at, (name, hashes)) in KNOWN.iter().enumerate() {
        for (older, olds) in &KNOWN[..at] {
            assert_ne!(name, older, "a name is used up when its hashes are");
            assert_ne!(hashes, olds, "{name} and {older} are one simulation");
        }
    }
}
