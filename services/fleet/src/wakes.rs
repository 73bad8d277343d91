//! Tells streams that there may be orders for their server: one connection to Postgres listens
//! for the whole process.

use std::time::Duration;

use sortie_control::service::Stop;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use uuid::Uuid;

const BACKLOG: usize = 1_024;
const RETRY: Duration = Duration::from_secs(1);

/// What was heard: a server's id, or `None` when something may have been missed.
type Wake = Option<Uuid>;

/// Hands notifications to all streams of this process.
#[derive(Clone, Debug)]
pub(crate) struct Wakes(broadcast::Sender<Wake>);

impl Wakes {
    /// Listens in a task of its own until the stop is asked for.
    pub(crate) fn start(db: PgPool, stop: Stop) -> Self {
        let (sender, _) = broadcast::channel(BACKLOG);
        tokio::spawn(listen(db, sender.clone(), stop));
        Self(sender)
    }

    /// For one server's stream.
    pub(crate) fn of(&self, server_id: Uuid) -> WakesOf {
        WakesOf { server_id, wakes: self.0.subscribe() }
    }
}

/// Notifications for one server.
pub(crate) struct WakesOf {
    server_id: Uuid,
    wakes: broadcast::Receiver<Wake>,
}

impl WakesOf {
    /// Resolves when there may be orders. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) {
        loop {
            match self.wakes.recv().await {
                Ok(Some(other)) if other != self.server_id => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The process stops; the stream's own poll goes on.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Streams look by themselves as well, so that an error here costs promptness only.
async fn listen(db: PgPool, wakes: broadcast::Sender<Wake>, mut stop: Stop) {
    let mut was_told = false;
    loop {
        match follow(&db, &wakes, &mut stop).await {
            Ok(()) => return,
            Err(error) if was_told => tracing::debug!(%error, "orders are still not announced"),
            Err(error) => {
                tracing::warn!(%error, "orders are not announced; they are looked for instead");
                was_told = true;
            }
        }
        if !stop.wait(RETRY).await {
            return;
        }
    }
}

/// Ends well only when the stop is asked for.
async fn follow(db: &PgPool, wakes: &broadcast::Sender<Wake>, stop: &mut Stop) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(db).await?;
    listener.listen("server_order").await?;
    // Nobody told us what happened before.
    let _ = wakes.send(None);
    loop {
        let heard = tokio::select! {
            heard = listener.try_recv() => heard?,
            () = stop.asked() => return Ok(()),
        };
        // An error: no stream is open now.
        let _ = wakes.send(heard.and_then(|told| Uuid::try_parse(told.payload()).ok()));
    }
}
