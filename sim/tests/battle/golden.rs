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
    assert_eq!(found, [0x33b8_1453_65d5_8503, 0x9725_8a37_eac0_69d8, 0x4bce_f954_ef3c_0916]);
}
