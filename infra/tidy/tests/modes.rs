//! A game mode is named in the places that docs/architecture.md lists for adding one, and nowhere
//! else.

use std::fs;

use sortie_tidy::modes::{Mode, findings, modes};
use sortie_tidy::{SourceFile, assert_none, rust_sources, workspace_root};

/// The enum that names them.
const NAMES: &str = "proto/rpc/src/mode.rs";

/// Where each mode stands; the first is [`NAMES`].
const PLACES: [&str; 4] =
    [NAMES, "sim/src/config/mode.rs", "services/battle/src/mode.rs", "docs/maps-and-rules.md"];

/// Who may name modes: the places, and the simulation with its rules.
const OWNERS: [&str; 3] = [NAMES, "services/battle/src/mode.rs", "sim/"];

/// Names that only sound like a mode's.
const OF_SOMETHING_ELSE: [(&str, &str); 1] =
    [("bench/players/src/scenario.rs", "what bots do is named by scenario")];

/// What fills tables for its own measurements, and is no part of the product.
const NOT_SHIPPED: [&str; 2] = ["bench/control/", "infra/"];

fn shipped_modes() -> Vec<Mode> {
    let text = fs::read_to_string(workspace_root().join(NAMES)).expect("a readable file");
    let modes = modes(&SourceFile::parse(NAMES, &text));
    assert!(modes.len() > 2, "only {modes:?} were read");
    modes
}

#[test]
fn a_mode_is_named_by_its_owners_alone() {
    let mut sources = rust_sources();
    let others = OF_SOMETHING_ELSE.iter().map(|(path, _)| path).chain(&NOT_SHIPPED);
    let others: Vec<&&str> = others.collect();
    sources.retain(|file| !others.iter().any(|path| file.path.starts_with(**path)));
    assert!(sources.len() > 300, "the walk found only {} sources", sources.len());
    let found = findings(&shipped_modes(), &OWNERS, &sources);
    assert_none("a new mode would be forgotten here; ask `GameMode`, or the simulation:", &found);
}

/// The migration that made the table named them, and is never edited.
#[test]
fn no_migration_names_a_mode_any_more() {
    let folder = fs::read_dir(workspace_root().join("migrations")).expect("a readable folder");
    let mut found = Vec::new();
    for entry in folder {
        let path = entry.expect("a readable entry").path();
        let text = fs::read_to_string(&path).expect("migrations are UTF-8");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let named = shipped_modes().into_iter().filter(|mode| {
            name != "0003_battles.sql" && text.contains(&format!("'{}'", mode.name))
        });
        found.extend(named.map(|mode| format!("{name}: {}", mode.name)));
    }
    assert_none("the database takes every mode; the enum says which there are:", &found);
}

#[test]
fn each_mode_stands_in_all_places_and_the_map_of_the_code_lists_them() {
    let read = |path: &str| fs::read_to_string(workspace_root().join(path)).expect(path);
    let mut missing = Vec::new();
    for (path, text) in PLACES.map(|path| (path, read(path))) {
        let is_there = |mode: &&Mode| text.contains(&mode.variant) || text.contains(&mode.name);
        let absent = shipped_modes().into_iter().filter(|mode| !is_there(&mode));
        missing.extend(absent.map(|mode| format!("{path}: {}", mode.name)));
    }
    let map = read("docs/architecture.md");
    let row = map.lines().find(|line| line.starts_with("| add a game mode |"));
    let row = row.expect("docs/architecture.md says how a mode is added");
    let unlisted = PLACES.iter().filter(|path| !row.contains(**path));
    missing.extend(unlisted.map(|path| format!("docs/architecture.md, add a game mode: {path}")));
    assert_none("a mode stands in each of its places:", &missing);
}

/// The rule against planted sources.
mod planted {
    use super::*;

    const HOUSE: &str = "
        words! {
            GameMode {
                /// To be away.
                Hide = \"hide\",
                /// To be about.
                Seek = \"seek\",
            }
        }
        #[cfg(test)]
        mod tests {
            Late = \"late\",
        }";

    fn owners() -> Vec<Mode> {
        modes(&SourceFile::parse("a/src/mode.rs", HOUSE))
    }

    /// What is found in a source of `b`, by line and name.
    fn found(text: &str) -> Vec<String> {
        let file = SourceFile::parse("b/src/lib.rs", text);
        let found = findings(&owners(), &["a/"], &[file]);
        found.iter().map(|one| one.replace("b/src/lib.rs:", "")).collect()
    }

    #[test]
    fn the_modes_are_those_of_the_enum() {
        let names: Vec<_> = owners().into_iter().map(|mode| (mode.variant, mode.name)).collect();
        let of = |variant: &str, name: &str| (variant.to_owned(), name.to_owned());
        assert_eq!(names, [of("Hide", "hide"), of("Seek", "seek")]);
    }

    #[test]
    fn a_name_outside_is_found() {
        assert_eq!(found("f(\"hide\");"), ["1: hide"]);
        assert_eq!(found("const MODES: [&str; 2] = [\"hide\", \"seek\"];"), ["1: hide", "1: seek"]);
        assert_eq!(found("q!(\"select 1\n where mode in ('hide')\");"), ["2: hide"]);
        assert_eq!(found("f(r#\"mode = \"seek\"\"#);"), ["1: seek"]);
        assert_eq!(found("match mode {\n    \"seek\" => 1,"), ["2: seek"]);
    }

    #[test]
    fn a_decision_by_a_variant_outside_is_found() {
        assert_eq!(found("match mode {\n    Mode::Hide => 1,"), ["2: hide"]);
        assert_eq!(found("    GameMode::Hide\n    | GameMode::Seek => 1,"), ["2: seek"]);
        assert_eq!(found("if rules.mode == Mode::Seek {"), ["1: seek"]);
        assert_eq!(found("matches!(mode, Mode::Seek)"), ["1: seek"]);
    }

    #[test]
    fn owners_tests_and_what_is_no_mode_are_free() {
        let own = SourceFile::parse("a/src/mode.rs", "f(\"hide\");\nMode::Hide => 1,");
        assert_eq!(findings(&owners(), &["a/"], &[own]), [""; 0]);
        assert_eq!(found("let mode = GameMode::Hide;"), [""; 0]);
        assert_eq!(found("f(\"hide and seek\"); // \"hide\""), [""; 0]);
        assert_eq!(found("match what {\n    Mode::Hideout => 1,"), [""; 0]);
        assert_eq!(found("#[schema(example = \"hide\")]"), [""; 0]);
        assert_eq!(found("#[cfg(test)]\nmod tests { f(\"hide\"); }"), [""; 0]);
    }
}
