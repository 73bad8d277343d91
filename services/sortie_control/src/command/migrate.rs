//! `sortie-control migrate`: the schema of the database.

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::json;
use sortie_control::store::{self, SchemaState};

use crate::runtime;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;

/// Options of `sortie-control migrate`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sortie-control migrate up --database-url postgres://sortie@db/sortie
  sortie-control migrate status --json

A migration that was applied is never changed. A database whose migrations differ from those that
this program knows is refused: nothing is touched.")]
pub(crate) struct MigrateArgs {
    /// What to do
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Apply what is pending
    Up(Database),
    /// Tell what is applied and pending; exit code 1 when the schema is not this program's
    Status(Database),
}

#[derive(Args)]
struct Database {
    /// The database: postgres://user@host/name
    #[arg(long, value_name = "URL", env = "SORTIE_DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

/// Migrates, or tells.
pub(crate) fn run(args: &MigrateArgs, common: &Common) -> Result {
    let (Action::Up(database) | Action::Status(database)) = &args.action;
    let state = runtime::small().or_fail(Failure::Start)?.block_on(async {
        let db = store::pool(&database.database_url, 2).or_fail(Failure::Usage)?;
        match &args.action {
            Action::Up(_) => store::migrate(&db).await.or_fail(Failure::Run),
            Action::Status(_) => store::schema_state(&db).await.or_fail(Failure::Run),
        }
    })?;
    show(&state, common.json);
    if state.pending.is_empty() && state.diverged.is_empty() {
        return Ok(());
    }
    Err(Failure::Promise.because(anyhow!("the schema is not the one of this program")))
}

fn show(state: &SchemaState, json: bool) {
    let SchemaState { applied, pending, diverged } = state;
    if json {
        sortie_cli::say!(
            "{}",
            json!({"applied": applied, "pending": pending, "diverged": diverged})
        );
        return;
    }
    sortie_cli::say!("applied  {applied:?}");
    sortie_cli::say!("pending  {pending:?}");
    if !diverged.is_empty() {
        sortie_cli::say!("diverged {diverged:?}");
    }
}
