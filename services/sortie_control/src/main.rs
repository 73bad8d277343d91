//! The `sortie-control` binary: nodes of the control plane, and the whole product on one machine.
//! It reads the command line and configuration, runs one command, and turns its outcome into an
//! exit code.

mod cli;
mod command;
mod control_plane;
mod demo;
mod queues;
mod runtime;

use std::process::ExitCode;

use clap::ArgMatches;
use sortie_cli::program::{self, Origin};
use sortie_cli::{completions, exit, healthcheck, moved};

use cli::{Cli, Command};
use control_plane::listeners::Listener;

fn main() -> ExitCode {
    program::run(dispatch)
}

fn dispatch(Cli { common, command }: Cli, matches: &ArgMatches) -> exit::Result {
    let origin = Origin::new(&common, matches)?;
    match command {
        Command::Up(args) => origin.run("up", *args, command::up::run),
        Command::Serve(args) => origin.run("serve", *args, command::serve::run),
        Command::Check(args) => origin.run("serve", *args, command::check::run),
        Command::Migrate(args) => command::migrate::run(&args, &common),
        Command::Openapi(args) => command::openapi::run(&args),
        Command::Healthcheck(args) => {
            healthcheck::run(&args, Listener::of_key("ops").default_addr())
        }
        Command::Completions(args) => completions::run::<Cli>(&args),
        Command::Battle(_)
        | Command::Swarm(_)
        | Command::Sim(_)
        | Command::Replay(_)
        | Command::Bot(_)
        | Command::Ticket(_) => moved::run(matches, "the battle server has", "sortie", "sortie"),
    }
}
