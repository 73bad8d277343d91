//! The command line of `sortie-control` as users meet it.

mod common;

use common::control;

const OK: i32 = 0;
const PROMISE: i32 = 1;
const USAGE: i32 = 2;

#[test]
fn help_teaches_by_examples_and_lists_the_exit_codes() {
    let help = control(&["--help"]);
    assert_eq!(help.code, OK);
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("Exit codes:"));
    assert!(!help.stdout.contains("replay is"), "codes of the other program: {}", help.stdout);
    for command in ["up", "serve", "migrate", "openapi", "healthcheck", "completions"] {
        let help = control(&[command, "--help"]);
        assert_eq!(help.code, OK, "{}", help.stderr);
        assert!(help.stdout.contains("Example"), "{command} --help shows no example");
        assert!(help.stdout.lines().all(|line| line.chars().count() <= 100), "{command}: too wide");
    }
}

/// What scripts read is promised where they look for it.
#[test]
fn the_lines_of_up_are_documented() {
    let help = control(&["up", "--help"]).stdout;
    for named in ["one JSON object a line", "`ready`", "`report`", "by the clock", "exit code 4"] {
        assert!(help.contains(named), "{named}: {help}");
    }
}

/// Where keys are missing, `check --dev` checks those that it makes.
#[test]
fn what_check_makes_is_told() {
    let help = control(&["check", "--help"]).stdout;
    assert!(help.contains("With --dev it makes missing keys"), "{help}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = control(&["--version"]);
    assert_eq!(version.stdout.trim(), concat!("sortie-control ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_of_this_program() {
    for shell in ["bash", "zsh", "fish"] {
        let run = control(&["completions", shell]);
        assert!(run.code == OK && run.stdout.contains("sortie-control"), "{shell}: {}", run.stderr);
    }
}

#[test]
fn wrong_usage_is_refused_with_what_is_right() {
    for (arguments, hint) in [
        (&["up", "--round", "1s"][..], "--round"),
        (&["up", "--duration", "5s"], "--duration"),
        (&["serve", "--role", "king"], "api"),
        (&["serve"], "SORTIE_DATABASE_URL"),
        (&["serve"], "sortie-control up"),
        (&["fight"], "unrecognized subcommand"),
        (&["swarm", "--bots", "3"], "`sortie swarm`"),
        (&["replay", "--help"], "`sortie replay`"),
    ] {
        let run = control(arguments);
        assert_eq!(run.code, USAGE, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(hint), "{arguments:?} says: {}", run.stderr);
    }
}

#[test]
fn an_absent_node_is_unhealthy() {
    // Bound and dropped: nothing listens there now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ops = listener.local_addr().unwrap().to_string();
    drop(listener);
    let run = control(&["healthcheck", "--ops", &ops]);
    assert_eq!(run.code, PROMISE);
    assert!(run.stderr.contains(&ops), "{}", run.stderr);
}
