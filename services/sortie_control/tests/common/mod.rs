//! Running the real binaries: `sortie-control`, and `sortie` beside it for battle servers.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod process;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run gave.
pub(crate) struct Run {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// `sortie-control`, with no configuration from the outside.
pub(crate) fn command(arguments: &[&str]) -> Command {
    clean(Path::new(env!("CARGO_BIN_EXE_sortie-control")), arguments)
}

/// `sortie`, which lies beside `sortie-control`: battle servers, bots.
pub(crate) fn sortie(arguments: &[&str]) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_sortie-control")).with_file_name("sortie");
    assert!(program.is_file(), "build battle servers first: cargo build -p sortie");
    clean(&program, arguments)
}

fn clean(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SORTIE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs `sortie-control` to the end.
pub(crate) fn control(arguments: &[&str]) -> Run {
    finished(command(arguments).output().expect("the binary runs"))
}

/// Exit status and output of a command that has ended.
pub(crate) fn finished(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
