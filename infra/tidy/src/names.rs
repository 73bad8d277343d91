//! One meaning a word: where two crates meet, only one of them has a public type of a name.
//!
//! Two crates meet when one depends on the other, by itself or through a third. Everything that
//! is `pub` counts as public, since `unreachable_pub` leaves nothing else so; tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::SourceFile;

/// A crate of the workspace.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the workspace's root, with `/`.
    pub folder: String,
    /// Names of the crates that its code that ships depends on by itself; foreign ones may be
    /// among them.
    pub dependencies: BTreeSet<String>,
}

/// A public type, by where it is declared.
struct Declaration<'a> {
    package: &'a Package,
    path: &'a str,
    /// Counts from 1.
    line: usize,
}

/// Every two public types of one name in one crate, or in crates of which one depends on the
/// other.
pub fn findings(packages: &[Package], sources: &[SourceFile]) -> Vec<String> {
    let beneath: BTreeMap<&str, BTreeSet<&str>> =
        packages.iter().map(|package| (&*package.name, beneath(package, packages))).collect();
    let meet = |one: &Package, other: &Package| {
        one.name == other.name
            || beneath[&*one.name].contains(&*other.name)
            || beneath[&*other.name].contains(&*one.name)
    };
    let mut findings = Vec::new();
    for (name, declarations) in declarations(packages, sources) {
        for (index, one) in declarations.iter().enumerate() {
            let others = declarations[index + 1..].iter();
            for other in others.filter(|other| meet(one.package, other.package)) {
                let (one, other) = (one.place(), other.place());
                findings.push(format!("{name}: public in {one} and in {other}"));
            }
        }
    }
    findings
}

/// Names of all crates of the workspace that a crate depends on, by itself or through others.
fn beneath<'a>(package: &'a Package, packages: &'a [Package]) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![package];
    while let Some(package) = open.pop() {
        let known = packages.iter().filter(|other| package.dependencies.contains(&other.name));
        open.extend(known.filter(|other| found.insert(&*other.name)));
    }
    found
}

/// All public types by their names.
fn declarations<'a>(
    packages: &'a [Package],
    sources: &'a [SourceFile],
) -> BTreeMap<&'a str, Vec<Declaration<'a>>> {
    let tests: BTreeSet<String> = sources.iter().flat_map(SourceFile::test_modules).collect();
    let mut declarations = BTreeMap::<_, Vec<_>>::new();
    for file in sources.iter().filter(|file| !tests.contains(&file.path)) {
        let Some(package) = packages.iter().find(|package| package.has(&file.path)) else {
            continue;
        };
        let shipped = file.lines.iter().enumerate().filter(|(_, line)| !line.in_test);
        for (at, line) in shipped {
            if let Some(name) = declared(&line.code) {
                let declaration = Declaration { package, path: &file.path, line: at + 1 };
                declarations.entry(name).or_default().push(declaration);
            }
        }
    }
    declarations
}

/// The name of the public type that a line declares.
fn declared(code: &str) -> Option<&str> {
    let code = code.trim_start().strip_prefix("pub ")?;
    let code = code.strip_prefix("unsafe ").unwrap_or(code);
    let (kind, rest) = code.split_once(' ')?;
    let is_type = matches!(kind, "struct" | "enum" | "trait" | "type" | "union");
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (is_type && end > 0).then(|| &rest[..end])
}

impl Package {
    /// Whether a file is part of what others may use of this crate.
    fn has(&self, path: &str) -> bool {
        path.strip_prefix(&*self.folder).is_some_and(|rest| rest.starts_with("/src/"))
    }
}

impl Declaration<'_> {
    fn place(&self) -> String {
        format!("{} ({}:{})", self.package.name, self.path, self.line)
    }
}
