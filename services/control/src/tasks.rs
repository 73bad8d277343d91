//! Work that may outlive the call that began it: streams, acts that are finished even when their
//! caller hangs up.
//!
//! All of it belongs to the node, which waits for it at its end. What is open is counted by kind,
//! and so is what panicked: nobody may be left who waits for the outcome.

use std::sync::Arc;
use std::thread;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The tasks of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<watch::Sender<usize>>);

impl Default for Tasks {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Tasks {
    /// Begins a task of a kind, like `battle_watch`. It goes on when the handle is dropped.
    pub fn spawn<T: Send + 'static>(
        &self,
        kind: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let open = Open::new(self.clone(), kind);
        tokio::spawn(async move {
            let _open = open;
            work.await
        })
    }

    /// Resolves when none is open.
    pub async fn ended(&self) {
        // An error: the sender was dropped, but it is ours.
        drop(self.0.subscribe().wait_for(|open| *open == 0).await);
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        *self.0.borrow()
    }
}

/// One task, counted for as long as this lives.
struct Open {
    tasks: Tasks,
    kind: &'static str,
}

impl Open {
    fn new(tasks: Tasks, kind: &'static str) -> Self {
        tasks.0.send_modify(|open| *open += 1);
        metrics::gauge!("sortie_tasks_open", "kind" => kind).increment(1.0);
        Self { tasks, kind }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tasks.0.send_modify(|open| *open -= 1);
        metrics::gauge!("sortie_tasks_open", "kind" => self.kind).decrement(1.0);
        if thread::panicking() {
            metrics::counter!("sortie_task_panics_total", "kind" => self.kind).increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_is_waited_for_at_the_end() {
        let tasks = Tasks::default();
        tasks.ended().await;
        let (go_on, wait) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        drop(tasks.spawn("test", async move {
            drop(wait.await);
            done.send(()).unwrap();
        }));
        let panics = tasks.spawn("test", async { panic!("as a test wants it") });
        assert!(panics.await.is_err());
        assert_eq!(tasks.open(), 1);
        go_on.send(()).unwrap();
        tasks.ended().await;
        assert_eq!(is_done.await, Ok(()));
        let never = tasks.spawn("test", std::future::pending::<()>());
        never.abort();
        tasks.ended().await;
    }
}
