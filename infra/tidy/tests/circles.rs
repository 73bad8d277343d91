//! No circles: a file can be read, tested and moved with what it uses, and without who uses it.

use sortie_tidy::circles::findings;
use sortie_tidy::{assert_none, rust_sources};

#[test]
fn no_two_files_or_folders_of_a_crate_use_each_other() {
    let findings = findings(&rust_sources());
    assert_none(
        "neighbours that use each other are one thing in two files; move what both need to a file \
         that uses neither, or put them together:",
        &findings,
    );
}

/// What the checker finds in crates that are out of order.
mod planted {
    use super::*;
    use sortie_tidy::SourceFile;

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let parse = |&(path, text): &(&str, &str)| SourceFile::parse(path, text);
        let root = ("a/src/lib.rs", "mod b;\nmod c;\nmod d;");
        let sources: Vec<_> = [root].iter().chain(sources).map(parse).collect();
        findings(&sources)
    }

    #[test]
    fn two_files_that_use_each_other_are_found() {
        assert_eq!(
            found(&[("a/src/b.rs", "\nuse crate::c::C;"), ("a/src/c.rs", "use super::b::B;")]),
            ["a: b -> c -> b (a/src/b.rs:2, a/src/c.rs:1)"]
        );
    }

    #[test]
    fn a_circle_through_a_third_is_found_once() {
        let files = [
            ("a/src/b.rs", "use crate::c::C;"),
            ("a/src/c.rs", "fn f() -> crate::d::D {}"),
            ("a/src/d.rs", "use crate::{\n    b::{self, B},\n};"),
        ];
        assert_eq!(
            found(&files),
            ["a: b -> c -> d -> b (a/src/b.rs:1, a/src/c.rs:1, a/src/d.rs:2)"]
        );
    }

    #[test]
    fn folders_that_use_each_other_are_found() {
        let files = [
            ("a/src/b/mod.rs", "mod one;\nmod two;"),
            ("a/src/b/one.rs", "use crate::c::C;"),
            ("a/src/b/two.rs", ""),
            ("a/src/c.rs", "use crate::b::two::Two;"),
        ];
        assert_eq!(found(&files), ["a: b -> c -> b (a/src/b/one.rs:1, a/src/c.rs:1)"]);
    }

    #[test]
    fn files_below_a_module_count_among_each_other() {
        let files = [
            ("a/src/b.rs", "mod one;\nmod two;"),
            ("a/src/b/one.rs", "use super::two;"),
            ("a/src/b/two.rs", "fn f() { super::one::f() }"),
        ];
        assert_eq!(found(&files), ["a: b: one -> two -> one (a/src/b/one.rs:1, a/src/b/two.rs:1)"]);
    }

    #[test]
    fn what_is_no_circle_is_none() {
        let uses_b = ("a/src/c.rs", "use crate::b::B;");
        for text in [
            "",
            "// use crate::c::C;",
            "const TEXT: &str = \"use crate::c::C;\";",
            "pub use crate::c::C;",
            "pub(crate) use crate::c::C;",
            "use other::c::C;",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::c::C;\n}",
        ] {
            assert_eq!(found(&[("a/src/b.rs", text), uses_b]), [""; 0], "{text}");
        }
        // A module and those that it declares.
        let below =
            [("a/src/b.rs", "mod one;\nuse self::one::One;"), ("a/src/b/one.rs", "use super::B;")];
        assert_eq!(found(&below), [""; 0]);
        // Of two crates.
        let other = [("a/src/b.rs", "use crate::c::C;"), ("e/src/c.rs", "use crate::b::B;")];
        assert_eq!(found(&other), [""; 0]);
    }
}
