//! Who may act on whom, and that somebody is left who may do everything.

use sortie_control::administrators;
use sortie_control::permission::{Permission, Permissions};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::AdminError;

/// A player whose row the transaction holds.
pub(crate) struct Held {
    pub(crate) name: String,
    pub(crate) is_guest: bool,
    pub(crate) permissions: Permissions,
}

/// Holds a player still: logins wait for it, so that a ban sees every one of them. Rows that only
/// refer to the player do not wait.
pub(crate) async fn hold(db: &mut PgConnection, player_id: Uuid) -> Result<Held, AdminError> {
    let player = sqlx::query!(
        "select name, is_guest from player where player_id = $1 and erased_at is null
         for no key update",
        player_id
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or(AdminError::UnknownPlayer)?;
    let names = sqlx::query_scalar!(
        r#"select unnest(permissions) as "name!" from role
           join player_role using (role) where player_id = $1"#,
        player_id
    )
    .fetch_all(&mut *db)
    .await?;
    let permissions = Permissions::new(names);
    Ok(Held { name: player.name, is_guest: player.is_guest, permissions })
}

/// Refuses to act on somebody who may do what the actor may not.
pub(crate) fn refuse_outranked(actor: &Permissions, target: &Held) -> Result<(), AdminError> {
    let beyond = |&&permission: &&Permission| {
        target.permissions.allow(permission) && !actor.allow(permission)
    };
    match Permission::ALL.iter().find(beyond) {
        Some(&permission) => Err(AdminError::Outranked(permission)),
        None => Ok(()),
    }
}

/// Refuses unless an administrator is left; see [`administrators::is_left`].
pub(crate) async fn require_administrator(db: &mut PgConnection) -> Result<(), AdminError> {
    if administrators::is_left(db).await? { Ok(()) } else { Err(AdminError::LastAdministrator) }
}
