//! The command `completions SHELL`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::exit::Result;

/// Options of `completions`.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script of the program `C` on stdout.
///
/// # Errors
/// None; as all commands.
pub fn run<C: CommandFactory>(args: &CompletionsArgs) -> Result {
    let mut command = C::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    crate::say_text!("{}", String::from_utf8_lossy(&script));
    Ok(())
}
