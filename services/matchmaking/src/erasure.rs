//! A player is forgotten: out of party, queue and room, as if it had left; others go on without.
//! Leaving a match that asks costs its party the same pause as any other way of leaving it.

use sortie_control::erasure::BLANK;
use sortie_whereabouts::{self as whereabouts, queue};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ending;
use crate::settings::Decline;

/// What others of a match or a party are told.
const WHY: &str = "a player has left";

/// Forgets a player in parties, queues and rooms, in the caller's transaction.
///
/// Parties are locked before matches, those before tickets, and rooms last, as everywhere here.
///
/// # Errors
/// The database failed.
pub async fn erase(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    leave_party(&mut *db, player_id).await?;
    leave_room(&mut *db, player_id).await?;
    // Whose words a room's name is, whoever owns it since.
    sqlx::query!("update room set name = $2 where named_by = $1 and name <> $2", player_id, BLANK)
        .execute(db)
        .await?;
    Ok(())
}

async fn leave_party(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "select from party where party_id in
            (select party_id from party_member where player_id = $1) for update",
        player_id
    )
    .execute(&mut *db)
    .await?;
    let asked = sqlx::query_scalar!(
        "select distinct ticket_id from ticket_open join ticket using (ticket_id)
         where player_id = $1 and state = 'proposed'",
        player_id
    )
    .fetch_all(&mut *db)
    .await?;
    if !asked.is_empty() {
        let now = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(&mut *db).await?;
        // Whoever erases has no settings of ours; no flag changes the pauses.
        ending::withdraw(&mut *db, &Decline::default(), &asked, WHY, now).await?;
    }
    queue::withdraw_player(&mut *db, player_id, WHY).await?;
    whereabouts::party::leave(&mut *db, player_id).await?;
    for query in [
        sqlx::query!(
            "update party set leader = next.player_id from (
                select distinct on (party_id) party_id, player_id from party_member
                order by party_id, joined_at, player_id) as next
            where leader = $1 and party.party_id = next.party_id",
            player_id
        ),
        sqlx::query!("delete from party where leader = $1", player_id),
    ] {
        query.execute(&mut *db).await?;
    }
    Ok(())
}

async fn leave_room(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "select from room where owner = $1 or room_id in
                (select room_id from room_player where player_id = $1)
            order by room_id for update",
        player_id
    )
    .execute(&mut *db)
    .await?;
    whereabouts::room::leave_any(&mut *db, player_id).await?;
    for query in [
        sqlx::query!("update room set name = $2 where owner = $1", player_id, BLANK),
        sqlx::query!(
            "update room set owner = next.player_id from (
                select distinct on (room_id) room_id, player_id from room_player
                order by room_id, joined_at, player_id) as next
            where owner = $1 and room.room_id = next.room_id",
            player_id
        ),
        sqlx::query!(
            "update room set state = 'closed', closed_at = now()
            where owner = $1 and state <> 'closed'",
            player_id
        ),
    ] {
        query.execute(&mut *db).await?;
    }
    Ok(())
}
