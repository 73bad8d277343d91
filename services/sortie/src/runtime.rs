//! tokio runtimes for the commands that need one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// How often the flag that signals set is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One thread, for a call or two.
pub fn small() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A thread for each core, for servers.
pub fn server() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

/// Resolves when the flag is set.
pub async fn is_set(flag: Arc<AtomicBool>) {
    while !flag.load(Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
