//! What a service gives to the program that runs it: routes and background work.

use std::pin::Pin;

use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;

/// A service, ready to be served.
pub struct Service {
    /// Its routes with their OpenAPI descriptions; state is applied already.
    pub routes: OpenApiRouter,
    /// Work that goes on beside calls, until the stop is asked for. Safe on several nodes at once.
    pub jobs: Vec<Job>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// Background work with a name for logs.
pub struct Job {
    /// Like `matchmaker`.
    pub name: &'static str,
    /// Ends soon after the stop is asked for.
    pub work: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Job {
    /// Names work.
    pub fn new(name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, work: Box::pin(work) }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Whoever holds it can ask everything to stop; dropping it does, too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Tells when to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A new pair.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks everything to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Resolves when the stop is asked for.
    pub async fn asked(&mut self) {
        // An error: the stopper was dropped.
        drop(self.0.wait_for(|stop| *stop).await);
    }

    /// Whether the stop was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for `period`; false when the stop was asked for instead. For the loops of jobs.
    pub async fn wait(&mut self, period: std::time::Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(period) => !self.is_asked(),
            () = self.asked() => false,
        }
    }
}
