//! Battles as matchmaking makes them: a row in state `asked` with its players. The fleet does
//! the rest.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::MatchmakingError;

/// What is played in a battle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// `conquest`, `deathmatch` or `walk`.
    pub mode: &'a str,
    /// A map that battle servers have.
    pub map: &'a str,
    /// Whether it counts.
    pub is_ranked: bool,
    /// Seats.
    pub players_max: u32,
    /// `None`: until the round is over.
    pub duration_s: Option<u32>,
}

/// Asks for battles with these ids; in a transaction with their players.
pub(crate) async fn ask(
    db: &mut PgConnection,
    battles: &[Uuid],
    terms: Terms<'_>,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    sqlx::query!(
        "insert into battle (battle_id, mode, map, is_ranked, players_max, duration_s, asked_at)
         select b, $2, $3, $4, $5, $6, $7 from unnest($1::uuid[]) as b",
        battles,
        terms.mode,
        terms.map,
        terms.is_ranked,
        terms.players_max as i32,
        terms.duration_s.map(|duration_s| duration_s as i32),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
