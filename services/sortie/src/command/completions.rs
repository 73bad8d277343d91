//! `sortie completions SHELL`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Result;

/// Options of `sortie completions`.
#[derive(Args)]
#[command(after_help = "Example:
  sortie completions bash > ~/.local/share/bash-completion/completions/sortie")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script on stdout.
pub fn run(args: &CompletionsArgs) -> Result {
    clap_complete::generate(args.shell, &mut Cli::command(), "sortie", &mut std::io::stdout());
    Ok(())
}
