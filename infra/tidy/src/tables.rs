//! Whose table is it? Each table has one owner, the crate whose code writes it; others call the
//! owner's functions.
//!
//! What a source writes is what the SQL in its strings says ([`crate::sql`]). Functions of the
//! database have an owner, too: whoever calls one that writes, writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::SourceFile;
use crate::sql::Words;

/// Who owns what, by the folders of crates.
pub struct Owners {
    /// Owner and tables.
    pub tables: &'static [(&'static str, &'static [&'static str])],
    /// Functions of the database that write, or call one that does.
    pub functions: &'static [Function],
    /// Crates beneath the services: each is one small matter.
    pub beneath: &'static [&'static str],
}

/// A function of the database that writes.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Whose it is; empty for one that nobody calls any more.
    pub owner: &'static str,
    /// What it writes of others, as part of one statement that cannot be taken apart.
    pub also: &'static [&'static str],
}

/// What a crate beneath the services may own at most; beyond, it holds a second matter.
pub const TABLES_MAX: usize = 5;

/// All that is not as `owners` says, in `sources` and in the functions of `migrations`.
pub fn findings(owners: &Owners, sources: &[SourceFile], migrations: &str) -> Vec<String> {
    let schema = Schema::of(migrations);
    let mut findings = owners.misfits(&schema);
    let tests: BTreeSet<String> = sources.iter().flat_map(SourceFile::test_modules).collect();
    for file in sources.iter().filter(|file| !tests.contains(&file.path)) {
        let home = home(&file.path);
        for string in file.strings.iter().filter(|string| !file.lines[string.line].in_test) {
            let words = Words::of(&string.text);
            let place = format!("{}:{}", file.path, string.line + 1);
            for table in words.writes() {
                let table = schema.whole(&table);
                let owner = owners.of(table);
                if owner != Some(home) {
                    findings.push(format!("{place}: writes {table}, {}", whose(owner)));
                }
            }
            let called = |function: &&Function| words.calls().any(|call| call == function.name);
            for Function { name, owner, .. } in owners.functions.iter().filter(called) {
                if *owner != home {
                    findings.push(format!("{place}: calls {name}, {}", whose(Some(owner))));
                }
            }
        }
    }
    findings
}

/// The folder of the crate that a file belongs to.
pub(crate) fn home(path: &str) -> &str {
    let mut parts = path.match_indices('/').map(|(at, _)| at);
    parts.nth(1).map_or(path, |at| &path[..at])
}

fn whose(owner: Option<&str>) -> String {
    match owner {
        None => "which has no owner".to_owned(),
        Some("") => "which nobody calls any more".to_owned(),
        Some(owner) => format!("which is {owner}'s"),
    }
}

/// What the migrations make.
struct Schema {
    /// Tables that are no part of another.
    tables: BTreeSet<String>,
    /// Parts of tables, each with its whole.
    parts: BTreeMap<String, String>,
    /// Functions that write or call one that does, and what they write themselves.
    functions: BTreeMap<String, (Words, BTreeSet<String>)>,
}

impl Schema {
    fn of(migrations: &str) -> Self {
        let words = Words::of(migrations);
        let (parts, tables): (Vec<_>, Vec<_>) =
            words.tables().into_iter().partition(|(_, whole)| whole.is_some());
        let mut schema = Self {
            tables: tables.into_iter().map(|(name, _)| name).collect(),
            parts: parts.into_iter().filter_map(|(name, whole)| Some((name, whole?))).collect(),
            functions: BTreeMap::new(),
        };
        for (name, body) in words.functions() {
            let written = body.writes();
            let written = written.iter().map(|table| schema.whole(table).to_owned()).collect();
            // The newest body of a name is the one that counts.
            schema.functions.insert(name, (body, written));
        }
        let writers = schema.writers();
        schema.functions.retain(|name, _| writers.contains(name));
        schema
    }

    /// Functions that write, by themselves or through another.
    fn writers(&self) -> BTreeSet<String> {
        let mut writers: BTreeSet<String> = BTreeSet::new();
        loop {
            let more: Vec<String> = self
                .functions
                .iter()
                .filter(|(name, (body, written))| {
                    let mut calls = body.calls();
                    !writers.contains(*name)
                        && (!written.is_empty() || calls.any(|call| writers.contains(call)))
                })
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return writers;
            }
            writers.extend(more);
        }
    }

    /// The table that this is a part of, or it itself.
    fn whole<'a>(&'a self, table: &'a str) -> &'a str {
        self.parts.get(table).map_or(table, String::as_str)
    }
}

impl Owners {
    /// The owner of a table.
    fn of(&self, table: &str) -> Option<&str> {
        self.tables.iter().find(|(_, tables)| tables.contains(&table)).map(|(owner, _)| *owner)
    }

    /// What of the lists does not fit the migrations, or themselves.
    fn misfits(&self, schema: &Schema) -> Vec<String> {
        let mut findings = Vec::new();
        let listed: Vec<&str> =
            self.tables.iter().flat_map(|(_, tables)| *tables).copied().collect();
        for table in &schema.tables {
            match listed.iter().filter(|name| *name == table).count() {
                0 => findings.push(format!("{table} has no owner")),
                1 => {}
                _ => findings.push(format!("{table} has two owners")),
            }
        }
        for table in listed.iter().filter(|table| !schema.tables.contains(**table)) {
            findings.push(format!("there is no table {table}"));
        }
        for owner in self.beneath {
            let of_it = self.tables.iter().filter(|(name, _)| name == owner);
            match of_it.map(|(_, tables)| tables.len()).sum() {
                0 => findings.push(format!("{owner} owns nothing")),
                1..=TABLES_MAX => {}
                many => findings.push(format!("{owner} owns {many} tables, {TABLES_MAX} at most")),
            }
        }
        findings.extend(self.misfits_of_functions(schema));
        findings
    }

    fn misfits_of_functions(&self, schema: &Schema) -> Vec<String> {
        let mut findings = Vec::new();
        for function in self.functions {
            if !schema.functions.contains_key(function.name) {
                findings.push(format!("there is no function {} that writes", function.name));
            }
        }
        for (name, (body, written)) in &schema.functions {
            let Some(function) = self.functions.iter().find(|function| function.name == name)
            else {
                findings.push(format!("{name} writes and has no owner"));
                continue;
            };
            for table in written {
                let is_own = self.of(table) == Some(function.owner);
                if function.also.contains(&table.as_str()) == is_own {
                    findings.push(format!("{name} writes {table}, {}", whose(self.of(table))));
                }
            }
            for table in function.also.iter().filter(|table| !written.contains(**table)) {
                findings.push(format!("{name} does not write {table}"));
            }
            let called = |other: &&Function| body.calls().any(|call| call == other.name);
            for other in self.functions.iter().filter(called) {
                if other.owner != function.owner {
                    let whose = whose(Some(other.owner));
                    findings.push(format!("{name} calls {}, {whose}", other.name));
                }
            }
        }
        findings
    }
}
