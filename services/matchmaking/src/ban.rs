//! Who is banned does not play.

use sortie_sanctions::ban;
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
    let ban = ban::from_play(db, players, caller, now).await?;
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
