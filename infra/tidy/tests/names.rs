//! One meaning a word: whoever reads a name finds one public type behind it, or one program.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use sortie_tidy::names::{Package, findings};
use sortie_tidy::{assert_none, cargo, generated_sources, rust_sources, workspace_root};

#[test]
fn crates_that_meet_have_no_public_types_of_one_name() {
    let mut sources = rust_sources();
    sources.extend(generated_sources());
    let packages = packages();
    assert!(packages.len() > 20, "the workspace has only {} crates", packages.len());
    let findings = findings(&packages, &sources);
    assert_none(
        "a name means one thing where crates meet; rename one of these, or make it pub(crate) if \
         no other crate uses it:",
        &findings,
    );
}

/// Cargo puts the programs of all crates into one folder and their examples into another: of two
/// of one name, one is left.
#[test]
fn programs_and_examples_have_names_of_their_own() {
    let found = targets_of_one_name(&metadata());
    assert_none("cargo writes two of one name over each other; rename one of these:", &found);
}

/// Every two programs, and every two examples, of one name.
fn targets_of_one_name(metadata: &Value) -> Vec<String> {
    let (mut homes, mut findings) = (BTreeMap::new(), Vec::new());
    for package in list(&metadata["packages"]) {
        let kinds = |target: &&Value| target["kind"] == json!(["bin"]) || is_example(target);
        for target in list(&package["targets"]).iter().filter(kinds) {
            let (name, home) = (text(&target["name"]), text(&package["name"]));
            if let Some(other) = homes.insert((is_example(target), name.clone()), home.clone()) {
                findings.push(format!("{name}: in {other} and in {home}"));
            }
        }
    }
    findings
}

fn is_example(target: &Value) -> bool {
    target["kind"] == json!(["example"])
}

/// The workspace's crates.
fn packages() -> Vec<Package> {
    let root = workspace_root();
    list(&metadata()["packages"]).iter().map(|package| read(package, &root)).collect()
}

/// What cargo tells of the workspace.
fn metadata() -> Value {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    serde_json::from_str(&metadata).expect("cargo prints JSON")
}

/// A crate as cargo tells of it.
fn read(package: &Value, root: &Path) -> Package {
    let manifest = text(&package["manifest_path"]);
    let folder = Path::new(&manifest).parent().expect("a folder").strip_prefix(root);
    // `kind` is null for those of code that ships.
    let dependencies = list(&package["dependencies"]).iter();
    let shipped = dependencies.filter(|dependency| dependency["kind"].is_null());
    Package {
        name: text(&package["name"]),
        folder: folder.expect("inside the root").to_string_lossy().replace('\\', "/"),
        dependencies: shipped.map(|dependency| text(&dependency["name"])).collect(),
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// What the checker finds in workspaces that are out of order.
mod planted {
    use super::*;
    use sortie_tidy::SourceFile;

    /// `top` stands on `middle`, which stands on `bottom`; `beside` stands on `bottom`, too.
    const PACKAGES: [(&str, &str, &[&str]); 4] = [
        ("bottom", "a/bottom", &["serde"]),
        ("middle", "a/bottom/middle", &["bottom"]),
        ("top", "top", &["middle"]),
        ("beside", "beside", &["bottom"]),
    ];

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let package = |(name, folder, dependencies): (&str, &str, &[&str])| Package {
            name: name.to_owned(),
            folder: folder.to_owned(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        };
        let sources: Vec<_> =
            sources.iter().map(|(path, text)| SourceFile::parse(path, text)).collect();
        findings(&PACKAGES.map(package), &sources)
    }

    #[test]
    fn one_name_in_two_crates_that_meet_is_found() {
        let bottom = ("a/bottom/src/lib.rs", "\npub struct Nut(u32);");
        assert_eq!(
            found(&[bottom, ("a/bottom/middle/src/deep/down.rs", "pub enum Nut {")]),
            ["Nut: public in bottom (a/bottom/src/lib.rs:2) and in middle \
              (a/bottom/middle/src/deep/down.rs:1)"]
        );
        // Through a third crate.
        assert_eq!(
            found(&[("top/src/lib.rs", "pub trait Nut: Send {}"), bottom]),
            ["Nut: public in top (top/src/lib.rs:1) and in bottom (a/bottom/src/lib.rs:2)"]
        );
    }

    #[test]
    fn every_kind_of_type_counts() {
        for declaration in [
            "pub struct Nut;",
            "pub struct Nut<T> {",
            "    pub enum Nut {",
            "pub trait Nut {",
            "pub unsafe trait Nut {",
            "pub type Nut = u32;",
            "pub union Nut {",
        ] {
            let sources =
                [("beside/src/a.rs", declaration), ("a/bottom/src/a.rs", "pub struct Nut;")];
            assert_eq!(found(&sources).len(), 1, "{declaration}");
        }
    }

    #[test]
    fn one_name_in_two_modules_of_a_crate_is_found() {
        assert_eq!(
            found(&[("top/src/a.rs", "pub struct Nut;"), ("top/src/b.rs", "pub type Nut = u8;")]),
            ["Nut: public in top (top/src/a.rs:1) and in top (top/src/b.rs:1)"]
        );
    }

    #[test]
    fn crates_that_do_not_meet_may_have_one_name() {
        let sources = [("top/src/a.rs", "pub struct Nut;"), ("beside/src/a.rs", "pub struct Nut;")];
        assert_eq!(found(&sources), [""; 0]);
    }

    #[test]
    fn what_others_cannot_use_may_be_named_at_will() {
        let bottom = ("a/bottom/src/a.rs", "pub struct Nut;");
        for hidden in [
            "struct Nut;",
            "pub(crate) struct Nut;",
            "pub(super) enum Nut {}",
            "pub fn nut() -> Nut {",
            "pub struct Nuts;",
            "// pub struct Nut;",
            "const TEXT: &str = \"\npub struct Nut;\";",
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    pub struct Nut;\n}",
        ] {
            assert_eq!(found(&[("top/src/a.rs", hidden), bottom]), [""; 0], "{hidden}");
        }
        let declared = ("top/src/lib.rs", "#[cfg(test)]\nmod checks;");
        let nut = "pub struct Nut;";
        assert_eq!(found(&[declared, ("top/src/checks.rs", nut), bottom]), [""; 0]);
        // Of no crate that others use: tests, examples, and what is no member.
        for path in ["top/tests/a.rs", "top/examples/a.rs", "top/fuzz/src/a.rs"] {
            assert_eq!(found(&[(path, nut), bottom]), [""; 0], "{path}");
        }
    }

    #[test]
    fn two_examples_of_one_name_are_found() {
        let target = |kind: &str, name: &str| json!({ "kind": [kind], "name": name });
        let package = |name: &str, targets: &[Value]| json!({ "name": name, "targets": targets });
        let packages = [
            package("bottom", &[target("example", "cost"), target("test", "battle")]),
            package("middle", &[target("bin", "cost"), target("test", "battle")]),
            package("top", &[target("example", "cost")]),
        ];
        let found = targets_of_one_name(&json!({ "packages": packages }));
        assert_eq!(found, ["cost: in bottom and in top"]);
    }
}
