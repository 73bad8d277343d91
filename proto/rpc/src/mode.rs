//! Game modes by name. No other place names them: orders, rows, the API's document, command lines
//! and what is checked all follow from this list. What a mode is, is the simulation's
//! (`sim/src/config/mode.rs`); `services/battle/src/mode.rs` holds the two together.
//!
//! A mode of a newer version is [`GameMode::Other`]: whoever only stores it or passes it on does
//! so, and a battle server refuses to open such a battle.

use crate::words::words;

words! {
    /// What a battle is about.
    GameMode {
        /// Hold the points of the map.
        Conquest = "conquest",
        /// Teams, first to a score.
        Deathmatch = "deathmatch",
        /// Walk about; nobody can be hurt.
        Walk = "walk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that goes or changes here is a name that rows, settings and older programs have.
    #[test]
    fn each_mode_is_named_as_it_always_was_and_read_again() {
        let names: Vec<&str> = GameMode::names().collect();
        assert_eq!(names[..3], ["conquest", "deathmatch", "walk"]);
        for mode in GameMode::ALL {
            assert_eq!(GameMode::of_name(mode.name()), *mode);
            assert!(mode.is_known() && mode.about().ends_with('.'), "{mode:?}");
        }
    }

    /// The database takes these: `migrations/0011_modes.sql`.
    #[test]
    fn each_name_is_a_short_word() {
        for name in GameMode::names() {
            assert!((1..=32).contains(&name.len()) && name.starts_with(char::is_lowercase));
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(name.chars().all(fits), "{name}");
        }
    }

    #[test]
    fn a_newer_versions_mode_is_kept_as_it_came() {
        for name in ["siege", "Walk", ""] {
            let mode = GameMode::of_name(name);
            assert_eq!(mode, GameMode::Other(name.to_owned()));
            assert_eq!((mode.name(), mode.is_known(), mode.about()), (name, false, ""));
        }
    }
}
