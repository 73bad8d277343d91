//! Who is banned does not play.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Ban, MatchmakingError};

/// Refuses when one of `players` is banned. The reason is for the banned player alone: it is left
/// out unless that is the `caller`.
pub(crate) async fn refuse_banned(
    db: &mut PgConnection,
    caller: Uuid,
    players: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let ban = sqlx::query!(
        "select player_id, scope, reason, expires_at from ban
         where player_id = any($1) and scope in ('login', 'matchmaking')
           and lifted_at is null and (expires_at is null or expires_at > $2)
         order by player_id = $3 desc, expires_at desc nulls first limit 1",
        players,
        now,
        caller
    )
    .fetch_optional(db)
    .await?;
    match ban {
        None => Ok(()),
        Some(ban) => Err(MatchmakingError::Banned(Ban {
            reason: (ban.player_id == caller).then_some(ban.reason),
            player_id: ban.player_id,
            scope: ban.scope,
            expires_at: ban.expires_at,
        })),
    }
}
