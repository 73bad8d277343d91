//! Commands that are `sortie-control`'s now: each says so, for one release.

use std::ffi::OsString;

use anyhow::anyhow;
use clap::{ArgMatches, Args};
use sortie_cli::exit::{Failure, Result};

/// Whatever the command was given.
#[derive(Args)]
pub struct MovedArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

/// Names the command to call instead.
///
/// # Errors
/// Always: exit code 2.
pub fn run(_: &MovedArgs, matches: &ArgMatches) -> Result {
    let name = matches.subcommand_name().unwrap_or_default();
    Err(Failure::Usage.because(anyhow!(
        "the control plane has a program of its own: call `sortie-control {name}` with the same \
         options (build it with `cargo build --release -p sortie-control-plane`)"
    )))
}
