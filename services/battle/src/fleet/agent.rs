//! The agent: a thread with a runtime of its own, on which everything async of the battle server
//! happens.

use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::link::{Link, Registration};
use super::reporter::Reporter;

/// How long the last word may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// The agent's thread; [`finish`](Agent::finish) ends it.
pub(super) struct Agent {
    farewell: watch::Sender<Option<Instant>>,
    thread: Option<JoinHandle<()>>,
}

/// What the agent does once the control plane knows the server.
pub(super) type OnRegistered = Box<dyn FnOnce(&Registration) + Send>;

impl Agent {
    /// Starts the thread; `make` builds what it runs, inside its runtime.
    pub(super) fn start(
        make: impl FnOnce(
            watch::Receiver<Option<Instant>>,
        ) -> anyhow::Result<(Link, Reporter, OnRegistered)>
        + Send
        + 'static,
    ) -> anyhow::Result<Self> {
        let (farewell, told) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the agent's runtime")?;
        let (link, reporter, on_registered) = {
            let _inside = runtime.enter();
            make(told)?
        };
        let run = move || {
            let mut registration = link.registration.subscribe();
            let tell = async move {
                if let Ok(known) = registration.wait_for(Option::is_some).await
                    && let Some(known) = &*known
                {
                    on_registered(known);
                }
                std::future::pending::<()>().await;
            };
            let shared = Arc::clone(&link.shared);
            runtime.block_on(async {
                let mut link = pin!(link.run());
                tokio::select! {
                    () = &mut link => {}
                    () = tell => {}
                    () = reporter.run() => {
                        shared.goodbye.notify_one();
                        // Who does not hear it will notice.
                        drop(timeout(GOODBYE_WITHIN, link).await);
                    }
                }
            });
        };
        let thread = thread::Builder::new().name("fleet".into()).spawn(run)?;
        Ok(Self { farewell, thread: Some(thread) })
    }

    /// Whether the thread ended by itself, which only faults bring about.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the agent when nothing waits in the spool, or after so long.
    pub(super) fn finish(mut self, patience: Duration) {
        self.farewell.send_replace(Some(Instant::now() + patience));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the agent's thread panicked");
        }
    }
}
