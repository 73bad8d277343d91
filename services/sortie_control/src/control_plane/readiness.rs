//! Whether calls would succeed: the database answers and can be written to, its schema is ours, and
//! this machine's clock is right.

use std::time::{Duration, Instant};

use sortie_control::app::AppState;
use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;
use sortie_control::store;
use sortie_kit::causes;
use sortie_kit::health::Health;
use tokio::time::timeout;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the database may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Between two heartbeats.
const BEAT_EVERY: Duration = Duration::from_millis(500);

/// Says that the runtime turns, until the stop.
pub(crate) async fn beat(health: Health, mut stop: Stop) {
    loop {
        health.beat(Instant::now());
        if !stop.wait(BEAT_EVERY).await {
            return;
        }
    }
}

/// Looks at the database and the clock until the stop.
pub(crate) async fn watch(app: AppState, health: Health, stop: Stop) {
    let mut rounds = Rounds::new("readiness", LOOK_EVERY, "this node is not ready", stop);
    let mut was_ready = true;
    while rounds.next().await {
        let database = not_ready(&app).await;
        let clock = app.clock.fault();
        let reason = database.clone().or_else(|| clock.clone());
        health.set_not_ready("database", database);
        health.set_not_ready("clock", clock);
        if reason.is_none() {
            if !was_ready {
                tracing::warn!("this node is ready again");
            }
            // Why not is told by the next look.
            drop(timeout(ANSWER_WITHIN, store::show(&app.db)).await);
        }
        was_ready = reason.is_none();
        rounds.ended(reason.map_or(Ok(()), Err));
    }
}

async fn not_ready(app: &AppState) -> Option<String> {
    let looks = async {
        store::require_current(&app.db).await?;
        store::require_writable(&app.db).await?;
        app.clock.ask(&app.db).await?;
        anyhow::Ok(())
    };
    // A database that hangs in the middle of an answer would be taken for ready.
    match timeout(ANSWER_WITHIN, looks).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(causes::told(&error)),
        Err(_) => Some("the database does not answer in time".to_owned()),
    }
}
