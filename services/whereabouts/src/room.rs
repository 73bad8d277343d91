//! In a room, out of it, and from there into a battle. Into one: [`crate::Claim::sit`].

use sqlx::PgConnection;
use uuid::Uuid;

use crate::claim::{Claim, PlaceError};

/// From a room that the caller has locked and marked as started into its battle: player and team.
///
/// # Errors
/// Someone is elsewhere nevertheless, or no more.
pub async fn start(
    db: &mut PgConnection,
    battle_id: Uuid,
    seats: &[(Uuid, i16)],
) -> Result<(), PlaceError> {
    let (players, teams): (Vec<Uuid>, Vec<i16>) = seats.iter().copied().unzip();
    sqlx::query!(
        "insert into battle_player (battle_id, player_id, team, came_by)
         select $1, p, t, 'room' from unnest($2::uuid[], $3::smallint[]) as s (p, t) order by p",
        battle_id,
        &players,
        &teams
    )
    .execute(&mut *db)
    .await?;
    Claim(players).refuse_elsewhere(db, &[battle_id]).await
}

/// Chooses a player's team in the room where it sits; `None`: dealt at the start.
///
/// # Errors
/// The database failed.
pub async fn choose_team(
    db: &mut PgConnection,
    player_id: Uuid,
    team: Option<i16>,
) -> sqlx::Result<()> {
    sqlx::query!("update room_player set team = $2 where player_id = $1", player_id, team)
        .execute(db)
        .await?;
    Ok(())
}

/// Takes a player out of a room, which the caller has locked.
///
/// # Errors
/// The database failed.
pub async fn leave(db: &mut PgConnection, room_id: Uuid, player_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from room_player where player_id = $1 and room_id = $2",
        player_id,
        room_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a player out of whichever room it sits in, which the caller has locked.
///
/// # Errors
/// The database failed.
pub async fn leave_any(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from room_player where player_id = $1", player_id).execute(db).await?;
    Ok(())
}

/// Takes everybody out of a room that is closed.
///
/// # Errors
/// The database failed.
pub async fn empty(db: &mut PgConnection, room_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from room_player where room_id = $1", room_id).execute(db).await?;
    Ok(())
}

/// The same for all closed rooms.
///
/// # Errors
/// The database failed.
pub async fn empty_closed(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from room_player using room
         where room_player.room_id = room.room_id and room_is_closed(room.state)"
    )
    .execute(db)
    .await?;
    Ok(())
}
