//! The program measures what it says, small: what is right is looked at, no time is.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_quick_run_measures_every_part_and_all_of_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_bench-control"))
        .args(["--quick", "--private", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let (table, progress) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{table}\n{progress}");
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let figures = report["figures"].as_array().unwrap();
    for part in ["logins", "tokens", "matchmaking", "results", "leaderboard", "chat"] {
        assert!(table.contains(&format!("\n| {part} |")), "no {part}:\n{table}");
        assert!(figures.iter().any(|figure| figure["part"] == part), "no {part}");
    }
    for figure in figures {
        assert_eq!(figure["counts"], true, "{figure}");
        assert!(figure["median"].as_f64().unwrap() > 0.0, "{figure}");
    }
}

#[test]
fn an_unknown_part_is_refused_with_the_known_ones() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench-control"))
        .args(["--only", "weather"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("leaderboard"), "{text}");
}
