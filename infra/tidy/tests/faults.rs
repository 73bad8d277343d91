//! docs/faults.md and the tests must not part: the tests that it names exist, and what was seen
//! failing on the old commit can be shown again.

use std::collections::BTreeSet;

use sortie_tidy::{assert_none, rust_sources, workspace_root};

/// The tests of `infra/dev/failed-before`, for the code of an old commit.
const BEFORE: &str = "infra/dev/failed-before.d";

#[test]
fn the_tests_that_are_named_exist() {
    let root = workspace_root();
    let sources = rust_sources().into_iter().filter(|file| !file.path.starts_with(BEFORE));
    let lines: Vec<String> = sources.flat_map(|file| file.lines).map(|line| line.code).collect();
    let functions: BTreeSet<&str> = lines.iter().filter_map(|code| function(code)).collect();
    let page = page();
    let mut findings = Vec::new();
    for (id, text) in sections(&page) {
        let tests = paragraph(text, "**Tests.**").unwrap_or_default();
        if named(tests).next().is_none() {
            findings.push(format!("{id}: no test is named"));
        }
        findings.extend(named(tests).filter_map(|name| {
            let exists = match name.contains('/') {
                true => root.join(name).exists(),
                false => functions.contains(name),
            };
            (!exists).then(|| format!("{id}: {name}"))
        }));
    }
    assert_none("docs/faults.md names tests that do not exist:", &findings);
}

#[test]
fn what_was_seen_failing_can_be_seen_again() {
    let page = page();
    let mut findings = Vec::new();
    for (id, text) in sections(&page) {
        if paragraph(text, "**Seen failing.**").is_none() {
            continue;
        }
        let path = format!("{BEFORE}/{id}.rs");
        let test = std::fs::read_to_string(workspace_root().join(&path)).unwrap_or_default();
        // The script looks for both.
        if !test.contains("//! Goes to ") || !test.contains(&format!("\"{id}: ")) {
            findings.push(format!("{path} says where it goes, and fails with \"{id}: …\""));
        }
    }
    assert_none("docs/faults.md says seen failing, and nothing shows it:", &findings);
}

#[test]
fn sections_and_names_are_found() {
    let page = "### A1. One\n\n**Tests.** `b_c`\nand `d/e`: more.\n\n`f`\n\n## B\n\n### B7. Two\n";
    let found: Vec<_> = sections(page).collect();
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["A1", "B7"]);
    let tests = paragraph(found[0].1, "**Tests.**").unwrap();
    assert_eq!(named(tests).collect::<Vec<_>>(), ["b_c", "d/e"]);
    assert_eq!(function("    async fn a_test(db: PgPool) {"), Some("a_test"));
}

fn page() -> String {
    std::fs::read_to_string(workspace_root().join("docs/faults.md")).expect("the page exists")
}

/// Each fault's name and section.
fn sections(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n### ")
        .flat_map(|part| part.strip_prefix("### ").unwrap_or(part).split_once(". "))
        .filter(|(id, _)| !id.contains(char::is_whitespace))
}

/// The paragraph that begins so.
fn paragraph<'a>(section: &'a str, beginning: &str) -> Option<&'a str> {
    section.split("\n\n").find(|paragraph| paragraph.starts_with(beginning))
}

/// What stands in backticks.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The name of the function that a line declares.
fn function(code: &str) -> Option<&str> {
    let (before, rest) = code.split_once("fn ")?;
    let is_word = before.chars().next_back().is_none_or(char::is_whitespace);
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next();
    name.filter(|name| is_word && !name.is_empty())
}
