//! The `sortie` binary: battles, bots, the simulation alone, and replays. It reads the command
//! line and configuration, runs one command, and turns its outcome into an exit code.

mod cli;
mod command;
mod lane;
mod mode;
mod progress;
mod report;
mod scenario;
mod secret;

use std::process::ExitCode;

use clap::ArgMatches;
use sortie_cli::program::{self, Origin};
use sortie_cli::{completions, exit, healthcheck, moved};

use cli::{Cli, Command};

fn main() -> ExitCode {
    program::run(dispatch)
}

fn dispatch(Cli { common, command }: Cli, matches: &ArgMatches) -> exit::Result {
    let origin = Origin::new(&common, matches)?;
    match command {
        Command::Battle(args) => origin.run("battle", args, command::battle::run),
        Command::Swarm(args) => origin.run("swarm", args, command::swarm::run),
        Command::Sim(args) => origin.run("sim", args, command::sim::run),
        Command::Replay(args) => command::replay::run(&args, &common),
        Command::Healthcheck(args) => healthcheck::run(&args, command::battle::OPS_DEFAULT),
        Command::Ticket(args) => command::ticket::run(&args, &common),
        Command::Bot(args) => command::bot::run(&args, &common),
        Command::Completions(args) => completions::run::<Cli>(&args),
        Command::Up(_)
        | Command::Serve(_)
        | Command::Migrate(_)
        | Command::Check(_)
        | Command::Openapi(_) => {
            moved::run(matches, "the control plane has", "sortie-control", "sortie-control-plane")
        }
    }
}
