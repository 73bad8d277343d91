//! The command line: what it looks like and what its help teaches.

use clap::{Parser, Subcommand};
use sortie_cli::completions::CompletionsArgs;
use sortie_cli::healthcheck::HealthcheckArgs;
use sortie_cli::moved::MovedArgs;
use sortie_cli::program::{Common, after_help};

use crate::command::migrate::MigrateArgs;
use crate::command::openapi::OpenapiArgs;
use crate::command::serve::ServeArgs;
use crate::command::up::UpArgs;

const EXAMPLES: &str = "\
Examples:
  sortie-control up --bots 100                     the whole product on this machine, with life
  sortie-control serve --dev --database-url URL    a node: accounts, matchmaking, ranking, chat
  sortie-control migrate up --database-url URL     the schema, before a new version's nodes start
  sortie-control check --database-url URL          would a node start with this?

Battle servers, bots and replays are `sortie`.
";

/// Sortie's control plane: accounts, matchmaking, ranking, chat, administration.
///
/// Nodes on Postgres, and on Redis where there is more than one; and everything on one machine,
/// battle servers included, for development and small deployments.
#[derive(Parser)]
#[command(name = "sortie-control", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = after_help(EXAMPLES, ""), propagate_version = true)]
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
    /// Run the whole product on this machine, with bots if you like
    Up(Box<UpArgs>),
    /// Run a node of the control plane: API, chat, admin
    Serve(Box<ServeArgs>),
    /// Bring the database's schema up to date, or tell how it is
    Migrate(MigrateArgs),
    /// Check the configuration of `serve` and what it needs, without serving
    ///
    /// With --dev it makes missing keys in the data directory, as `serve` would; nothing else is
    /// made or changed.
    Check(Box<ServeArgs>),
    /// Print the OpenAPI document of all services
    Openapi(OpenapiArgs),
    /// Ask a running node whether it is well (for containers)
    #[command(after_help = "Examples:
  sortie-control healthcheck                          is the process alive?
  sortie-control healthcheck --ready                  does it take calls?
  HEALTHCHECK CMD [\"sortie-control\", \"healthcheck\"]   in a container file")]
    Healthcheck(HealthcheckArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:
  sortie-control completions bash > ~/.local/share/bash-completion/completions/sortie-control")]
    Completions(CompletionsArgs),
    #[command(hide = true, disable_help_flag = true)]
    Battle(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Swarm(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Sim(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Replay(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Bot(MovedArgs),
    #[command(hide = true, disable_help_flag = true)]
    Ticket(MovedArgs),
}
