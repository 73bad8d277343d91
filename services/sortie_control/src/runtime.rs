//! tokio runtimes for the commands that need one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};

/// How often the flag that signals set is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One thread, for a call or two.
pub(crate) fn small() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A thread for each core, for servers; and as many open files as the system grants.
pub(crate) fn server() -> std::io::Result<Runtime> {
    // Each connection is one, and 1,024, the usual limit at first, are fewer than listeners take:
    // then there would be none left for the database.
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    Builder::new_multi_thread().enable_all().build()
}

/// Resolves when the flag is set.
pub(crate) async fn is_set(flag: Arc<AtomicBool>) {
    while !flag.load(Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
