//! Out of a party. Into one: [`crate::Claim::enter_party`].

use sqlx::PgConnection;
use uuid::Uuid;

/// Takes a player out of its party, which the caller has locked and which does not wait.
///
/// # Errors
/// The database failed.
pub async fn leave(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from party_member where player_id = $1", player_id).execute(db).await?;
    Ok(())
}
