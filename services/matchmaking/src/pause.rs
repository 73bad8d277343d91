//! The pause of those who decline ready checks, let them pass, or take their ticket back while a
//! match asks them: each time, all the others of the match have waited for nothing.
//!
//! It is the players', not the ticket's: a new ticket, queue or party does not end it. Whoever is
//! asked in a party pauses with the party.

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::Decline;

/// A player may not queue for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Pause {
    /// Who: the caller, or another of the party.
    pub player_id: Uuid,
    /// Until then.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Ready checks that failed because of the player or its party, until an hour without one.
    pub declines: i32,
}

/// Notes that a ready check failed because of these tickets.
pub(crate) async fn begin(
    db: &mut PgConnection,
    rule: &Decline,
    tickets: &[Uuid],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let noted = sqlx::query!(
        "insert into queue_pause as old (player_id, declines, declined_at, until)
         select player_id, 1, $2::timestamptz,
             $2::timestamptz + make_interval(secs => least($3::float8, $4::float8))
         from (select distinct player_id from ticket_player where ticket_id = any($1)) as asked
         order by player_id
         on conflict (player_id) do update set
             declines = case when old.declined_at > $5
                 then least(old.declines + 1, 1000) else 1 end,
             declined_at = excluded.declined_at,
             until = $2::timestamptz + make_interval(secs => least($4::float8, $3::float8
                 * 2.0 ^ (case when old.declined_at > $5
                     then least(old.declines, 20) else 0 end)))",
        tickets,
        now,
        rule.first.as_secs_f64(),
        rule.longest.as_secs_f64(),
        now - rule.forget,
    )
    .execute(db)
    .await?;
    metrics::counter!("sortie_matchmaking_pauses_total").increment(noted.rows_affected());
    Ok(())
}

/// Refuses when one of `players` pauses; the longest pause is told.
pub(crate) async fn refuse_paused(
    db: &mut PgConnection,
    players: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let pause = sqlx::query_as!(
        Pause,
        "select player_id, until, declines from queue_pause
         where player_id = any($1) and until > $2
         order by until desc, player_id limit 1",
        players,
        now
    )
    .fetch_optional(db)
    .await?;
    pause.map_or(Ok(()), |pause| {
        let wait = (pause.until - now).try_into().unwrap_or_default();
        let Pause { player_id, until, declines } = pause;
        Err(MatchmakingError::Paused { player_id, until, declines, wait })
    })
}

/// The pause of a player, if there is one.
pub(crate) async fn of(
    db: &PgPool,
    player_id: Uuid,
    now: OffsetDateTime,
) -> Result<Option<Pause>, MatchmakingError> {
    let pause = sqlx::query_as!(
        Pause,
        "select player_id, until, declines from queue_pause
         where player_id = $1 and until > $2",
        player_id,
        now
    );
    Ok(pause.fetch_optional(db).await?)
}

/// Forgets what is long ago.
pub(crate) async fn forget(
    db: &PgPool,
    rule: &Decline,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    sqlx::query!(
        "delete from queue_pause where declined_at <= $1 and until <= $2",
        now - rule.forget,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
