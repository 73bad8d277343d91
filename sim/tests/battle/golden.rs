//! Hashes written down: debug and release builds, and every later commit, must find them again.
//!
//! A change of the rules or of the state changes them; then the new ones are written here, and
//! the commit says why.

use sortie_sim::config::Mode;

use crate::support::{hashes, shipped};

#[test]
fn known_battles_end_in_known_hashes() {
    let last = |mode, map| {
        let all = hashes(shipped(mode, map, 42), 64, 600);
        all.last().copied().unwrap_or_default()
    };
    let found = [last(Mode::Walk, "steppe")];
    println!("{found:#018x?}");
    assert_eq!(found, [0x1952_6ffd_4197_2c9c]);
}
