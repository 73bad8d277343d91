//! Hashes written down: debug and release builds, and every later commit, must find them again.
//!
//! A change of the rules or of the state changes them; then the new ones are written here, and
//! the commit says why.

use sortie_sim::config::Mode;

use crate::support::{arena, hashes, shipped};

#[test]
fn known_battles_end_in_known_hashes() {
    let last = |setup| {
        let (all, fought) = hashes(setup, 64, 900);
        (all.last().copied().unwrap_or_default(), fought)
    };
    let (conquest, fought) = last(arena(Mode::Conquest, 42));
    assert!(fought.enough());
    let (deathmatch, fought) = last(arena(Mode::Deathmatch, 42));
    assert!(fought.enough());
    let (walk, _) = last(shipped(Mode::Walk, "steppe", 42));
    let found = [conquest, deathmatch, walk];
    println!("{found:#018x?}");
    assert_eq!(found, [0x3629_b515_015c_b10a, 0x80d3_9ffd_bc20_045a, 0x9530_2d3f_1fd8_e9db]);
}
