//! Tells streams that there may be orders for their server: one connection to Postgres listens
//! for the whole process.

use sortie_control::listening::{self, DeafError, Hearing};
use sortie_control::service::{Job, Stop};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use uuid::Uuid;

const BACKLOG: usize = 1_024;

/// What was heard: a server's id, or `None` when something may have been missed.
type Wake = Option<Uuid>;

/// Hands notifications to all streams of this process.
#[derive(Clone, Debug)]
pub(crate) struct Wakes(broadcast::Sender<Wake>);

impl Wakes {
    /// With the job that listens until the stop is asked for. Streams look by themselves as well:
    /// without it they are less prompt, and nothing else.
    pub(crate) fn new(db: PgPool, stop: Stop) -> (Self, Job) {
        let (sender, _) = broadcast::channel(BACKLOG);
        let wakes = sender.clone();
        let hearing =
            Hearing::new("wakes", "orders are not announced; they are looked for instead");
        let begin = move |hearing| follow(db.clone(), wakes.clone(), hearing);
        (Self(sender), Job::new("wakes", listening::listen(hearing, stop, begin)))
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

/// Tells what is announced until the database is away.
async fn follow(
    db: PgPool,
    wakes: broadcast::Sender<Wake>,
    hearing: Hearing,
) -> Result<(), DeafError> {
    let mut listener = PgListener::connect_with(&db).await?;
    listener.listen("server_order").await?;
    // Nobody told us what happened before.
    let _ = wakes.send(None);
    hearing.works();
    loop {
        let heard = listener.try_recv().await?;
        // An error: no stream is open now.
        let _ = wakes.send(heard.and_then(|told| Uuid::try_parse(told.payload()).ok()));
    }
}
