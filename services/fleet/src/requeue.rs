//! Takes battles from a server that did not begin them.

use sortie_battles::battle;
pub(crate) use sortie_battles::battle::Requeue;
use sqlx::PgConnection;
use uuid::Uuid;

/// Puts those of `battles` that `server_id` was given and has not begun back to be placed, and
/// counts them.
pub(crate) async fn requeue(
    db: &mut PgConnection,
    server_id: Uuid,
    battles: &[Uuid],
    how: &Requeue<'_>,
) -> sqlx::Result<u64> {
    let moved = battle::requeue(db, server_id, battles, how).await?;
    metrics::counter!("sortie_battles_requeued_total").increment(moved);
    Ok(moved)
}
