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

/// How far an end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// No new calls; those that are open end.
    Closing,
    /// All ends.
    Stopping,
}

/// Whoever holds it can ask everything to stop; dropping it does, too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Phase>);

/// Tells when to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Phase>);

/// A new pair.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks calls that would stay open to end: streams, sockets. Jobs go on.
    pub fn close(&self) {
        self.0.send_if_modified(|phase| {
            let is_first = *phase == Phase::Running;
            *phase = (*phase).max(Phase::Closing);
            is_first
        });
    }

    /// Asks everything to stop.
    pub fn stop(&self) {
        self.0.send_replace(Phase::Stopping);
    }
}

impl Stop {
    /// Resolves when the stop is asked for. For jobs.
    pub async fn asked(&mut self) {
        // An error: the stopper was dropped.
        drop(self.0.wait_for(|phase| *phase == Phase::Stopping).await);
    }

    /// Resolves when calls are to end, which is before jobs are to. For whatever keeps one open.
    pub async fn closing(&mut self) {
        drop(self.0.wait_for(|phase| *phase >= Phase::Closing).await);
    }

    /// Whether the stop was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() == Phase::Stopping || self.0.has_changed().is_err()
    }

    /// Waits for `period`; false when the stop was asked for instead. For the loops of jobs.
    pub async fn wait(&mut self, period: std::time::Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(period) => !self.is_asked(),
            () = self.asked() => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_ready(future: impl Future) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(pin!(future).poll(&mut context), Poll::Ready(_))
    }

    #[test]
    fn calls_end_before_jobs_and_both_when_nobody_can_ask_any_more() {
        let (stopper, mut asked) = stop();
        assert!(!is_ready(asked.closing()) && !is_ready(asked.asked()) && !asked.is_asked());
        stopper.close();
        assert!(is_ready(asked.closing()) && !is_ready(asked.asked()) && !asked.is_asked());
        stopper.stop();
        stopper.close();
        assert!(is_ready(asked.closing()) && is_ready(asked.asked()) && asked.is_asked());
        let (stopper, mut asked) = stop();
        drop(stopper);
        assert!(is_ready(asked.closing()) && is_ready(asked.asked()) && asked.is_asked());
    }
}
