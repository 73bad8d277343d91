//! `/v1/me/bans`: a player's own bans, and what the player says against them; and
//! `/v1/bans/{ban_id}/appeal` for those whose ban lets them say it nowhere else.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::idempotency;
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::vocabulary::{AppealState, BanScope};
use sortie_control::who::Caller;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::DONE;
use crate::text;

const APPEALS: Rate = Rate::per(10, std::time::Duration::from_secs(3_600));

pub(crate) fn routes(app: &AppState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(idempotency::kept(app, routes!(appeal)))
        // Without a login there is nobody whose idempotency keys could be kept.
        .routes(routes!(appeal_without_login))
        .with_state(app.clone())
}

/// A ban, as the banned player sees it.
#[derive(Debug, Serialize, ToSchema)]
struct MyBan {
    ban_id: Uuid,
    #[schema(value_type = BanScope)]
    scope: String,
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    issued_at: OffsetDateTime,
    /// Null: for good.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// Neither lifted nor expired.
    is_in_force: bool,
    #[schema(value_type = AppealState)]
    appeal: String,
    /// The battle that shows why.
    battle_id: Option<Uuid>,
}

/// Your bans, newest first
#[utoipa::path(get, operation_id = "list_my_bans",
    path = "/v1/me/bans", tag = "account", security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<MyBan>),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 422, description = "A value is out of bounds", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn list(
    State(app): State<AppState>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<MyBan>>> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let bans = sqlx::query_as!(
        MyBan,
        r#"select ban_id, scope, reason, issued_at, expires_at, appeal, battle_id,
               lifted_at is null and (expires_at is null or expires_at > now()) as "is_in_force!"
           from ban where player_id = $1 and ($2::uuid is null or ban_id < $2)
           order by ban_id desc limit $3"#,
        caller.player_id,
        before,
        limit + 1
    )
    .fetch_all(&app.db)
    .await?;
    Ok(Json(Page::new(bans, limit, |ban| ban.ban_id)))
}

/// An appeal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Appeal {
    /// Why the ban is wrong; 1 to 2000 characters.
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// Appeal against a ban of yours, once
#[utoipa::path(post, operation_id = "appeal_ban",
    path = "/v1/me/bans/{ban_id}/appeal", tag = "account",
    security(("bearer" = [])), params(("ban_id" = Uuid, Path, description = "The ban")),
    request_body = Appeal,
    responses((status = 204, description = "It waits for a decision"),
        (status = 400, description = "The body cannot be read", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`ban.unknown`", body = ErrorBody),
        (status = 409, description = "`ban.over`, `ban.appeal_decided`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody),
        (status = 429, description = "Too many appeals", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn appeal(
    State(app): State<AppState>,
    caller: Caller,
    Path(ban_id): Path<Uuid>,
    Json(appeal): Json<Appeal>,
) -> ApiResult<StatusCode> {
    limit(&app, caller.player_id).await?;
    write(&app, caller.player_id, ban_id, &appeal.text).await?;
    Ok(DONE)
}

/// An appeal of somebody who may not log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AppealWithToken {
    /// The `appeal_token` of the login that was refused with `account.banned`.
    #[schema(max_length = 1024)]
    appeal_token: String,
    /// Why the ban is wrong; 1 to 2000 characters.
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// Appeal against a ban that keeps you from logging in, once
///
/// `POST /v1/sessions` with the right password answers `account.banned` with an `appeal_token`.
#[utoipa::path(post, operation_id = "appeal_with_token",
    path = "/v1/bans/{ban_id}/appeal", tag = "account",
    params(("ban_id" = Uuid, Path, description = "The ban")), request_body = AppealWithToken,
    responses((status = 204, description = "It waits for a decision"),
        (status = 400, description = "The body cannot be read", body = ErrorBody),
        (status = 401, description = "`ban.appeal_token`: not one, or too old; log in to get \
            another", body = ErrorBody),
        (status = 404, description = "`ban.unknown`", body = ErrorBody),
        (status = 409, description = "`ban.over`, `ban.appeal_decided`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody),
        (status = 429, description = "Too many appeals", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn appeal_without_login(
    State(app): State<AppState>,
    Path(ban_id): Path<Uuid>,
    Json(appeal): Json<AppealWithToken>,
) -> ApiResult<StatusCode> {
    let now = app.clock.estimate();
    let known = app.access.verify_appeal(&appeal.appeal_token, now);
    let (player, of_token) = known.map_err(|_| {
        let message = "the appeal token is invalid or too old; log in to get another";
        ApiError::unauthenticated("ban.appeal_token", message)
    })?;
    limit(&app, player).await?;
    if of_token != ban_id {
        return Err(AdminError::UnknownBan.into());
    }
    write(&app, player, ban_id, &appeal.text).await?;
    Ok(DONE)
}

async fn limit(app: &AppState, player: Uuid) -> ApiResult<()> {
    let bucket = format!("admin/appeal/{player}");
    app.bus.limiter.take(&bucket, APPEALS).await.map_err(ApiError::too_many)
}

async fn write(app: &AppState, player: Uuid, ban_id: Uuid, text: &str) -> Result<(), AdminError> {
    let text = &text::sane(text, 1..=2_000, "text has 1 to 2000 characters")?;
    let mut tx = app.db.begin().await?;
    let ban = sqlx::query!(
        r#"select appeal,
               lifted_at is null and (expires_at is null or expires_at > now()) as "is_in_force!"
           from ban where ban_id = $1 and player_id = $2 for no key update"#,
        ban_id,
        player
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AdminError::UnknownBan)?;
    if !ban.is_in_force {
        return Err(AdminError::BanOver);
    }
    if ban.appeal != "none" {
        return Err(AdminError::AppealNotOpen(ban.appeal));
    }
    sortie_sanctions::ban::appeal(&mut tx, ban_id, text).await?;
    Ok(tx.commit().await?)
}
