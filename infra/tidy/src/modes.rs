//! Who names a game mode? Its name stands in one enum; the simulation has one of its own, with the
//! rules; and one place holds the two together. Whatever else asks the enum, so that a new mode
//! needs no change there.
//!
//! What counts as naming one is a string that is the name, or has it in quotes as SQL and TOML do;
//! and a decision by a variant: an arm of a `match`, a comparison. Examples in attributes are free:
//! documents show them.

use std::collections::BTreeSet;

use crate::SourceFile;

/// A mode, as the enum has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The variant.
    pub variant: String,
    /// What everybody calls it.
    pub name: String,
}

/// The modes of the file that names them: lines like `Walk = "walk",`.
pub fn modes(file: &SourceFile) -> Vec<Mode> {
    let shipped = file.strings.iter().filter(|string| !file.lines[string.line].in_test);
    let named = shipped.filter_map(|string| {
        let (variant, rest) = file.lines[string.line].code.trim().split_once(" = ")?;
        let is_variant = variant.chars().all(char::is_alphanumeric) && rest == "\"\",";
        is_variant.then(|| Mode { variant: variant.to_owned(), name: string.text.clone() })
    });
    named.collect()
}

/// Modes that `sources` name outside of `owners`, which are paths of files and folders.
pub fn findings(modes: &[Mode], owners: &[&str], sources: &[SourceFile]) -> Vec<String> {
    let tests: BTreeSet<String> = sources.iter().flat_map(SourceFile::test_modules).collect();
    let is_owner = |path: &str| owners.iter().any(|owner| path.starts_with(owner));
    let shipped =
        sources.iter().filter(|file| !tests.contains(&file.path) && !is_owner(&file.path));
    let mut findings = Vec::new();
    for file in shipped {
        let mut lines: Vec<(usize, &str)> = Vec::new();
        lines.extend(modes.iter().flat_map(|mode| spelled(file, mode)));
        lines.extend(modes.iter().flat_map(|mode| decided(file, mode)));
        lines.sort_unstable();
        lines.dedup();
        let told = lines.iter().map(|(line, name)| format!("{}:{line}: {name}", file.path));
        findings.extend(told);
    }
    findings
}

/// Lines, from 1, with a string that is a mode's name or has it in quotes.
fn spelled<'a>(file: &'a SourceFile, mode: &'a Mode) -> impl Iterator<Item = (usize, &'a str)> {
    let quoted = ['\'', '"'].map(|quote| format!("{quote}{}{quote}", mode.name));
    let strings = file.strings.iter().filter(|string| {
        let line = &file.lines[string.line];
        !line.in_test && !line.code.trim_start().starts_with("#[")
    });
    strings.flat_map(move |string| {
        let is_quoted = |line: &str| quoted.iter().any(|quoted| line.contains(quoted));
        let lines = string.text.split('\n').enumerate();
        let having = lines.filter(|(_, line)| *line == mode.name || is_quoted(line));
        let numbers: Vec<usize> = having.map(|(breaks, _)| string.line + 1 + breaks).collect();
        numbers.into_iter().map(|line| (line, mode.name.as_str()))
    })
}

/// Lines, from 1, on which something is decided by a mode's variant.
fn decided<'a>(file: &'a SourceFile, mode: &'a Mode) -> impl Iterator<Item = (usize, &'a str)> {
    let variant = format!("Mode::{}", mode.variant);
    let signs = ["== ", "!= "].map(|sign| format!("{sign}{variant}"));
    let numbered = file.lines.iter().enumerate().filter(|(_, line)| !line.in_test);
    let having = numbered.filter(move |(_, line)| {
        let code = line.code.trim();
        let is_arm = code.contains("=>") || code.starts_with('|') || code.contains("matches!");
        let mut after = code.split(&variant).skip(1);
        let is_named = after.any(|rest| !rest.starts_with(char::is_alphanumeric));
        is_named && (is_arm || signs.iter().any(|sign| code.contains(sign)))
    });
    having.map(|(at, _)| (at + 1, mode.name.as_str()))
}
