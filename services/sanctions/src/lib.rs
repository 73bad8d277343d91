//! Who is banned, who was reported, and what became of it.
//!
//! This crate owns `ban` and `report`; a test in `infra/tidy` sees to it that nobody else writes
//! them. Start with [`ban`]: whoever lets players in asks it, and staff place and lift.
//!
//! What is deliberately absent: who may ban whom, and what a ban does to those who are logged in,
//! waiting or fighting. The service of the staff knows both.

pub mod ban;
pub mod report;

use sqlx::PgConnection;
use uuid::Uuid;

/// Forgets what people wrote about a player, and what the player wrote about others; `blank` stands
/// where it was.
///
/// # Errors
/// The database failed.
pub async fn erase(db: &mut PgConnection, player_id: Uuid, blank: &str) -> sqlx::Result<()> {
    report::erase(&mut *db, player_id, blank).await?;
    ban::erase(db, player_id, blank).await
}
