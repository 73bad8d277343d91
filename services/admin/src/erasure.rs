//! A player is forgotten: its roles, and what staff wrote about it.

use sqlx::PgConnection;
use uuid::Uuid;

/// Forgets a player among the staff's notes and roles, in the caller's transaction.
///
/// # Errors
/// The database failed.
pub async fn erase(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    for query in [
        sqlx::query!("delete from player_role where player_id = $1", player_id),
        sqlx::query!("delete from personal.staff_note where player_id = $1", player_id),
        sqlx::query!(
            "update personal.first_admin_link set used_by = null where used_by = $1",
            player_id
        ),
    ] {
        query.execute(&mut *db).await?;
    }
    Ok(())
}
