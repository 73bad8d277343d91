//! The command line as users meet it: help, configuration in layers, errors and exit codes.

mod common;

use std::net::UdpSocket;
use std::path::PathBuf;

use common::{command, finished, sortie};

const OK: i32 = 0;
const PROMISE: i32 = 1;
const USAGE: i32 = 2;
const START: i32 = 3;
const REPLAY: i32 = 5;

#[test]
fn help_teaches_by_examples_and_lists_the_exit_codes() {
    let help = sortie(&["--help"]);
    assert_eq!(help.code, OK);
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("Exit codes:"));
    for command in ["battle", "swarm", "sim", "replay", "healthcheck", "ticket"] {
        let help = sortie(&[command, "--help"]);
        assert_eq!(help.code, OK, "{}", help.stderr);
        assert!(help.stdout.contains("Example"), "{command} --help shows no example");
        assert!(help.stdout.lines().all(|line| line.chars().count() <= 100), "{command}: too wide");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = sortie(&["--version"]);
    assert_eq!(version.stdout.trim(), concat!("sortie ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_exist_for_common_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let run = sortie(&["completions", shell]);
        assert!(run.code == OK && run.stdout.contains("sortie"), "{shell}: {}", run.stderr);
    }
}

/// For one release: scripts that call the old names are told the new ones.
#[test]
fn commands_of_the_control_plane_name_their_new_program() {
    for arguments in [
        &["up", "--bots", "100"][..],
        &["serve", "--dev", "--database-url", "postgres://db"],
        &["migrate", "up", "--help"],
        &["check"],
        &["openapi"],
    ] {
        let run = sortie(arguments);
        assert_eq!(run.code, USAGE, "{arguments:?}: {}", run.stderr);
        let new_name = format!("`sortie-control {}`", arguments[0]);
        assert!(run.stderr.contains(&new_name), "{arguments:?} says: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    assert!(!sortie(&["--help"]).stdout.contains("  migrate"), "old names are not advertised");
}

#[test]
fn wrong_usage_is_refused_with_what_is_right() {
    for (arguments, hint) in [
        (&["swarm", "--bots", "0"][..], "1..=8000"),
        (&["swarm", "--duration", "30"], "30s"),
        (&["swarm", "--loss", "200%"], "100%"),
        (&["battle", "--tick-hz", "500", "--dev-tickets"], "20..=128"),
        (&["battle"], "--dev-tickets"),
        (&["fight"], "unrecognized subcommand"),
        (&["swarm", "--server", "127.0.0.1:1"], "--fingerprint"),
        (&["ticket", "--ticket-key", "abc", "--battle-id", "1"], "--ticket-key"),
    ] {
        let run = sortie(arguments);
        assert_eq!(run.code, USAGE, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(hint), "{arguments:?} says: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_flag_beats_the_environment_and_that_beats_the_file() {
    let file = file_with("[swarm]\nbots = 10\nduration = \"10s\"\nloss = \"1%\"\n");
    let path = file.path.to_str().unwrap();
    let printed = |extra: &[&str], bots_in_environment: Option<&str>| {
        let mut command = command(&["swarm", "--config", path, "--print-config"]);
        command.args(extra);
        if let Some(bots) = bots_in_environment {
            command.env("SORTIE_SWARM_BOTS", bots);
        }
        let run = finished(command.output().unwrap());
        assert_eq!(run.code, OK, "{}", run.stderr);
        run.stdout
    };
    let from_file = printed(&[], None);
    assert!(from_file.contains("bots = 10") && from_file.contains("loss = \"1%\""), "{from_file}");
    assert!(printed(&[], Some("20")).contains("bots = 20"));
    assert!(printed(&["--bots", "30"], Some("20")).contains("bots = 30"));
}

#[test]
fn the_printed_configuration_is_a_configuration_file() {
    let printed = sortie(&["battle", "--dev-tickets", "--tick-hz", "30", "--print-config"]);
    assert_eq!(printed.code, OK, "{}", printed.stderr);
    let file = file_with(&printed.stdout);
    let again = sortie(&["battle", "--config", file.path.to_str().unwrap(), "--print-config"]);
    assert_eq!(again.stdout, printed.stdout);
}

#[test]
fn secrets_are_not_printed() {
    let key = "5e".repeat(32);
    let run = sortie(&["swarm", "--print-config", "--ticket-key", &key]);
    assert!(run.code == OK && !run.stdout.contains(&key), "{}", run.stdout);
    assert!(run.stdout.contains("redacted"));
}

#[test]
fn unknown_keys_are_refused_by_name() {
    for (text, named) in [
        ("[swarm]\nbotz = 3\n", "`botz`"),
        ("[swram]\nbots = 3\n", "'swram'"),
        ("[swarm]\nbots = \"many\"\n", "[swarm]"),
        ("[swarm\n", "no valid TOML"),
    ] {
        let file = file_with(text);
        let run = sortie(&["swarm", "--config", file.path.to_str().unwrap()]);
        assert_eq!(run.code, USAGE);
        assert!(run.stderr.contains(named), "{text:?} says: {}", run.stderr);
    }
    let missing = sortie(&["swarm", "--config", "/nonexistent/sortie.toml"]);
    assert_eq!(missing.code, USAGE);
    assert!(missing.stderr.contains("/nonexistent/sortie.toml"));
}

#[test]
fn tickets_are_issued_from_a_key_file() {
    let file = file_with(&"5e".repeat(32));
    let key = file.path.to_str().unwrap();
    let base = ["ticket", "--battle-id", "2a", "--ticket-key-file", key];
    let run = sortie(&base);
    assert_eq!(run.code, OK, "{}", run.stderr);
    let ticket = run.stdout.trim();
    assert!(ticket.len() > 200 && ticket.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let named = sortie(&[&base[..], &["--name", "a\tb"]].concat());
    assert_eq!(named.code, USAGE, "a name with a tab was accepted");
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let run = sortie(
        &["battle", "--dev-tickets", "--listen", &listen, "--ops", "127.0.0.1:0"]
            .iter()
            .chain(&["--data-dir", data])
            .copied()
            .collect::<Vec<_>>(),
    );
    assert_eq!(run.code, START, "{}", run.stderr);
    assert!(run.stderr.contains(&listen) && run.stderr.contains("--listen"), "{}", run.stderr);
}

#[test]
fn unreadable_certificates_and_maps_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let junk = file_with("size_m = nonsense\n");
    let junk = junk.path.to_str().unwrap();
    let base = ["battle", "--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--data-dir", data];
    for (extra, named) in [
        (
            &["--dev-tickets", "--cert", "/nonexistent.pem", "--key", "/nonexistent.pem"][..],
            "/nonexistent.pem",
        ),
        (&["--dev-tickets", "--map", "/nonexistent.toml"], "/nonexistent.toml"),
        (&["--dev-tickets", "--map", junk], "line 1"),
    ] {
        let arguments: Vec<&str> = base.iter().chain(extra).copied().collect();
        let run = sortie(&arguments);
        assert_eq!(run.code, START, "{extra:?}: {}", run.stderr);
        assert!(run.stderr.contains(named), "{extra:?} says: {}", run.stderr);
    }
}

#[test]
fn what_is_no_replay_is_refused() {
    let junk = file_with("this is no replay");
    for action in ["--verify", "--info"] {
        let run = sortie(&["replay", junk.path.to_str().unwrap(), action]);
        assert_eq!(run.code, REPLAY, "{}", run.stderr);
    }
    let missing = sortie(&["replay", "/nonexistent.sortie", "--verify"]);
    assert!(missing.code == REPLAY && missing.stderr.contains("/nonexistent.sortie"));
}

#[test]
fn an_absent_server_is_unhealthy() {
    // Bound and dropped: nothing listens there now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ops = listener.local_addr().unwrap().to_string();
    drop(listener);
    let run = sortie(&["healthcheck", "--ops", &ops]);
    assert_eq!(run.code, PROMISE);
    assert!(run.stderr.contains(&ops), "{}", run.stderr);
}

/// A file that lives as long as the test needs it.
struct TestFile {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn file_with(text: &str) -> TestFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.toml");
    std::fs::write(&path, text).unwrap();
    TestFile { path, _folder: folder }
}
