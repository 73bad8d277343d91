//! Commands that are the other program's: each says so.

use std::ffi::OsString;

use anyhow::anyhow;
use clap::{ArgMatches, Args};

use crate::exit::{Failure, Result};

/// Whatever the command was given.
#[derive(Args)]
pub struct MovedArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

/// Names what to call instead: the same command of `program`, which `what` belongs to, and which
/// `package` builds.
///
/// # Errors
/// Always: exit code 2.
pub fn run(matches: &ArgMatches, what: &str, program: &str, package: &str) -> Result {
    let name = matches.subcommand_name().unwrap_or_default();
    Err(Failure::Usage.because(anyhow!(
        "{what} a program of its own: call `{program} {name}` with the same options (build it \
         with `cargo build --release -p {package}`)"
    )))
}
