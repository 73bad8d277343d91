//! Logs: to stderr, so that stdout stays a command's own.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Starts logging with a filter like `warn` or `info,sortie_battle=debug`.
///
/// # Errors
/// The filter cannot be read. A second call changes nothing.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("the log filter '{filter}' cannot be read; try 'info'"))?;
    let started = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Tests of one process may come here twice; the first filter stays.
    drop(started.try_init());
    Ok(())
}
