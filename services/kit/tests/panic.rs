//! A panic is one line of the log, in the format of the log.

use std::process::Command;

use sortie_kit::telemetry::{self, Format};

/// What a process prints on stderr that logs so and panics: this test again, as a child.
fn printed(filter: &str, format: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "the_child_panics", "--nocapture"]);
    child.env("KIT_PANIC_FILTER", filter).env("KIT_PANIC_FORMAT", format);
    let ended = child.env_remove("RUST_BACKTRACE").output().unwrap();
    assert!(!ended.status.success());
    String::from_utf8(ended.stderr).unwrap()
}

/// What the test below starts; there is nothing to it otherwise.
#[test]
fn the_child_panics() {
    let Ok(filter) = std::env::var("KIT_PANIC_FILTER") else { return };
    let is_json = std::env::var("KIT_PANIC_FORMAT").is_ok_and(|format| format == "json");
    telemetry::init(&filter, if is_json { Format::Json } else { Format::Text }).unwrap();
    // A second call changes nothing, and nothing is told twice.
    telemetry::init(&filter, Format::Text).unwrap();
    panic!("of a {}", "purpose");
}

#[test]
fn a_panic_is_one_line_of_the_log() {
    for (filter, format) in [("warn", "json"), ("warn", "text"), ("off", "text")] {
        let told = printed(filter, format);
        assert_eq!(told.matches("of a purpose").count(), 1, "{filter} {format}: {told}");
        assert!(told.contains("tests/panic.rs:"), "{told}");
    }
    let json = printed("warn", "json");
    let is_object = |line: &str| line.starts_with('{') && line.ends_with('}');
    assert!(json.lines().all(is_object), "{json}");
    assert!(
        json.contains("\"level\":\"ERROR\"") && json.contains("\"target\":\"panic\""),
        "{json}"
    );
    let text = printed("warn", "text");
    assert!(text.lines().count() == 1 && text.contains("ERROR panic: "), "{text}");
}
