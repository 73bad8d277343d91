//! Whether calls would succeed: the database answers, and its schema is ours.

use std::time::{Duration, Instant};

use sortie_control::service::Stop;
use sortie_control::store;
use sortie_kit::health::Health;
use sqlx::PgPool;
use tokio::time::timeout;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the database may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Between two heartbeats.
const BEAT_EVERY: Duration = Duration::from_millis(500);

/// Says that the runtime turns, until the stop.
pub async fn beat(health: Health, mut stop: Stop) {
    loop {
        health.beat(Instant::now());
        if !stop.wait(BEAT_EVERY).await {
            return;
        }
    }
}

/// Looks at the database until the stop.
pub async fn watch(db: PgPool, health: Health, mut stop: Stop) {
    let mut was_ready = true;
    loop {
        let reason = not_ready(&db).await;
        match &reason {
            Some(reason) if was_ready => tracing::warn!(reason, "this node is not ready"),
            None if !was_ready => tracing::warn!("this node is ready again"),
            _ => {}
        }
        was_ready = reason.is_none();
        health.set_not_ready("database", reason);
        if was_ready {
            // Why not is told by the next look.
            drop(timeout(ANSWER_WITHIN, store::show(&db)).await);
        }
        if !stop.wait(LOOK_EVERY).await {
            return;
        }
    }
}

async fn not_ready(db: &PgPool) -> Option<String> {
    // A database that hangs in the middle of an answer would be taken for ready.
    match timeout(ANSWER_WITHIN, store::require_current(db)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(_) => Some("the database does not answer in time".to_owned()),
    }
}
