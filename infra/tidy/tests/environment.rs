//! Variables of the environment: every one that a program reads stands in the list by which
//! misspelt ones are found, and nothing else does. Those of tests are no user's.

use std::collections::BTreeSet;

use sortie_tidy::{assert_none, rust_sources};

/// Where the list is.
const HOME: &str = "services/cli/src/environment.rs";

/// Modules of tests in a file of their own: `#[cfg(test)]` stands where they are declared.
const TESTS: [&str; 2] = ["sim/src/spawn/cases.rs", "services/ranking/src/report/simulation.rs"];

#[test]
fn every_variable_that_is_read_is_known_and_no_other() {
    let (mut known, mut read) = (BTreeSet::new(), BTreeSet::new());
    for file in rust_sources() {
        let in_list = file.path == HOME;
        if file.path.contains("/tests/") || TESTS.contains(&file.path.as_str()) {
            continue;
        }
        for line in file.lines.iter().filter(|line| !line.in_test) {
            // A child is given one, which it may not know.
            if line.text.contains(".env(") {
                continue;
            }
            let names = variables(&line.text).map(str::to_owned);
            if in_list { known.extend(names) } else { read.extend(names) }
        }
    }
    assert!(read.len() > 60, "the walk found only {read:?}");
    let findings: Vec<String> = known.symmetric_difference(&read).cloned().collect();
    assert_none(&format!("{HOME} and what is read differ in:"), &findings);
}

/// Whole strings that are names of variables.
fn variables(line: &str) -> impl Iterator<Item = &str> {
    let strings = line.split('"').skip(1).step_by(2);
    strings.filter(|text| {
        text.strip_prefix("SORTIE_").is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
    })
}

#[test]
fn variables_are_whole_strings() {
    let line = "env = \"SORTIE_MAP\", \"SORTIE_\", \"SORTIE_MAP is\", \"SORTIE_TICK_HZ\"";
    assert_eq!(variables(line).collect::<Vec<_>>(), ["SORTIE_MAP", "SORTIE_TICK_HZ"]);
}
