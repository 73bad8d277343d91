//! `deny.toml` is checked by cargo-deny where that is installed; its version bans hold everywhere.

use std::cmp::Ordering;

use sortie_tidy::{assert_none, workspace_root};

#[test]
fn the_lock_file_holds_no_banned_version() {
    let bans = bans(&read("deny.toml"));
    assert!(bans.len() > 10, "deny.toml lists only {} bans", bans.len());
    let mut findings = Vec::new();
    for (name, version) in packages(&read("Cargo.lock")) {
        let broken = bans.iter().filter(|ban| ban.name == name && ban.covers(&version));
        findings.extend(broken.map(|ban| format!("{name} {version}: {}", ban.rule)));
    }
    assert_none("Cargo.lock holds versions that deny.toml bans:", &findings);
}

#[test]
fn bans_cover_what_they_say() {
    let bans = bans(
        "{ crate = \"a:<1.2.10\", reason = \"r\" },\n{ crate = \"b\", reason = \"r\" },\n\
         { crate = \"c:=0.3.10\", reason = \"r\" },",
    );
    let covers = |at: usize, version| bans[at].covers(version);
    assert!(covers(0, "1.2.9") && covers(0, "0.9.99") && !covers(0, "1.2.10"));
    assert!(covers(1, "7.0.0"));
    assert!(covers(2, "0.3.10") && !covers(2, "0.3.9"));
}

struct Ban {
    name: String,
    rule: String,
}

impl Ban {
    /// The rule is empty (every version), `<version` or `=version`.
    fn covers(&self, version: &str) -> bool {
        match self.rule.split_at_checked(1) {
            Some(("<", floor)) => compare(version, floor).is_lt(),
            Some(("=", banned)) => compare(version, banned).is_eq(),
            _ => true,
        }
    }
}

fn bans(deny: &str) -> Vec<Ban> {
    let specs = deny.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \""));
    let specs = specs.filter_map(|rest| rest.split('"').next());
    specs
        .map(|spec| {
            let (name, rule) = spec.split_once(':').unwrap_or((spec, ""));
            Ban { name: name.to_owned(), rule: rule.to_owned() }
        })
        .collect()
}

/// Name and version of every package of a lock file.
fn packages(lock: &str) -> Vec<(String, String)> {
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(rest.trim_end_matches('"').to_owned())
    };
    let mut name = String::new();
    let mut found = Vec::new();
    for line in lock.lines() {
        if let Some(value) = value(line, "name") {
            name = value;
        } else if let Some(version) = value(line, "version") {
            found.push((name.clone(), version));
        }
    }
    found
}

/// Numbers by their size, without build metadata; a missing number counts as 0.
fn compare(left: &str, right: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u64> {
        let plain = version.split(['+', '-']).next().unwrap_or_default();
        plain.split('.').map(|number| number.parse().unwrap_or(0)).collect()
    };
    numbers(left).cmp(&numbers(right))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(workspace_root().join(name)).expect("the file exists")
}
