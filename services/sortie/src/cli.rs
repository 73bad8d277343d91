//! The command line: what it looks like and what its help teaches.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command::battle::BattleArgs;
use crate::command::bot::BotArgs;
use crate::command::completions::CompletionsArgs;
use crate::command::healthcheck::HealthcheckArgs;
use crate::command::migrate::MigrateArgs;
use crate::command::openapi::OpenapiArgs;
use crate::command::replay::ReplayArgs;
use crate::command::serve::ServeArgs;
use crate::command::sim::SimArgs;
use crate::command::swarm::SwarmArgs;
use crate::command::ticket::TicketArgs;
use crate::command::up::UpArgs;
use crate::exit;

const AFTER_HELP: &str = "\
Examples:
  sortie swarm --bots 200 --duration 30s         a battle of 200 bots on this machine
  sortie up --bots 100                           the whole product, with life in it
  sortie serve --dev --database-url URL          the control plane: accounts, matches, chat
  sortie battle --dev-tickets                    a server for local clients
  sortie sim --players 1000 --ticks 3600 --json  what a tick costs, without a network
  sortie replay FILE --verify                    replay a battle, comparing every hash

Configuration: each option may stand in a TOML file (--config FILE, one [section] per command,
keys as the flags without dashes), or in the environment as shown in the command's help; the
environment beats the file, flags beat both. --print-config shows what came of it.
";

/// Sortie: an authoritative server for large battles.
///
/// One binary: the battle server, a swarm of bots against it, the simulation alone, and replays
/// of every battle, bit for bit.
#[derive(Parser)]
#[command(name = "sortie", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = const_format(AFTER_HELP), propagate_version = true)]
pub struct Cli {
    /// Options that all commands share.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that all commands share.
#[derive(Args)]
pub struct Common {
    /// TOML file with a section per command
    #[arg(long, value_name = "FILE", env = "SORTIE_CONFIG", global = true)]
    #[arg(help_heading = "Common options")]
    pub config: Option<PathBuf>,
    /// Print the effective configuration as TOML, secrets redacted, and end
    #[arg(long, global = true, help_heading = "Common options")]
    pub print_config: bool,
    /// Print one JSON report (battle: one object a line) on stdout; logs stay on stderr
    #[arg(long, global = true, help_heading = "Common options")]
    pub json: bool,
    /// What is logged to stderr: error, warn, info, debug, trace, or a filter per module
    #[arg(long, value_name = "FILTER", default_value = "warn", env = "SORTIE_LOG", global = true)]
    #[arg(help_heading = "Common options")]
    pub log: String,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Run the whole product on this machine, with bots if you like
    Up(UpArgs),
    /// Run a node of the control plane: API, chat, admin
    Serve(Box<ServeArgs>),
    /// Run a battle server
    Battle(BattleArgs),
    /// Let bots fight over the network, against an own server or a running one
    Swarm(SwarmArgs),
    /// Simulate at full speed without a network and measure it
    Sim(SimArgs),
    /// Look into a replay, verify it, or seek to a tick
    Replay(ReplayArgs),
    /// Bring the database's schema up to date, or tell how it is
    Migrate(MigrateArgs),
    /// Check the configuration of `serve` and what it needs, without serving
    Check(Box<ServeArgs>),
    /// Print the OpenAPI document of all services
    Openapi(OpenapiArgs),
    /// Ask a running server whether it is well (for containers)
    Healthcheck(HealthcheckArgs),
    /// Let a bot play with a join ticket of the control plane
    Bot(BotArgs),
    /// Issue a join ticket for development
    Ticket(TicketArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Examples and exit codes, joined once.
fn const_format(examples: &str) -> String {
    format!("{examples}\n{}", exit::HELP)
}
