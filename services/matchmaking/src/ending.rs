//! How tickets end: by their time, by their players, and by ready checks that fail.

use sortie_whereabouts::queue;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::pause;
use crate::settings::Decline;

/// What has run out does not keep its players from queueing anew, swept up or not.
pub(crate) async fn expire_of(
    db: &mut PgConnection,
    players: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let stale = sqlx::query_scalar!(
        "select ticket_id from ticket
         where ticket_id in (select ticket_id from ticket_open where player_id = any($1))
           and state = 'waiting' and expires_at <= $2
         order by ticket_id for update",
        players,
        now
    )
    .fetch_all(&mut *db)
    .await?;
    end(db, &stale, "expired", EXPIRED).await?;
    Ok(())
}

/// Said of tickets that nobody asked for.
pub(crate) const EXPIRED: &str = "nobody asked for the ticket in time";

/// Ends tickets that are open; gives those that were.
pub(crate) async fn end(
    db: &mut PgConnection,
    tickets: &[Uuid],
    state: &'static str,
    why: &str,
) -> Result<Vec<Uuid>, MatchmakingError> {
    if tickets.is_empty() {
        return Ok(Vec::new());
    }
    let ended = sqlx::query_scalar!(
        "update ticket set state = $2, why = $3
         where ticket_id = any($1) and state in ('waiting', 'proposed')
         returning ticket_id",
        tickets,
        state,
        why
    )
    .fetch_all(&mut *db)
    .await?;
    queue::leave(db, &ended).await?;
    let count = ended.len() as u64;
    metrics::counter!("sortie_matchmaking_tickets_total", "event" => state).increment(count);
    Ok(ended)
}

/// Cancels the open tickets that a party waits with.
pub(crate) async fn cancel_of_party(
    db: &mut PgConnection,
    rule: &Decline,
    party_id: Uuid,
    why: &str,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let open = sqlx::query_scalar!(
        "select distinct ticket_id from ticket_open join party_member using (player_id)
         where party_id = $1",
        party_id
    )
    .fetch_all(&mut *db)
    .await?;
    withdraw(db, rule, &open, why, now).await?;
    Ok(())
}

/// Cancels open tickets; matches that were asking for them fail, which counts as declining. Gives
/// how many were open.
pub(crate) async fn withdraw(
    db: &mut PgConnection,
    rule: &Decline,
    tickets: &[Uuid],
    why: &str,
    now: OffsetDateTime,
) -> sqlx::Result<u64> {
    let withdrawn = queue::withdraw(&mut *db, tickets, why).await?;
    metrics::counter!("sortie_matchmaking_tickets_total", "event" => "cancelled")
        .increment(withdrawn.tickets);
    metrics::counter!("sortie_matchmaking_proposals_total", "event" => "failed")
        .increment(withdrawn.matches);
    if withdrawn.matches > 0 {
        // Those that wait on are in no match any more.
        let declined = sqlx::query_scalar!(
            "select ticket_id from ticket
             where ticket_id = any($1) and state = 'cancelled' and match_id is not null",
            tickets
        )
        .fetch_all(&mut *db)
        .await?;
        pause::begin(db, rule, &declined, now).await?;
    }
    Ok(withdrawn.tickets)
}
