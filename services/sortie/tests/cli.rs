//! The command line as users meet it: help, configuration in layers, errors and exit codes.

mod common;

use std::net::UdpSocket;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{command, finished, sortie};
use serde_json::{Value, json};
use sortie_battle::journal::{Journal, JournalHeader, JournalOptions};
use sortie_field::Map;
use sortie_sim::config::SimConfig;
use sortie_sim::id::Tick;

const OK: i32 = 0;
const PROMISE: i32 = 1;
const USAGE: i32 = 2;
const START: i32 = 3;
const RUN: i32 = 4;
const REPLAY: i32 = 5;
const VERSION: i32 = 6;
const SHUT_OUT: i32 = 7;

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
        (&["swarm", "--bots", "0"][..], "a number from 1 to 8000"),
        (&["swarm", "--bots", "many"], "a number from 1 to 8000"),
        (&["swarm", "--duration", "0s"], "--duration must be longer than 0"),
        (&["swarm", "--server", "localhost"], "192.0.2.7:7777"),
        (&["swarm", "--duration", "30"], "30s"),
        (&["swarm", "--loss", "200%"], "100%"),
        (&["battle", "--tick-hz", "500", "--dev-tickets"], "20..=128"),
        (&["battle"], "--dev-tickets"),
        (&["fight"], "unrecognized subcommand"),
        (&["swarm", "--server", "127.0.0.1:1"], "--fingerprint"),
        (&["ticket", "--ticket-key", "abc", "--battle-id", "1"], "--ticket-key: 64 hexadecimal"),
        (&["swarm", "--log", "nonsense=foo"], "nonsense=foo"),
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
fn names_that_nobody_knows_are_told_with_those_that_were_meant() {
    for (text, named) in [
        ("[swarm]\nbotz = 3\n", "`botz`"),
        ("[swram]\nbots = 3\n", "`swram`; is it `swarm`?"),
        ("[swarm]\nbots = \"many\"\n", "[swarm]"),
        ("[swarm\n", "line 1"),
    ] {
        let file = file_with(text);
        let run = sortie(&["swarm", "--config", file.path.to_str().unwrap()]);
        assert_eq!(run.code, USAGE);
        assert!(run.stderr.contains(named), "{text:?} says: {}", run.stderr);
    }
    let flag = sortie(&["swarm", "--botz", "3"]);
    assert_eq!(flag.code, USAGE);
    assert!(flag.stderr.contains("'--bots'"), "{}", flag.stderr);
    let mut command = command(&["swarm", "--print-config"]);
    let run = finished(command.env("SORTIE_SWARM_BOTZ", "3").output().unwrap());
    assert_eq!(run.code, OK, "{}", run.stderr);
    let told = "SORTIE_SWARM_BOTZ, which nobody reads; is it `SORTIE_SWARM_BOTS`?";
    assert!(run.stderr.contains(told), "{}", run.stderr);
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
    let bytes = BASE64.decode(ticket).expect("what the API calls join_ticket");
    assert!((100..300).contains(&bytes.len()));
    for name in ["a\tb", "", &"x".repeat(33)] {
        let named = sortie(&[&base[..], &["--name", name]].concat());
        assert_eq!(named.code, USAGE, "{name:?} was accepted");
        let told = named.stderr.contains("--name") && named.stderr.contains("1 to 32 bytes");
        assert!(told, "{name:?}: {}", named.stderr);
    }
}

#[test]
fn a_bot_takes_what_ticket_prints_and_says_why_it_never_got_in() {
    let file = file_with(&"5e".repeat(32));
    let key = file.path.to_str().unwrap();
    let run = sortie(&["ticket", "--battle-id", "2a", "--ticket-key-file", key]);
    // Somebody listens there who says nothing.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (server, fingerprint) = (silent.local_addr().unwrap().to_string(), "ab".repeat(32));
    let ticket = run.stdout.trim();
    let base = ["bot", "--server", &server, "--fingerprint", &fingerprint];
    let run = sortie(&[&base[..], &["--join-ticket", ticket]].concat());
    assert_eq!(run.code, SHUT_OUT, "{}", run.stderr);
    assert!(run.stderr.contains(&server) && run.stderr.contains("does not answer"));
}

/// Its time may be over before the client has given up.
#[test]
fn a_bot_whose_time_is_over_says_how_it_was() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (server, fingerprint) = (silent.local_addr().unwrap().to_string(), "ab".repeat(32));
    let ticket = BASE64.encode([1; 64]);
    let base = ["bot", "--server", &server, "--fingerprint", &fingerprint, "--duration", "1s"];
    let bots = ["--join-ticket", &ticket, "--join-ticket", &ticket];
    let run = sortie(&[&base[..], &bots].concat());
    assert_eq!((run.code, run.stdout.as_str()), (SHUT_OUT, ""), "{}", run.stderr);
    assert_eq!(
        run.stderr.matches(": the server has not answered yet").count(),
        2,
        "{}",
        run.stderr
    );
    let run = sortie(&[&base[..], &bots, &["--json"]].concat());
    assert_eq!(run.code, SHUT_OUT, "{}", run.stderr);
    let told = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told: Vec<_> = told.map(|bot| (bot["bot"].clone(), bot["played"].clone())).collect();
    assert_eq!(told, [(json!(1), json!(false)), (json!(2), json!(false))]);
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let file = file_with(&"5e".repeat(32));
    let key = file.path.to_str().unwrap();
    let cases: [&[&str]; 3] = [
        &["ticket", "--battle-id", "2a", "--ticket-key-file", key],
        &["sim", "--players", "4", "--ticks", "30"],
        &["battle", "--print-config"],
    ];
    for arguments in cases {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(arguments).stdout(writer).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("error:"), "{arguments:?}: {stderr}");
        assert_ne!(output.status.code(), Some(101), "{arguments:?}: {stderr}");
    }
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

/// The next start would take it up, with its rules and map, whatever that one is told.
#[test]
fn a_start_that_fails_leaves_no_battle_behind() {
    let clients = UdpSocket::bind("127.0.0.1:0").unwrap();
    let operators = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (clients, operators) = (clients.local_addr().unwrap(), operators.local_addr().unwrap());
    // The last one gets as far as the battle: the key is read when that is there.
    let damaged = tempfile::tempdir().unwrap();
    std::fs::write(damaged.path().join("resume-key"), "no 32 bytes").unwrap();
    let free = "127.0.0.1:0".to_owned();
    for (listen, ops, folder) in [
        (clients.to_string(), free.clone(), tempfile::tempdir().unwrap()),
        (free.clone(), operators.to_string(), tempfile::tempdir().unwrap()),
        (free.clone(), free, damaged),
    ] {
        let data = folder.path().to_str().unwrap();
        let battle = ["battle", "--dev-tickets", "--data-dir", data, "--listen", &listen];
        let run = sortie(&[&battle[..], &["--ops", &ops]].concat());
        assert_eq!(run.code, START, "{}", run.stderr);
        let left = std::fs::read_dir(data).unwrap().flatten().map(|entry| entry.file_name());
        let left: Vec<_> = left.filter(|name| name.to_str().unwrap().contains("battle")).collect();
        assert!(left.is_empty(), "{listen}, {ops}: {left:?}");
    }
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
        assert_eq!(run.stderr.matches("file.toml").count(), 1, "{}", run.stderr);
    }
    let missing = sortie(&["replay", "/nonexistent.sortie", "--verify"]);
    assert_eq!(missing.code, START, "{}", missing.stderr);
    let told = "sortie: cannot read /nonexistent.sortie: No such file or directory (os error 2)\n";
    assert_eq!(missing.stderr, told);
}

/// A battle fought by other rules is neither damaged nor different, and no server takes it up.
#[test]
fn a_battle_of_another_simulation_is_refused_by_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("battle.journal");
    let header = JournalHeader {
        battle_id: 7,
        created_ms: 0,
        seed: 7,
        simulation: "sortie-sim 1".to_owned(),
        rules: SimConfig::default().to_toml(),
        map: Map::plain(96.0).document(),
    };
    let file = std::fs::File::create_new(&path).unwrap();
    let mut journal = Journal::create(file, &header, JournalOptions::default()).unwrap();
    journal.push_tick(Tick(1), 0x1234_5678, &[], &[]);
    // Dropped without an end: a server that died.
    drop(journal);
    let file = path.to_str().unwrap();
    for action in [&["--info"][..], &["--verify"], &["--seek", "1"]] {
        let run = sortie(&[&["replay", file][..], action].concat());
        assert_eq!(run.code, VERSION, "{action:?}: {}", run.stderr);
        assert!(run.stderr.contains("of sortie-sim 1"), "{action:?}: {}", run.stderr);
    }
    let data = folder.path().to_str().unwrap();
    let battle = ["battle", "--dev-tickets", "--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0"];
    let run = sortie(&[&battle[..], &["--data-dir", data]].concat());
    assert_eq!(run.code, VERSION, "{}", run.stderr);
    let says = &run.stderr;
    assert!(says.contains("of sortie-sim 1") && says.contains("move"), "{says}");
    assert!(path.exists(), "it is left for a server that knows it");
}

#[test]
fn an_absent_server_is_unhealthy() {
    // Bound and dropped: nothing listens there now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ops = listener.local_addr().unwrap().to_string();
    drop(listener);
    let run = sortie(&["healthcheck", "--ops", &ops]);
    assert_eq!(run.code, PROMISE);
    assert!(run.stderr.contains(&format!("--ops {ops}? (")), "{}", run.stderr);
}

/// A stream that takes nothing more costs neither the run nor its exit code; a report that was not
/// written is a failure.
#[test]
fn full_disks_and_closed_pipes_are_told_apart() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let swarm = ["swarm", "--bots", "2", "--duration", "2s", "--data-dir", data, "--json"];
    let run = finished(command(&swarm).stderr(full()).output().unwrap());
    assert_eq!(run.code, 0, "only the log is lost");
    assert!(run.stdout.contains("clients_connected"), "{}", run.stdout);
    let absent = ["replay", "/nonexistent"];
    let told = sortie(&absent);
    let untold = finished(command(&absent).stderr(full()).output().unwrap());
    assert_eq!((told.code, untold.code, told.stderr.is_empty()), (untold.code, told.code, false));

    let sim = ["sim", "--players", "4", "--ticks", "60", "--json"];
    for arguments in [&sim[..], &["completions", "bash"]] {
        let run = finished(command(arguments).stdout(full()).output().unwrap());
        assert_eq!(run.code, RUN, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("cannot write to stdout"), "{}", run.stderr);
        // Whoever closes a pipe has read enough.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = finished(command(arguments).stdout(writer).output().unwrap());
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
    }
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
