//! Who spells how a row stands? The states of a table are words of its owner: others ask the
//! owner's enum, or the owner's functions of the database.
//!
//! The words are read from the `check (state in (…))` of the migrations. What counts as spelling
//! one is, in SQL, a text that a column `state` is compared with; in Rust, a string that is the
//! word and nothing else, where the line speaks of a state, is an arm of a `match`, or lists
//! several words of one table. A word of several tables may be spelled by each of their owners.

use std::collections::BTreeSet;

use crate::SourceFile;
use crate::tables::home;

/// A table with states.
pub struct States {
    /// Its name.
    pub table: &'static str,
    /// Whose it is, by the folder of the crate.
    pub owner: &'static str,
}

/// What is not as `tables` says, in `sources` and in the checks of `migrations`.
pub fn findings(tables: &[States], sources: &[SourceFile], migrations: &str) -> Vec<String> {
    let checked = checked(migrations);
    let mut findings = misfits(tables, &checked);
    let tests: BTreeSet<String> = sources.iter().flat_map(SourceFile::test_modules).collect();
    for file in sources.iter().filter(|file| !tests.contains(&file.path)) {
        for (line, word) in spelled(file, &checked) {
            let of = |table: &str| tables.iter().find(|states| states.table == table);
            let having = checked.iter().filter(|(_, words)| words.contains(&word));
            let owners: Vec<&States> = having.filter_map(|(table, _)| of(table)).collect();
            if owners.is_empty() || owners.iter().any(|states| states.owner == home(&file.path)) {
                continue;
            }
            let whose: Vec<String> = owners
                .iter()
                .map(|states| format!("a state of {}, which is {}'s", states.table, states.owner))
                .collect();
            findings.push(format!("{}:{line}: spells {word}, {}", file.path, whose.join(" or ")));
        }
    }
    findings
}

/// Tables that have states and stand in no list, and the other way round.
fn misfits(tables: &[States], checked: &[(String, Vec<String>)]) -> Vec<String> {
    let mut findings = Vec::new();
    for (table, _) in checked.iter().filter(|(name, _)| tables.iter().all(|t| t.table != name)) {
        findings.push(format!("nobody owns the states of {table}"));
    }
    let is_there = |states: &&States| checked.iter().any(|(name, _)| name == states.table);
    for states in tables.iter().filter(|states| !is_there(states)) {
        findings.push(format!("{} has no states", states.table));
    }
    findings
}

/// Tables with the words that their column `state` may hold.
fn checked(migrations: &str) -> Vec<(String, Vec<String>)> {
    const CHECK: &str = "check (state in (";
    let checks = migrations.match_indices(CHECK).map(|(at, _)| {
        let table = migrations[..at].rsplit("create table ").next().unwrap_or_default();
        let table = table.split_whitespace().next().unwrap_or_default();
        let list = migrations[at + CHECK.len()..].split(')').next().unwrap_or_default();
        (table.to_owned(), quoted(list))
    });
    checks.collect()
}

/// States that a file spells outside of its tests, with the line, from 1.
fn spelled(file: &SourceFile, checked: &[(String, Vec<String>)]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code = |line: usize| file.lines[line].code.as_str();
    let is_word = |text: &str| checked.iter().any(|(_, words)| words.iter().any(|w| w == text));
    for string in file.strings.iter().filter(|string| !file.lines[string.line].in_test) {
        for (breaks, word) in compared(&string.text) {
            found.push((string.line + 1 + breaks, word));
        }
        if !is_word(&string.text) {
            continue;
        }
        let is_arm =
            code(string.line).trim_start().starts_with("\"\"") && code(string.line).contains("=>");
        let beside = file.strings.iter().filter(|other| other.line == string.line);
        let several = |(_, words): &(String, Vec<String>)| {
            words.contains(&string.text)
                && beside.clone().filter(|other| words.contains(&other.text)).count() > 1
        };
        if is_arm || speaks_of_state(code(string.line)) || checked.iter().any(several) {
            found.push((string.line + 1, string.text.clone()));
        }
    }
    found
}

/// Whether a name in the code is, or ends with, `state`.
fn speaks_of_state(code: &str) -> bool {
    let names = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    names.into_iter().any(|name| name == "state" || name.ends_with("_state"))
}

/// Texts that SQL compares a column `state` with, each with the line breaks before it.
fn compared(sql: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in sql.match_indices("state") {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_';
        let after = &sql[at + "state".len()..];
        if sql[..at].ends_with(is_inside) || after.starts_with(is_inside) {
            continue;
        }
        let after = after.trim_start();
        let list = ["not in", "in"].iter().find_map(|sign| after.strip_prefix(sign));
        let one = ["=", "<>", "!=", "is distinct from", "is not distinct from", "when"]
            .iter()
            .find_map(|sign| after.strip_prefix(sign));
        let words = match (list.map(str::trim_start), one.map(str::trim_start)) {
            (Some(list), _) if list.starts_with('(') => {
                quoted(list.split(')').next().unwrap_or_default())
            }
            (_, Some(one)) if one.starts_with('\'') => quoted(one).into_iter().take(1).collect(),
            _ => continue,
        };
        let breaks = sql[..at].matches('\n').count();
        found.extend(words.into_iter().map(|word| (breaks, word)));
    }
    found
}

/// Texts in single quotes.
fn quoted(sql: &str) -> Vec<String> {
    sql.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}
