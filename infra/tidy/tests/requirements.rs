//! docs/requirements.md and its Korean twin: each row names tests that exist, and both pages have
//! the same rows with the same links, code and tests.

use std::path::Path;

use sortie_tidy::{assert_none, workspace_root};

const PAGES: [&str; 2] = ["docs/requirements.md", "docs/requirements.ko.md"];

/// Rows of what is planned have no tests.
const PLANNED: &str = "plan.";

#[test]
fn every_requirement_names_tests_that_exist() {
    let root = workspace_root();
    let mut findings = Vec::new();
    for page in PAGES {
        let text = read(&root, page);
        let rows: Vec<Row<'_>> = rows(&text).collect();
        assert!(rows.len() > 40, "{page} has only {} rows", rows.len());
        findings.extend(rows.iter().flat_map(|row| faults(&root, row)));
    }
    assert_none("requirements name tests that do not exist:", &findings);
}

#[test]
fn both_languages_say_the_same() {
    let root = workspace_root();
    let [english, korean] = PAGES.map(|page| read(&root, page));
    assert_none(&format!("{PAGES:?} differ in:"), &differences(&english, &korean));
}

#[test]
fn tests_that_are_not_there_are_found() {
    let root = workspace_root();
    let faults_of = |cell: &str| faults(&root, &Row { id: "a.b", cells: vec!["a.b", cell] });
    let here = "infra/tidy/tests/requirements.rs";
    assert!(faults_of(&format!("`{here}`: `both_languages_say_the_same`")).is_empty());
    assert_eq!(
        faults_of(&format!("`{here}`: `both_languages_say`")),
        [format!("a.b: {here} has no test both_languages_say")]
    );
    // A function that is no test shows nothing.
    assert_eq!(faults_of(&format!("`{here}`: `faults`")).len(), 1);
    assert_eq!(faults_of("`infra/no.rs`: `a_test`"), ["a.b: infra/no.rs has no test a_test"]);
    assert_eq!(faults_of("none"), ["a.b: no test is named"]);
    assert!(faults(&root, &Row { id: "plan.b", cells: vec!["plan.b", "c"] }).is_empty());
}

#[test]
fn pages_that_part_are_found() {
    let one = "| id | a |\n|---|---|\n| a.b | one [x](x.md) and `y` |\n";
    let same = "| id | a |\n|---|---|\n| a.b | `y` 및 [엑스](x.md) |\n";
    assert!(differences(one, same).is_empty());
    for other in [&same.replace("x.md", "z.md"), &same.replace("`y`", "`z`")] {
        assert_eq!(differences(one, other), ["a.b: links, code or cells differ"]);
    }
    assert_eq!(differences(one, &same.replace("a.b", "a.c")), ["rows: [\"a.b\"], [\"a.c\"]"]);
    let linked = format!("[intro](i.md)\n{one}");
    assert_eq!(differences(&linked, same), ["links outside of the tables differ"]);
}

/// A row of a table.
struct Row<'a> {
    /// Its name, the same in all languages: `area.feature`.
    id: &'a str,
    /// All its cells, the id first.
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// Links and code, sorted, since languages differ in the order of words.
    fn anchors(&self) -> Vec<&'a str> {
        let mut anchors: Vec<&str> =
            self.cells.iter().flat_map(|cell| links(cell).chain(quoted(cell))).collect();
        anchors.sort_unstable();
        anchors
    }
}

fn read(root: &Path, page: &str) -> String {
    std::fs::read_to_string(root.join(page)).expect("the page exists")
}

/// The rows whose first cell is an id.
fn rows(page: &str) -> impl Iterator<Item = Row<'_>> {
    page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let id = *cells.first()?;
        let is_id = id.contains('.') && id.chars().all(|c| c.is_ascii_lowercase() || c == '.');
        is_id.then_some(Row { id, cells })
    })
}

/// What is wrong with the last cell of a row: paths, each followed by the test in it.
fn faults(root: &Path, row: &Row<'_>) -> Vec<String> {
    if row.id.starts_with(PLANNED) {
        return Vec::new();
    }
    let cell = row.cells.last().copied().unwrap_or_default();
    let names: Vec<&str> = quoted(cell).collect();
    let pairs = names.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default()));
    let missing = pairs.filter(|(path, test)| !has_test(root, path, test));
    let missing = missing.map(|(path, test)| format!("{}: {path} has no test {test}", row.id));
    match names[..] {
        [] => vec![format!("{}: no test is named", row.id)],
        _ => missing.collect(),
    }
}

/// Whether a file declares a function `test` below an attribute that makes it one.
fn has_test(root: &Path, path: &str, test: &str) -> bool {
    let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.iter().position(|line| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        rest.and_then(|rest| rest.strip_prefix(test)).is_some_and(|rest| rest.starts_with('('))
    });
    let above = |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    declared.is_some_and(|at| above(at).any(|line| line.contains("test")))
}

/// In which rows, links or code two pages differ.
fn differences(one: &str, other: &str) -> Vec<String> {
    let (rows_of_one, rows_of_other): (Vec<_>, Vec<_>) =
        (rows(one).collect(), rows(other).collect());
    let ids = |rows: &[Row<'_>]| rows.iter().map(|row| row.id.to_owned()).collect::<Vec<_>>();
    let (ids_of_one, ids_of_other) = (ids(&rows_of_one), ids(&rows_of_other));
    if ids_of_one != ids_of_other {
        return vec![format!("rows: {ids_of_one:?}, {ids_of_other:?}")];
    }
    let pairs = rows_of_one.iter().zip(&rows_of_other);
    let apart = pairs.filter(|(a, b)| a.cells.len() != b.cells.len() || a.anchors() != b.anchors());
    let mut found: Vec<String> =
        apart.map(|(a, _)| format!("{}: links, code or cells differ", a.id)).collect();
    if found.is_empty() && links_to_others(one) != links_to_others(other) {
        found.push("links outside of the tables differ".to_owned());
    }
    found
}

/// The sorted links of a page, but those to its twin.
fn links_to_others(page: &str) -> Vec<&str> {
    let mut links: Vec<&str> =
        links(page).filter(|link| !link.starts_with("requirements.")).collect();
    links.sort_unstable();
    links
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}
