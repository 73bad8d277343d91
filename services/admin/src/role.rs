//! `/v1/admin/roles`: sets of permissions.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::permission::{Granted, Permission, Permissions, needs};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::error::AdminError;
use crate::staff_router::{Acting, AdminState, DONE, StaffRouter};

/// Roles that the list gives, at most.
const ROLES_MAX: i64 = 1_000;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::UsersRead>("roles.list", routes!(list))
        .serve::<needs::RolesWrite>("roles.define", routes!(define))
        .serve::<needs::RolesWrite>("roles.remove", routes!(remove))
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
struct Role {
    role: String,
    /// `*` is all of them.
    #[schema(value_type = Vec<Granted>)]
    permissions: Vec<String>,
    /// Templates come with the product, and do not change.
    is_template: bool,
    /// Players who have it.
    players: i64,
}

/// What a role may do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleDefinition)]
struct Definition {
    /// All of which you have yourself.
    #[schema(max_items = 100, value_type = Vec<Permission>)]
    permissions: Vec<String>,
}

/// List the roles
#[utoipa::path(get, operation_id = "list_roles",
    path = "/v1/admin/roles", tag = "admin",
    responses((status = 200, description = "All roles", body = Vec<Role>),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn list(State(state): State<AdminState>) -> ApiResult<Json<Vec<Role>>> {
    let roles = sqlx::query_as!(
        Role,
        r#"select role, permissions, is_template,
               (select count(*) from player_role p where p.role = role.role) as "players!"
           from role order by is_template desc, role limit $1"#,
        ROLES_MAX
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(roles))
}

/// Define a role of your own, or change it
#[utoipa::path(put, operation_id = "define_role",
    path = "/v1/admin/roles/{role}", tag = "admin",
    params(("role" = String, Path, description = "Its name", pattern = "^[a-z_]{2,40}$")),
    request_body = Definition,
    responses((status = 204, description = "It is so now"),
        (status = 409, description = "`role.template`", body = ErrorBody),
        (status = 422, description = "`role.unknown_permission`", body = ErrorBody)))]
async fn define(
    State(state): State<AdminState>,
    acting: Acting,
    Path(role): Path<String>,
    Json(new): Json<Definition>,
) -> ApiResult<StatusCode> {
    write(&state, &acting, &role, new.permissions).await?;
    Ok(DONE)
}

async fn write(
    state: &AdminState,
    acting: &Acting,
    role: &str,
    mut names: Vec<String>,
) -> Result<(), AdminError> {
    names.sort();
    names.dedup();
    refuse_beyond(&acting.permissions, &names)?;
    let mut tx = state.db().begin().await?;
    let old = sqlx::query!(
        "select permissions, is_template from role where role = $1 for no key update",
        role
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(old) = &old {
        refuse_template(old.is_template)?;
        // Who changes a role changes what others have: not what is beyond oneself.
        refuse_beyond(&acting.permissions, &old.permissions)?;
    }
    sqlx::query!(
        "insert into role (role, permissions) values ($1, $2)
         on conflict (role) do update set permissions = excluded.permissions
         where not role.is_template",
        role,
        &names[..]
    )
    .execute(&mut *tx)
    .await?;
    let before = old.map(|old| json!({ "permissions": old.permissions }));
    let after = json!({ "permissions": names });
    acting.record(&mut tx, format!("role:{role}"), before, Some(after)).await?;
    Ok(tx.commit().await?)
}

/// Refuses names that are no permissions, or none of the actor's.
pub(crate) fn refuse_beyond(actor: &Permissions, names: &[String]) -> Result<(), AdminError> {
    for name in names {
        let permission = Permission::ALL.iter().find(|permission| permission.name() == name);
        let &permission = permission
            .ok_or_else(|| AdminError::UnknownPermission(name.chars().take(60).collect()))?;
        if !actor.allow(permission) {
            return Err(AdminError::Lacks(name.clone()));
        }
    }
    Ok(())
}

/// Remove a role of your own that nobody has
#[utoipa::path(delete, operation_id = "remove_role",
    path = "/v1/admin/roles/{role}", tag = "admin",
    params(("role" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone"),
        (status = 404, description = "`role.unknown`", body = ErrorBody),
        (status = 409, description = "`role.template`, `role.in_use`", body = ErrorBody)))]
async fn remove(
    State(state): State<AdminState>,
    acting: Acting,
    Path(role): Path<String>,
) -> ApiResult<StatusCode> {
    delete(&state, &acting, &role).await?;
    Ok(DONE)
}

async fn delete(state: &AdminState, acting: &Acting, role: &str) -> Result<(), AdminError> {
    let mut tx = state.db().begin().await?;
    let old =
        sqlx::query!("select permissions, is_template from role where role = $1 for update", role)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(AdminError::UnknownRole)?;
    refuse_template(old.is_template)?;
    // As a change is: what is gone cannot be given to anybody.
    refuse_beyond(&acting.permissions, &old.permissions)?;
    sqlx::query!("delete from role where role = $1", role).execute(&mut *tx).await?;
    let before = json!({ "permissions": old.permissions });
    acting.record(&mut tx, format!("role:{role}"), Some(before), None).await?;
    Ok(tx.commit().await?)
}

fn refuse_template(is_template: bool) -> Result<(), AdminError> {
    if is_template { Err(AdminError::RoleIsTemplate) } else { Ok(()) }
}
