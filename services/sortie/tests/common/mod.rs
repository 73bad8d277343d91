//! Running the real binary.

#![allow(dead_code, reason = "each test file uses a part")]

use std::process::{Command, Output, Stdio};

/// What a run of `sortie` gave.
pub(crate) struct Run {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The binary, with no configuration from the outside.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sortie"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SORTIE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end.
pub(crate) fn sortie(arguments: &[&str]) -> Run {
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
