//! Channels: a kind, and what it is about.

use sqlx::PgConnection;
use uuid::Uuid;

/// Makes a channel, unless it is there.
///
/// # Errors
/// The database failed.
pub async fn make(db: &mut PgConnection, kind: &str, about: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into chat_channel (channel_id, kind, about) values ($1, $2, $3)
         on conflict on constraint chat_channel_taken do nothing",
        Uuid::now_v7(),
        kind,
        about
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes who whispers in a channel, to find what somebody missed without reading all channels.
///
/// # Errors
/// The database failed.
pub async fn note_whisperers(
    db: &mut PgConnection,
    players: &[Uuid],
    kind: &str,
    about: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into chat_whisper (player_id, channel_id)
             select player_id, channel_id from chat_channel, unnest($1::uuid[]) player_id
             where kind = $2 and about = $3 on conflict do nothing",
        players,
        kind,
        about
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Sets the least seconds between two messages of one player, 0: no slow mode; gives what they
/// were. `None`: there is no such channel.
///
/// # Errors
/// The database failed.
pub async fn set_slow_mode(
    db: &mut PgConnection,
    channel_id: Uuid,
    seconds: i32,
) -> sqlx::Result<Option<i32>> {
    let before = sqlx::query_scalar!(
        "select slow_mode_s from chat_channel where channel_id = $1 for no key update",
        channel_id
    )
    .fetch_optional(&mut *db)
    .await?;
    if before.is_some() {
        sqlx::query!(
            "update chat_channel set slow_mode_s = $2 where channel_id = $1",
            channel_id,
            seconds
        )
        .execute(db)
        .await?;
    }
    Ok(before)
}
