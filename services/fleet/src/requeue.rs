//! Takes battles from a server that did not begin them.

use sqlx::PgConnection;
use uuid::Uuid;

/// Why a battle goes back.
pub(crate) struct Requeue<'a> {
    /// For the battle's status.
    pub(crate) why: &'a str,
    /// Whether it may have been the battle's own fault: after so many tries it is cancelled.
    /// `None`: it was not.
    pub(crate) tries_max: Option<i32>,
}

/// Puts those of `battles` that `server_id` was given and has not begun back to be placed, and
/// takes back the orders to open them. Should the server begin one all the same, its next
/// heartbeat brings it the order to end it.
pub(crate) async fn requeue(
    db: &mut PgConnection,
    server_id: Uuid,
    battles: &[Uuid],
    how: &Requeue<'_>,
) -> sqlx::Result<u64> {
    let moved = sqlx::query_scalar!(
        "update battle set
             state = case when tries + 1 >= $4 then 'cancelled' else 'asked' end,
             ended_at = case when tries + 1 >= $4 then now() end,
             tries = tries + case when $4::integer is null then 0 else 1 end,
             server_id = null, server_epoch = null, allocated_at = null, told_at = null,
             status = jsonb_build_object('waiting', $3::text, 'not_on', $1::uuid)
         where battle_id = any($2) and server_id = $1 and state = 'allocated'
         returning battle_id",
        server_id,
        battles,
        how.why,
        how.tries_max
    )
    .fetch_all(&mut *db)
    .await?;
    sqlx::query!(
        "delete from server_order
         where server_id = $1 and kind = 'open' and acknowledged_at is null
             and (body->>'battle_id')::uuid = any($2)",
        server_id,
        &moved
    )
    .execute(db)
    .await?;
    metrics::counter!("sortie_battles_requeued_total").increment(moved.len() as u64);
    Ok(moved.len() as u64)
}
