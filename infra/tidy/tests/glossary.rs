//! docs/glossary.md and the code must not part: what a row names in backticks is there.

use std::path::Path;

use sortie_tidy::{assert_none, workspace_root};

/// What stands before a declared name, in Rust, SQL and Protocol Buffers.
const DECLARES: [&str; 10] =
    ["struct", "enum", "trait", "fn", "const", "type", "static", "mod", "table", "service"];

#[test]
fn every_word_is_carried_by_what_its_row_names() {
    let root = workspace_root();
    let page = std::fs::read_to_string(root.join("docs/glossary.md")).expect("the page exists");
    let rows: Vec<_> = rows(&page).collect();
    assert!(rows.len() > 40, "only {} rows were found", rows.len());
    let findings: Vec<String> = rows.iter().flat_map(|row| faults(&root, row)).collect();
    assert_none("docs/glossary.md names what does not exist:", &findings);
}

#[test]
fn rows_that_lead_nowhere_are_found() {
    let root = workspace_root();
    let faults_of = |place| faults(&root, &["tick", "a step", place]);
    assert!(faults_of("`Tick` in `sim/src/id.rs`").is_empty());
    assert!(faults_of("planned: many servers").is_empty());
    assert_eq!(faults_of("`Tock` in `sim/src/id.rs`"), ["tick: `Tock` is not in sim/src/id.rs"]);
    assert_eq!(faults_of("`Tick` in `sim/src/di.rs`"), ["tick: no file sim/src/di.rs"]);
    assert_eq!(faults_of("`Tick`"), ["tick: no file is named"]);
    // A use is no declaration, and the end of a name is not the name.
    assert_eq!(faults_of("`PlayerSlot` in `sim/src/view.rs`").len(), 1);
    assert_eq!(faults_of("`Slot` in `sim/src/id.rs`").len(), 1);
}

/// The cells of each row: word, meaning, place.
fn rows(page: &str) -> impl Iterator<Item = [&str; 3]> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = lines.filter_map(|line| line.split(" | ").collect::<Vec<_>>().try_into().ok());
    cells.filter(|[word, ..]: &[&str; 3]| *word != "word")
}

/// What is wrong with a row's place: no file, or a file without the item that the row names.
fn faults(root: &Path, [word, _, place]: &[&str; 3]) -> Vec<String> {
    if place.starts_with("planned: ") {
        return Vec::new();
    }
    let names = place.split('`').skip(1).step_by(2);
    let (paths, items): (Vec<&str>, Vec<&str>) = names.partition(|name| name.contains('/'));
    let [path] = paths[..] else { return vec![format!("{word}: no file is named")] };
    let Ok(text) = std::fs::read_to_string(root.join(path)) else {
        return vec![format!("{word}: no file {path}")];
    };
    let missing = items.iter().filter(|item| !declares(&text, item));
    missing.map(|item| format!("{word}: `{item}` is not in {path}")).collect()
}

/// Whether a source declares `item`; a table may stand in a schema.
fn declares(text: &str, item: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|word| !word.is_empty() && *word != "personal").map(str::to_owned).collect()
    };
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        words(line).windows(2).any(|pair| DECLARES.contains(&&*pair[0]) && pair[1] == item)
    })
}
