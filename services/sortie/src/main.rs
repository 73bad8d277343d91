//! The `sortie` binary: reads the command line and configuration, runs one command, and turns its
//! outcome into an exit code.

mod cli;
mod command;
mod config;
mod demo;
mod exit;
mod lane;
mod plane;
mod progress;
mod queues;
mod runtime;
mod scenario;
mod secret;
mod signals;
mod units;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use serde::Serialize;
use serde::de::DeserializeOwned;

use cli::{Cli, Command, Common};
use exit::{Failure, OrFail};

/// Counts allocations for `sim`'s report; two relaxed additions per call.
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match dispatch(cli, &matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sortie: {error}");
            error.failure.into()
        }
    }
}

fn dispatch(Cli { common, command }: Cli, matches: &ArgMatches) -> exit::Result {
    sortie_kit::telemetry::init(&common.log).or_fail(Failure::Usage)?;
    let (_, matches) = matches.subcommand().expect("clap asks for a command");
    let place = Place { common: &common, matches };
    match command {
        Command::Battle(args) => place.run("battle", args, command::battle::run),
        Command::Swarm(args) => place.run("swarm", args, command::swarm::run),
        Command::Sim(args) => place.run("sim", args, command::sim::run),
        Command::Up(args) => place.run("up", args, command::up::run),
        Command::Serve(args) => place.run("serve", *args, command::serve::run),
        Command::Check(args) => place.run("serve", *args, command::check::run),
        Command::Migrate(args) => command::migrate::run(&args, &common),
        Command::Openapi(args) => command::openapi::run(&args),
        Command::Replay(args) => command::replay::run(&args, &common),
        Command::Healthcheck(args) => command::healthcheck::run(&args),
        Command::Ticket(args) => command::ticket::run(&args, &common),
        Command::Bot(args) => command::bot::run(&args, &common),
        Command::Completions(args) => command::completions::run(&args),
    }
}

/// Where a command's options came from.
struct Place<'a> {
    common: &'a Common,
    matches: &'a ArgMatches,
}

impl Place<'_> {
    /// Lays the configuration file below `args`, then runs the command or prints what came of it.
    fn run<T: Serialize + DeserializeOwned>(
        &self,
        section: &str,
        args: T,
        command: fn(&T, &Common) -> exit::Result,
    ) -> exit::Result {
        let file = config::read(self.common.config.as_deref()).or_fail(Failure::Usage)?;
        let args = config::layered(section, args, self.matches, &file).or_fail(Failure::Usage)?;
        if self.common.print_config {
            print!("{}", config::printed(section, &args).or_fail(Failure::Usage)?);
            return Ok(());
        }
        command(&args, self.common)
    }
}
