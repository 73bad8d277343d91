//! Rules of ours that neither rustc, clippy nor rustfmt check.

use sortie_tidy::{SourceFile, assert_none, rust_sources};

/// The one file that may call the socket system calls.
const UNSAFE_HOME: &str = "net/udp/src/sys/linux.rs";

/// Beyond this a file holds a second idea.
const LINES_MAX: usize = 600;

/// As in rustfmt.toml, which leaves strings and comments alone.
const COLUMNS_MAX: usize = 100;

#[test]
fn unsafe_lives_in_one_file() {
    let findings = all(|file| {
        if file.path == UNSAFE_HOME {
            return Vec::new();
        }
        file.findings(|line| {
            words(&line.code).any(|word| word == "unsafe")
                || line.code.contains("allow(unsafe_code)") && !file.path.starts_with("net/udp/")
        })
    });
    assert_none(&format!("unsafe code lives in {UNSAFE_HOME} only:"), &findings);
}

#[test]
fn files_hold_one_idea() {
    let findings = all(|file| match file.lines.len() {
        lines if lines > LINES_MAX => vec![format!("{}: {lines} lines", file.path)],
        _ => Vec::new(),
    });
    assert_none(&format!("look for the second idea in files over {LINES_MAX} lines:"), &findings);
}

#[test]
fn lines_fit_the_screen() {
    let findings = all(|file| file.findings(|line| line.text.chars().count() > COLUMNS_MAX));
    assert_none(&format!("lines end before column {COLUMNS_MAX}:"), &findings);
}

#[test]
fn nothing_is_left_unfinished() {
    let banned = ["todo!", "unimplemented!", "dbg!"];
    let findings =
        all(|file| file.findings(|line| banned.iter().any(|name| line.code.contains(name))));
    assert_none("finish it or leave it out:", &findings);
}

#[test]
fn no_test_is_switched_off() {
    let findings = all(|file| file.findings(|line| line.code.contains("#[ignore")));
    assert_none("a test runs or does not exist:", &findings);
}

#[test]
fn tests_do_not_sleep() {
    let findings =
        all(|file| file.findings(|line| line.in_test && line.code.contains("thread::sleep")));
    assert_none(
        "a test waits for a fact, with a deadline, or drives a simulated clock:",
        &findings,
    );
}

#[test]
fn the_simulation_iterates_in_an_order_of_its_own() {
    let findings = in_sim(|code| {
        words(code).any(|word| matches!(word, "HashMap" | "HashSet" | "RandomState"))
    });
    assert_none(
        "std's hash maps iterate in a random order; use sorted vectors or BTreeMap:",
        &findings,
    );
}

#[test]
fn the_simulation_uses_no_platform_mathematics() {
    const METHODS: &[&str] = &[
        "sin", "cos", "tan", "sin_cos", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh",
        "exp", "exp2", "exp_m1", "ln", "ln_1p", "log", "log2", "log10", "powf", "powi", "cbrt",
        "hypot",
    ];
    let findings = in_sim(|code| {
        METHODS.iter().any(|name| {
            code.contains(&format!(".{name}("))
                || code.contains(&format!("f32::{name}"))
                || code.contains(&format!("f64::{name}"))
        })
    });
    assert_none(
        "these differ between platforms; use libm's (docs/decisions/0001-determinism.md):",
        &findings,
    );
}

#[test]
fn the_simulation_has_no_clock() {
    let findings = in_sim(|code| {
        words(code).any(|word| matches!(word, "Instant" | "SystemTime" | "thread_rng"))
    });
    assert_none("a tick depends on configuration, seed and commands only:", &findings);
}

#[test]
fn doc_comments_are_no_riddles() {
    let findings = all(|file| file.findings(|line| is_riddle(&line.text)));
    assert_none("a doc comment says what a name does not: meaning, unit, range:", &findings);
}

/// Whether a line is a doc comment that only asks.
fn is_riddle(line: &str) -> bool {
    const QUESTIONS: &[&str] = &[
        "Who",
        "Whom",
        "Whose",
        "Which",
        "What",
        "When",
        "Where",
        "Why",
        "How",
        "By whom",
        "As what",
        "With what",
        "From where",
    ];
    let sentence = line.trim_start().strip_prefix("/// ").and_then(|text| text.strip_suffix('.'));
    sentence.is_some_and(|text| QUESTIONS.contains(&text))
}

#[test]
fn riddles_are_told_from_facts() {
    assert!(is_riddle("    /// Who.") && is_riddle("/// By whom."));
    assert!(!is_riddle("    /// Who fired.") && !is_riddle("// Who.") && !is_riddle("/// Who"));
}

/// Words that were once names here and hid what the trade has a name for, with that name.
const HIDING_WORDS: [(&str, &str); 11] = [
    ("Deed", "change"),
    ("Deeds", "counters"),
    ("Desk", "router, mailbox or fixture"),
    ("Face", "view"),
    ("Faces", "team views"),
    ("Gain", "priority"),
    ("Office", "state"),
    ("Plane", "app state or control plane"),
    ("Stage", "fixture, unless it is a step of a process"),
    ("Suffer", "apply faults"),
    ("Town", "pool"),
];

#[test]
fn types_are_named_in_the_words_of_the_trade() {
    let findings = all(|file| {
        // Tests for an old commit use its words; a client's and a player's stage is a step.
        let exempt = ["infra/dev/failed-before.d/", "net/client/src/", "bench/src/light/"];
        match exempt.iter().any(|home| file.path.starts_with(home)) {
            true => Vec::new(),
            false => file.findings(|line| hiding_word(&line.code).is_some()),
        }
    });
    let words = HIDING_WORDS.map(|(word, trade)| format!("{word}: {trade}")).join("; ");
    assert_none(&format!("docs/glossary.md has the trade's word ({words}):"), &findings);
}

/// The first of [`HIDING_WORDS`] that `code` declares a type of.
fn hiding_word(code: &str) -> Option<&'static str> {
    let words: Vec<_> = words(code).collect();
    let declared =
        words.windows(2).filter(|pair| matches!(pair[0], "struct" | "enum" | "trait" | "type"));
    let mut names = declared.map(|pair| pair[1]);
    names.find_map(|name| HIDING_WORDS.iter().map(|(word, _)| *word).find(|word| *word == name))
}

#[test]
fn hiding_words_are_found_where_a_type_is_declared() {
    assert_eq!(hiding_word("pub(crate) struct Desk {"), Some("Desk"));
    assert_eq!(hiding_word("type Plane = u32;"), Some("Plane"));
    assert_eq!(hiding_word("struct Desktop;"), None);
    assert_eq!(hiding_word("use other::Desk;"), None);
}

fn all(rule: impl FnMut(&SourceFile) -> Vec<String>) -> Vec<String> {
    let sources = rust_sources();
    assert!(sources.len() > 20, "the walk found only {} sources", sources.len());
    sources.iter().flat_map(rule).collect()
}

/// Findings in the code of the simulation that ships; its tests may do as they like.
fn in_sim(mut broken: impl FnMut(&str) -> bool) -> Vec<String> {
    all(|file| {
        if !file.path.starts_with("sim/") || file.path.contains("/tests/") {
            return Vec::new();
        }
        file.findings(|line| !line.in_test && broken(&line.code))
    })
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}
