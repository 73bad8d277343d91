//! The command line: what it looks like and what its help teaches.

use clap::{Parser, Subcommand};
use sortie_cli::completions::CompletionsArgs;
use sortie_cli::healthcheck::HealthcheckArgs;
use sortie_cli::moved::MovedArgs;
use sortie_cli::program::{Common, after_help};

use crate::command::battle::BattleArgs;
use crate::command::bot::BotArgs;
use crate::command::replay::ReplayArgs;
use crate::command::sim::SimArgs;
use crate::command::swarm::SwarmArgs;
use crate::command::ticket::TicketArgs;

const EXAMPLES: &str = "\
Examples:
  sortie swarm --bots 200 --duration 30s         a battle of 200 bots on this machine
  sortie battle --dev-tickets                    a server for local clients
  sortie sim --players 1000 --ticks 3600 --json  what a tick costs, without a network
  sortie replay FILE --verify                    replay a battle, comparing every hash

Accounts, matchmaking, ranking, chat and administration are `sortie-control`.
";

/// Exit codes of replays and of players who were not let in.
const EXIT_CODES: &str = "\
\x20 5  the file is no replay, a damaged one, or does not come out as it was recorded
  6  the journal or replay is of another version of the simulation or of the format
  7  no player got in (no server there, another certificate, a refused ticket)
";

/// Sortie: an authoritative server for large battles.
///
/// The battle server, a swarm of bots against it, the simulation alone, and replays of every
/// battle, bit for bit.
#[derive(Parser)]
#[command(name = "sortie", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = after_help(EXAMPLES, EXIT_CODES), propagate_version = true)]
pub(crate) struct Cli {
    /// Options that all commands share.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a battle server
    Battle(BattleArgs),
    /// Let bots fight over the network, against an own server or a running one
    Swarm(SwarmArgs),
    /// Simulate at full speed without a network and measure it
    Sim(SimArgs),
    /// Look into a replay, verify it, or seek to a tick
    Replay(ReplayArgs),
    /// Ask a running server whether it is well (for containers)
    #[command(after_help = "Examples:
  sortie healthcheck                          is the process alive?
  sortie healthcheck --ready                  does it take players?
  HEALTHCHECK CMD [\"sortie\", \"healthcheck\"]   in a container file")]
    Healthcheck(HealthcheckArgs),
    /// Let a bot play with a join ticket of the control plane
    Bot(BotArgs),
    /// Issue a join ticket for development
    Ticket(TicketArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:
  sortie completions bash > ~/.local/share/bash-completion/completions/sortie")]
    Completions(CompletionsArgs),
    #[command(hide = true, disable_help_flag = true)]
    Up(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Serve(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Migrate(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Check(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Openapi(MovedArgs),
}
