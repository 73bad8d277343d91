//! Out of a queue, and from there into a battle. Into one: [`crate::Claim::wait`].

use sqlx::PgConnection;
use uuid::Uuid;

/// From the queue into their battles: the players of tickets that the caller has locked and given
/// a battle and teams. Somebody who left a battle for good may be sent into it again, into the
/// other team too.
///
/// # Errors
/// The database failed.
pub async fn into_battles(
    db: &mut PgConnection,
    tickets: &[Uuid],
    came_by: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into battle_player (battle_id, player_id, team, came_by)
         select battle_id, player_id, team, $2 from ticket join ticket_player using (ticket_id)
         where ticket_id = any($1) and battle_id is not null and team is not null
         on conflict (battle_id, player_id) do update set team = excluded.team, gone_at = null
         where battle_player.gone_at is not null",
        tickets,
        came_by
    )
    .execute(&mut *db)
    .await?;
    leave(db, tickets).await
}

/// Lets the players of tickets that have ended queue again.
///
/// # Errors
/// The database failed.
pub async fn leave(db: &mut PgConnection, tickets: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!("delete from ticket_open where ticket_id = any($1)", tickets).execute(db).await?;
    Ok(())
}

/// What was taken out of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Tickets that were open.
    pub tickets: u64,
    /// Matches that were asking for them, and failed.
    pub matches: u64,
}

/// Cancels open tickets, and matches that were asking for one of them; the others in these wait on.
///
/// # Errors
/// The database failed.
pub async fn withdraw(
    db: &mut PgConnection,
    tickets: &[Uuid],
    why: &str,
) -> sqlx::Result<Withdrawn> {
    let done = sqlx::query!(
        r#"select withdrawn as "withdrawn!", failed as "failed!" from withdraw_tickets($1, $2)"#,
        tickets,
        why
    )
    .fetch_one(db)
    .await?;
    Ok(Withdrawn {
        tickets: done.withdrawn.unsigned_abs().into(),
        matches: done.failed.unsigned_abs().into(),
    })
}

/// The same with whatever a player waits with, alone or in a party; gives how many tickets.
///
/// # Errors
/// The database failed.
pub async fn withdraw_player(
    db: &mut PgConnection,
    player_id: Uuid,
    why: &str,
) -> sqlx::Result<u64> {
    let withdrawn = sqlx::query_scalar!("select withdraw_player($1, $2)", player_id, why);
    Ok(withdrawn.fetch_one(db).await?.unwrap_or_default().unsigned_abs().into())
}

/// The same with all tickets that there are; gives how many. For a database that nobody else uses.
///
/// # Errors
/// The database failed.
pub async fn withdraw_all(db: &mut PgConnection, why: &str) -> sqlx::Result<u64> {
    let withdrawn = sqlx::query_scalar!(
        r#"select withdrawn as "withdrawn!" from withdraw_tickets(
               array(select ticket_id from ticket where ticket_is_open(state)), $1)"#,
        why
    );
    Ok(withdrawn.fetch_one(db).await?.unsigned_abs().into())
}
