//! `/v1/admin/users/{player_id}/roles/{role}`: who has which role.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use sortie_control::administrators::{self, ADMINISTRATOR};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::permission::{Permission, Permissions, needs};
use sqlx::PgConnection;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::rank;
use crate::staff_router::{Acting, AdminState, DONE, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::RolesWrite>("roles.grant", routes!(grant))
        .serve::<needs::RolesWrite>("roles.take", routes!(take))
}

/// Give a player a role
#[utoipa::path(put, operation_id = "grant_role",
    path = "/v1/admin/users/{player_id}/roles/{role}", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player"),
        ("role" = String, Path, description = "The role")),
    responses((status = 200, description = "The player's roles now", body = Vec<String>),
        (status = 404, description = "`user.unknown`, `role.unknown`", body = ErrorBody),
        (status = 409, description = "`role.guest`", body = ErrorBody)))]
async fn grant(
    State(state): State<AdminState>,
    acting: Acting,
    Path((player_id, role)): Path<(Uuid, String)>,
) -> ApiResult<Json<Vec<String>>> {
    Ok(Json(change(&state, &acting, player_id, &role, true).await?))
}

/// Take a role from a player
#[utoipa::path(delete, operation_id = "take_role",
    path = "/v1/admin/users/{player_id}/roles/{role}", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player"),
        ("role" = String, Path, description = "The role")),
    responses((status = 204, description = "It is taken, or was not there"),
        (status = 404, description = "`user.unknown`, `role.unknown`", body = ErrorBody),
        (status = 409, description = "`role.last_administrator`", body = ErrorBody)))]
async fn take(
    State(state): State<AdminState>,
    acting: Acting,
    Path((player_id, role)): Path<(Uuid, String)>,
) -> ApiResult<StatusCode> {
    change(&state, &acting, player_id, &role, false).await?;
    Ok(DONE)
}

async fn change(
    state: &AdminState,
    acting: &Acting,
    player_id: Uuid,
    role: &str,
    gives: bool,
) -> Result<Vec<String>, AdminError> {
    let mut tx = state.db().begin().await?;
    administrators::hold(&mut tx).await?;
    let names = sqlx::query_scalar!("select permissions from role where role = $1", role)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(AdminError::UnknownRole)?;
    refuse_beyond(&acting.permissions, names)?;
    let target = rank::hold(&mut tx, player_id).await?;
    if gives && target.is_guest {
        return Err(AdminError::Guest);
    }
    let before = roles_of(&mut tx, player_id).await?;
    if gives {
        sqlx::query!(
            "insert into player_role (player_id, role, granted_by) values ($1, $2, $3)
             on conflict do nothing",
            player_id,
            role,
            acting.player_id
        )
        .execute(&mut *tx)
        .await?;
    } else {
        sqlx::query!("delete from player_role where player_id = $1 and role = $2", player_id, role)
            .execute(&mut *tx)
            .await?;
        if role == ADMINISTRATOR {
            rank::require_administrator(&mut tx).await?;
        }
    }
    let after = roles_of(&mut tx, player_id).await?;
    let (was, is) = (json!({ "roles": before }), json!({ "roles": after }));
    acting.record(&mut tx, format!("player:{player_id}"), Some(was), Some(is)).await?;
    tx.commit().await?;
    Ok(after)
}

/// Nobody gives or takes what is beyond them.
fn refuse_beyond(actor: &Permissions, names: Vec<String>) -> Result<(), AdminError> {
    let given = Permissions::new(names);
    let beyond = |&&permission: &&Permission| given.allow(permission) && !actor.allow(permission);
    match Permission::ALL.iter().find(beyond) {
        Some(permission) => Err(AdminError::Lacks(permission.name().to_owned())),
        None => Ok(()),
    }
}

async fn roles_of(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select role from player_role where player_id = $1 order by role",
        player_id
    )
    .fetch_all(db)
    .await
}
