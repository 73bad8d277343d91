//! That somebody is left who may do everything, whoever takes a role, bans or erases.

use sqlx::PgConnection;

/// The role that may do everything.
pub const ADMINISTRATOR: &str = "administrator";

/// Waits for everybody else who changes who the administrators are. Take it before any player is
/// held, so that nobody waits in a circle.
///
/// # Errors
/// The database is away.
pub async fn hold(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select role from role where role = $1 for no key update", ADMINISTRATOR)
        .fetch_one(db)
        .await?;
    Ok(())
}

/// Whether an administrator is left who can log in. Ask after the change, in its transaction, with
/// the administrators held.
///
/// # Errors
/// The database is away.
pub async fn is_left(db: &mut PgConnection) -> sqlx::Result<bool> {
    let is_left = sqlx::query_scalar!(
        r#"select exists (
               select from player_role r join player p using (player_id)
               where r.role = $1 and p.erased_at is null and not exists (
                   select from ban b where b.player_id = p.player_id and b.scope = 'login'
                       and b.lifted_at is null and b.expires_at is null)) as "is_left!""#,
        ADMINISTRATOR
    )
    .fetch_one(db)
    .await?;
    Ok(is_left)
}
