//! What one player does not want to read of another.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// Mutes somebody; again: no change. False: there is no such player, or `most` are muted already.
///
/// # Errors
/// The database failed; the constraint `chat_mute_other` tells who mutes oneself.
pub async fn mute(
    db: impl PgExecutor<'_>,
    player_id: Uuid,
    muted: Uuid,
    most: i64,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into chat_mute (player_id, muted)
         select $1, player_id from player where player_id = $2
             and (select count(*) from chat_mute where player_id = $1) < $3
         on conflict (player_id, muted) do update set since = chat_mute.since",
        player_id,
        muted,
        most
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Unmutes somebody; again: no change.
///
/// # Errors
/// The database failed.
pub async fn unmute(db: impl PgExecutor<'_>, player_id: Uuid, muted: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from chat_mute where player_id = $1 and muted = $2", player_id, muted)
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn erase(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from chat_mute where player_id = $1 or muted = $1", player_id)
        .execute(db)
        .await?;
    Ok(())
}
