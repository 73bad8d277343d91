//! What runs out: tickets that nobody asks for, ready checks, rooms, and old rows.
//!
//! Every statement takes only rows that no other node has locked, and says again in its `where`
//! what makes the row due: many nodes may run it at once, and a node may die in the middle.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::Settings;
use crate::{ending, pause, proposal};

/// Rows of a kind in one round.
const ROUND_MAX: i64 = 1_000;

/// Between two rounds that remove old rows.
const OLD_PERIOD: Duration = Duration::from_secs(60);

/// Cleans up again and again until the stop.
pub(crate) async fn run(db: PgPool, settings: Arc<Settings>, stop: Stop) {
    let (period, failing) = (settings.pace.cleanup_period, "matchmaking cannot clean up");
    let mut rounds = Rounds::new("matchmaking-cleanup", period, failing, stop).later();
    let mut old_at = Instant::now();
    while rounds.next().await {
        let mut done = clean_up(&db, &settings).await;
        if done.is_ok() && old_at.elapsed() >= OLD_PERIOD {
            old_at = Instant::now();
            done = match settings.clock.lets_remove(&db).await {
                Ok(true) => remove_old(&db, &settings).await,
                lets => lets.map(drop).map_err(MatchmakingError::from),
            };
        }
        rounds.ended(done);
    }
}

/// One round: expires tickets, ends ready checks, closes rooms and finished battles' rows.
///
/// # Errors
/// The database failed; what is due stays due.
pub async fn clean_up(db: &PgPool, settings: &Settings) -> Result<(), MatchmakingError> {
    let now = settings.now(db).await?;
    let mut tx = db.begin().await?;
    let late = proposal::fail_late(&mut tx, &settings.pace.decline, now).await?;
    tx.commit().await?;
    let mut tx = db.begin().await?;
    expire_tickets(&mut tx, now).await?;
    tx.commit().await?;
    let mut tx = db.begin().await?;
    close_rooms(&mut tx, settings, now).await?;
    close_battles(&mut tx).await?;
    tx.commit().await?;
    if late > 0 {
        tracing::debug!(late, "ready checks ran out");
    }
    Ok(())
}

async fn expire_tickets(
    db: &mut PgConnection,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let due = sqlx::query_scalar!(
        "select ticket_id from ticket where state = 'waiting' and expires_at <= $1
         limit $2 for update skip locked",
        now,
        ROUND_MAX
    )
    .fetch_all(&mut *db)
    .await?;
    ending::end(db, &due, "expired", ending::EXPIRED).await?;
    Ok(())
}

/// Rooms that nobody started, or whose battle is over.
async fn close_rooms(
    db: &mut PgConnection,
    settings: &Settings,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    let closed = sqlx::query_scalar!(
        "with due as (
            select room_id from room left join battle using (battle_id)
            where room.state = 'open' and room.created_at <= $1
               or room.state = 'started' and not battle_is_live(battle.state)
            limit $3 for update of room skip locked
        )
        update room set state = 'closed', closed_at = $2 from due
        where room.room_id = due.room_id returning room.room_id",
        now - settings.pace.room_life,
        now,
        ROUND_MAX
    )
    .fetch_all(&mut *db)
    .await?;
    if !closed.is_empty() {
        tracing::debug!(rooms = closed.len(), "rooms are closed");
    }
    // Nobody sits in a closed room, whoever closed it: its players could enter no other.
    Ok(sortie_whereabouts::room::empty_closed(db).await?)
}

/// Battles that are over are not looked at for places any more.
async fn close_battles(db: &mut PgConnection) -> Result<(), MatchmakingError> {
    sqlx::query!(
        "with due as (
            select battle_id from queue_battle join battle using (battle_id)
            where is_open and not battle_is_live(state)
            limit $1 for update of queue_battle skip locked
        )
        update queue_battle set is_open = false from due
        where queue_battle.battle_id = due.battle_id",
        ROUND_MAX
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Tickets and ready checks that ended long ago. Their ids begin with the time (UUIDv7), so that
/// the primary key finds them.
async fn remove_old(db: &PgPool, settings: &Settings) -> Result<(), MatchmakingError> {
    let now = settings.now(db).await?;
    pause::forget(db, &settings.pace.decline, now).await?;
    let before = now - settings.pace.ticket_keep;
    let (seconds, nanos) = (before.unix_timestamp(), before.nanosecond());
    let stamp = uuid::Timestamp::from_unix(
        uuid::NoContext,
        u64::try_from(seconds).unwrap_or_default(),
        nanos,
    );
    let before = Uuid::new_v7(stamp);
    sqlx::query!(
        "delete from ticket where ticket_id in (
            select ticket_id from ticket
            where ticket_id < $1 and state not in ('waiting', 'proposed')
            order by ticket_id limit $2 for update skip locked)",
        before,
        ROUND_MAX
    )
    .execute(db)
    .await?;
    sqlx::query!(
        "delete from match_proposal where match_id in (
            select match_id from match_proposal where match_id < $1 and state <> 'asking'
            order by match_id limit $2 for update skip locked)",
        before,
        ROUND_MAX
    )
    .execute(db)
    .await?;
    Ok(())
}
