//! Logs: to stderr, so that stdout stays a command's own.

use std::io::{IsTerminal, stderr};

use anyhow::{Context, bail};
use tracing_subscriber::EnvFilter;

/// Chooses how a log line looks: `text`, the default, or `json`, an object a line for machines.
pub const FORMAT_ENVIRONMENT: &str = "SORTIE_LOG_FORMAT";

/// Starts logging with a filter like `warn` or `info,sortie_battle=debug`.
///
/// # Errors
/// The filter cannot be read, or the format is none. A second call changes nothing.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("the log filter '{filter}' cannot be read; try 'info'"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    // Tests of one process may come here twice; the first choice stays.
    let _ = match std::env::var(FORMAT_ENVIRONMENT).as_deref() {
        Err(_) | Ok("" | "text") => lines.try_init(),
        Ok("json") => lines.json().try_init(),
        Ok(other) => bail!("{FORMAT_ENVIRONMENT} is '{other}'; it must be text or json"),
    };
    Ok(())
}
