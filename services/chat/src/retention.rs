//! Messages are kept for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use sortie_control::rounds::{Round, Rounds};
use sortie_control::service::Stop;
use sortie_messages::message;
use sqlx::PgPool;

use crate::hub::Hub;
use crate::store::floor_of;

const EVERY: Duration = Duration::from_secs(3_600);

/// Messages that one statement deletes: locks stay short beside those who talk.
const ROUND: u64 = 1_000;

/// Forgets old messages until the stop.
pub(crate) async fn run(hub: Arc<Hub>, stop: Stop) {
    let failing = "old messages of chat are not deleted";
    let mut rounds = Rounds::new("chat_retention", EVERY, failing, stop);
    while rounds.next().await {
        let db = &hub.app.db;
        rounds.ended(match hub.app.clock.lets_remove(db).await {
            Ok(true) => forget_old(db, hub.settings.kept).await.map(|forgotten| {
                if forgotten > 0 {
                    tracing::info!(forgotten, "old messages of chat were deleted");
                }
                Round::Done
            }),
            lets => lets.map(|_| Round::NotYet),
        });
    }
}

/// Deletes what was said longer ago than `kept` and was not reported; says how many that were.
/// Nodes may do it at once.
///
/// # Errors
/// The database is away.
pub async fn forget_old(db: &PgPool, kept: Duration) -> sqlx::Result<u64> {
    let kept = time::Duration::try_from(kept).unwrap_or(time::Duration::MAX);
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(db).await?;
    let Some(before) = now.checked_sub(kept) else { return Ok(0) };
    let mut forgotten = 0;
    loop {
        let round = message::forget(db, floor_of(before), ROUND.cast_signed()).await?;
        forgotten += round;
        if round < ROUND {
            return Ok(forgotten);
        }
    }
}
