//! Seats in battles: to give one up, and to take it back. What a seat is, `sortie_whereabouts`
//! says. Backfill may send others into one that was given up.

use sortie_battles::order::ServerOrder;
use sortie_whereabouts::{self as whereabouts, seat};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::state::Matchmaking;

/// Gives a player's seat up, and orders the battle's server to end the player's stay.
pub(crate) async fn give_up(
    state: &Matchmaking,
    battle_id: Uuid,
    player_id: Uuid,
) -> Result<(), MatchmakingError> {
    let mut tx = state.db().begin().await?;
    let battle = sqlx::query!(
        "select state, server_id from battle where battle_id = $1 for share",
        battle_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(MatchmakingError::UnknownBattle)?;
    let left = seat::give_up(&mut tx, battle_id, player_id).await?;
    let left = left.ok_or(MatchmakingError::NotInBattle)?;
    if !sortie_battles::state::is_live(&battle.state) {
        return Err(MatchmakingError::BattleOver(battle.state));
    }
    if let (true, Some(server_id)) = (left, battle.server_id) {
        let order = ServerOrder::kick(battle_id, player_id, "you gave up your seat");
        order.write_again(&mut tx, server_id).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Gives a player who left for good the seat back, if the team has one.
pub(crate) async fn take_back(
    state: &Matchmaking,
    battle_id: Uuid,
    player_id: Uuid,
) -> Result<(), MatchmakingError> {
    let mut tx = state.db().begin().await?;
    let taken = take(&mut tx, state, battle_id, player_id).await;
    // At once, not when the connection is used again: backfill passes by what is locked.
    if taken.is_ok() {
        tx.commit().await?
    } else {
        tx.rollback().await?
    }
    taken
}

async fn take(
    db: &mut PgConnection,
    state: &Matchmaking,
    battle_id: Uuid,
    player_id: Uuid,
) -> Result<(), MatchmakingError> {
    let queue = sqlx::query_scalar!(
        "select queue from queue_battle where battle_id = $1 for update",
        battle_id
    )
    .fetch_optional(&mut *db)
    .await?;
    let queue = queue.and_then(|name| state.settings.queue(&name));
    let team_max = queue.map(|queue| i64::from(queue.team_max));
    let claim = whereabouts::claim(&mut *db, &[player_id]).await?;
    Ok(claim.sit_again(db, battle_id, team_max).await?)
}
