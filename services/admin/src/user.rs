//! `GET /v1/admin/users`, and what is done to a player's account.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_control::audit::digest;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use sortie_control::text::look;
use sortie_control::text::name::{self, BadName};
use sortie_control::text::words::Words;
use sortie_control::vocabulary::LoginEnd;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::effect;
use crate::error::AdminError;
use crate::rank;
use crate::staff_router::{Acting, AdminState, DONE, StaffRouter};

/// Longest search: an e-mail address.
const SEARCH_CHARS_MAX: usize = 254;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::UsersRead>("users.search", routes!(search))
        .serve::<needs::UsersWrite>("users.rename", routes!(rename))
        .serve::<needs::UsersWrite>("users.logout", routes!(log_out))
        .serve::<needs::UsersWrite>("users.remove_totp", routes!(remove_totp))
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Search {
    /// How a name or an e-mail address begins, or a whole id; nothing: everybody.
    #[serde(default)]
    #[param(max_length = 254)]
    q: String,
}

/// A player in a list.
#[derive(Debug, Serialize, ToSchema)]
struct UserRow {
    player_id: Uuid,
    name: String,
    is_guest: bool,
    /// Whether the account was erased.
    is_erased: bool,
    /// Whether any ban is in force.
    is_banned: bool,
    /// Names of the roles that the player has; only staff have any.
    roles: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// Search players by name, e-mail address or id; newest first
#[utoipa::path(get, operation_id = "search_users",
    path = "/v1/admin/users", tag = "admin", params(Search, PageQuery),
    responses((status = 200, description = "A page", body = Page<UserRow>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn search(
    State(state): State<AdminState>,
    Query(search): Query<Search>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<UserRow>>> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let q = search.q.trim().to_lowercase();
    if q.chars().count() > SEARCH_CHARS_MAX {
        return Err(AdminError::BadValue("q has at most 254 characters").into());
    }
    let id = q.parse::<Uuid>().ok();
    let prefix = format!("{}%", q.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    let rows = sqlx::query_as!(
        UserRow,
        r#"select p.player_id, p.name, p.is_guest, p.erased_at is not null as "is_erased!",
               exists (select from ban b where b.player_id = p.player_id and b.lifted_at is null
                   and (b.expires_at is null or b.expires_at > now())) as "is_banned!",
               array(select role from player_role r where r.player_id = p.player_id order by role)
                   as "roles!",
               p.created_at
           from player p left join personal.identity i using (player_id)
           where ($1 = '%' or p.name_key like $1 or i.email_key like $1 or p.player_id = $2)
               and ($3::uuid is null or p.player_id < $3)
           order by p.player_id desc limit $4"#,
        prefix,
        id,
        before,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(Page::new(rows, limit, |row| row.player_id)))
}

/// A new name for a player.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewName {
    /// 3 to 24 letters, digits, blanks and `_.-`, nobody else's.
    #[schema(min_length = 3, max_length = 24)]
    name: String,
}

/// Change the name of a player
#[utoipa::path(put, operation_id = "rename_user",
    path = "/v1/admin/users/{player_id}/name", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player")), request_body = NewName,
    responses((status = 204, description = "It is changed"),
        (status = 404, description = "`user.unknown`", body = ErrorBody),
        (status = 409, description = "`user.name_taken`, `user.name_similar`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn rename(
    State(state): State<AdminState>,
    acting: Acting,
    Path(player_id): Path<Uuid>,
    Json(new): Json<NewName>,
) -> ApiResult<StatusCode> {
    set_name(&state, &acting, player_id, &new.name).await?;
    Ok(DONE)
}

async fn set_name(
    state: &AdminState,
    acting: &Acting,
    player_id: Uuid,
    name: &str,
) -> Result<(), AdminError> {
    let name = &name::chosen(name, &name::PLAYER).map_err(|bad| {
        AdminError::BadValue(match bad {
            BadName::Shape => "a name has 3 to 24 letters and digits",
            BadName::Scripts => "a name may not mix letters of several scripts",
            BadName::Reserved => "this name is reserved, also from staff",
        })
    })?;
    if Words::load(state.db()).await?.refuse_name(name) {
        return Err(AdminError::BadValue("there is a word of the filter in this name"));
    }
    let mut tx = state.db().begin().await?;
    let target = rank::hold(&mut tx, player_id).await?;
    rank::refuse_outranked(&acting.permissions, &target)?;
    state.keeper.rename(&mut tx, player_id, name).await?;
    if *name != target.name {
        look::take(&mut tx, player_id, name).await?;
    }
    let before = json!({ "name": digest(&target.name) });
    let after = json!({ "name": digest(name) });
    acting.record(&mut tx, format!("player:{player_id}"), Some(before), Some(after)).await?;
    Ok(tx.commit().await?)
}

/// Log a player out everywhere
#[utoipa::path(post, operation_id = "log_out_user",
    path = "/v1/admin/users/{player_id}/logout", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player")),
    responses((status = 204, description = "All logins have ended"),
        (status = 404, description = "`user.unknown`", body = ErrorBody)))]
async fn log_out(
    State(state): State<AdminState>,
    acting: Acting,
    Path(player_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    let ended = end_logins(&state, &acting, player_id).await?;
    effect::tell_logins_ended(&state.app, player_id, &ended, "staff").await;
    Ok(DONE)
}

async fn end_logins(
    state: &AdminState,
    acting: &Acting,
    player_id: Uuid,
) -> Result<Vec<Uuid>, AdminError> {
    let mut tx = state.db().begin().await?;
    let target = rank::hold(&mut tx, player_id).await?;
    rank::refuse_outranked(&acting.permissions, &target)?;
    let ended = state.keeper.end_logins(&mut tx, player_id, LoginEnd::Staff).await?;
    let after = json!({ "logins_ended": ended.len() });
    acting.record(&mut tx, format!("player:{player_id}"), None, Some(after)).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Take a lost authenticator from a player
///
/// Its logins need no code until another one is confirmed. Make sure who asks for it.
#[utoipa::path(delete, operation_id = "remove_user_totp",
    path = "/v1/admin/users/{player_id}/totp", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player")),
    responses((status = 204, description = "It is taken"),
        (status = 404, description = "`user.unknown`", body = ErrorBody),
        (status = 409, description = "`user.no_totp`, `admin.oneself`", body = ErrorBody)))]
async fn remove_totp(
    State(state): State<AdminState>,
    acting: Acting,
    Path(player_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    totp_removed(&state, &acting, player_id).await?;
    Ok(DONE)
}

async fn totp_removed(
    state: &AdminState,
    acting: &Acting,
    player_id: Uuid,
) -> Result<(), AdminError> {
    if acting.player_id == player_id {
        // With one's own code, on one's own account: a stolen login must not do it here.
        return Err(AdminError::Oneself);
    }
    let mut tx = state.db().begin().await?;
    let target = rank::hold(&mut tx, player_id).await?;
    rank::refuse_outranked(&acting.permissions, &target)?;
    if !state.keeper.take_totp(&mut tx, player_id).await? {
        return Err(AdminError::NoTotp);
    }
    let (before, after) = (json!({ "has_totp": true }), json!({ "has_totp": false }));
    acting.record(&mut tx, format!("player:{player_id}"), Some(before), Some(after)).await?;
    Ok(tx.commit().await?)
}
