//! `POST /v1/admin/bans`, and what becomes of a ban: lifted, appealed against.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use sortie_battles::order;
use sortie_control::administrators::{self, ADMINISTRATOR};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::permission::needs;
use sortie_control::vocabulary::{AppealState, BanScope, LoginEnd};
use sortie_sanctions::ban::{self, NewBan};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::ban_view::{self, BanView};
use crate::effect;
use crate::error::AdminError;
use crate::rank;
use crate::staff_router::{Acting, AdminState, DONE, StaffRouter};
use crate::text;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::BansWrite>("bans.create", routes!(create))
        .serve::<needs::BansWrite>("bans.lift", routes!(lift))
        .serve::<needs::BansWrite>("bans.decide_appeal", routes!(decide))
}

/// A ban to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBan)]
struct BanBody {
    player_id: Uuid,
    scope: BanScope,
    /// Told to the player; 3 to 500 characters.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
    /// When it ends by itself; absent: for good.
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// The battle that shows why.
    #[serde(default)]
    battle_id: Option<Uuid>,
}

/// Ban a player, with immediate effect
#[utoipa::path(post, operation_id = "create_ban",
    path = "/v1/admin/bans", tag = "admin", request_body = BanBody,
    responses((status = 201, description = "The ban", body = BanView),
        (status = 404, description = "`user.unknown`, `battle.unknown`", body = ErrorBody),
        (status = 409, description = "`admin.oneself`, `role.last_administrator`",
            body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn create(
    State(state): State<AdminState>,
    acting: Acting,
    Json(new): Json<BanBody>,
) -> ApiResult<(StatusCode, Json<BanView>)> {
    let (ban, ended) = insert(&state, &acting, &new).await?;
    match new.scope {
        BanScope::Login => {
            effect::tell_logins_ended(&state.app, new.player_id, &ended, "banned").await;
        }
        BanScope::Chat => effect::tell_chat_banned(&state.app, new.player_id).await,
        BanScope::Matchmaking | BanScope::Purchase => {}
    }
    metrics::counter!("sortie_admin_bans_total", "scope" => new.scope.name()).increment(1);
    Ok((StatusCode::CREATED, Json(ban)))
}

async fn insert(
    state: &AdminState,
    acting: &Acting,
    new: &BanBody,
) -> Result<(BanView, Vec<Uuid>), AdminError> {
    if new.player_id == acting.player_id {
        return Err(AdminError::Oneself);
    }
    let reason = text::sane(&new.reason, 3..=500, "reason has 3 to 500 characters")?;
    let mut tx = state.db().begin().await?;
    administrators::hold(&mut tx).await?;
    let target = rank::hold(&mut tx, new.player_id).await?;
    rank::refuse_outranked(&acting.permissions, &target)?;
    refuse_unknown_battle(&mut tx, new.battle_id).await?;
    let ban_id = Uuid::now_v7();
    let placed = NewBan {
        ban_id,
        player_id: new.player_id,
        scope: new.scope.name(),
        reason: &reason,
        issued_by: acting.player_id,
        expires_at: new.expires_at,
        battle_id: new.battle_id,
    };
    ban::place(&mut tx, placed).await?;
    let mut ended = Vec::new();
    if new.scope == BanScope::Login {
        ended = state.keeper.end_logins(&mut tx, new.player_id, LoginEnd::Ban).await?;
        if is_administrator(&mut tx, new.player_id).await? {
            rank::require_administrator(&mut tx).await?;
        }
    }
    let (mut cancelled, mut kicked) = (0, 0);
    if matches!(new.scope, BanScope::Login | BanScope::Matchmaking) {
        cancelled = effect::cancel_tickets(&mut tx, new.player_id).await?;
        kicked = order::kick(&mut tx, new.player_id, "banned").await?;
    }
    let made = ban_view::one(&mut tx, ban_id).await?;
    let after = json!({ "ban": made.for_audit(), "logins_ended": ended.len(),
        "tickets_cancelled": cancelled, "kicked_from": kicked });
    acting.record(&mut tx, format!("player:{}", new.player_id), None, Some(after)).await?;
    tx.commit().await?;
    Ok((made, ended))
}

async fn is_administrator(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from player_role where player_id = $1 and role = $2) as "is!""#,
        player_id,
        ADMINISTRATOR
    )
    .fetch_one(db)
    .await
}

async fn refuse_unknown_battle(
    db: &mut PgConnection,
    battle_id: Option<Uuid>,
) -> Result<(), AdminError> {
    let Some(battle_id) = battle_id else { return Ok(()) };
    let found = sqlx::query!("select battle_id from battle where battle_id = $1", battle_id)
        .fetch_optional(db)
        .await?;
    found.map(drop).ok_or(AdminError::UnknownBattle)
}

/// Lift a ban: not your own, nor one of a player who may do what you may not
#[utoipa::path(post, operation_id = "lift_ban",
    path = "/v1/admin/bans/{ban_id}/lift", tag = "admin",
    params(("ban_id" = Uuid, Path, description = "The ban")),
    responses((status = 204, description = "It is lifted"),
        (status = 403, description = "`auth.forbidden`, `admin.outranked`", body = ErrorBody),
        (status = 404, description = "`ban.unknown`, `user.unknown`", body = ErrorBody),
        (status = 409, description = "`ban.over`, `admin.oneself`", body = ErrorBody)))]
async fn lift(
    State(state): State<AdminState>,
    acting: Acting,
    Path(ban_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    lift_now(&state, &acting, ban_id).await?;
    Ok(DONE)
}

async fn lift_now(state: &AdminState, acting: &Acting, ban_id: Uuid) -> Result<(), AdminError> {
    let mut tx = state.db().begin().await?;
    let before = hold(&mut tx, acting, ban_id).await?;
    if !before.is_in_force {
        return Err(AdminError::BanOver);
    }
    ban::lift(&mut tx, ban_id, acting.player_id).await?;
    finish(tx, acting, before).await
}

/// What becomes of an appeal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppealDecision)]
struct Decision {
    /// Accepted: the ban is lifted.
    is_accepted: bool,
}

/// Decide an appeal: not your own, nor one of a player who may do what you may not
#[utoipa::path(post, operation_id = "decide_appeal",
    path = "/v1/admin/bans/{ban_id}/appeal", tag = "admin",
    params(("ban_id" = Uuid, Path, description = "The ban")), request_body = Decision,
    responses((status = 204, description = "It is decided"),
        (status = 403, description = "`auth.forbidden`, `admin.outranked`", body = ErrorBody),
        (status = 404, description = "`ban.unknown`, `user.unknown`", body = ErrorBody),
        (status = 409, description = "`ban.no_appeal`, `ban.appeal_decided`, `admin.oneself`",
            body = ErrorBody)))]
async fn decide(
    State(state): State<AdminState>,
    acting: Acting,
    Path(ban_id): Path<Uuid>,
    Json(decision): Json<Decision>,
) -> ApiResult<StatusCode> {
    decide_now(&state, &acting, ban_id, decision.is_accepted).await?;
    Ok(DONE)
}

async fn decide_now(
    state: &AdminState,
    acting: &Acting,
    ban_id: Uuid,
    is_accepted: bool,
) -> Result<(), AdminError> {
    let mut tx = state.db().begin().await?;
    let before = hold(&mut tx, acting, ban_id).await?;
    match AppealState::of_name(&before.appeal) {
        Some(AppealState::Open) => {}
        Some(AppealState::None) => return Err(AdminError::NoAppeal),
        _ => return Err(AdminError::AppealNotOpen(before.appeal)),
    }
    ban::decide(&mut tx, ban_id, is_accepted).await?;
    if is_accepted {
        ban::lift(&mut tx, ban_id, acting.player_id).await?;
    }
    finish(tx, acting, before).await
}

/// Holds a ban that the actor may change: scopes but `login` leave the banned able to log in, and
/// staff could free themselves.
async fn hold(db: &mut PgConnection, acting: &Acting, ban_id: Uuid) -> Result<BanView, AdminError> {
    let player = sqlx::query_scalar!("select player_id from ban where ban_id = $1", ban_id)
        .fetch_optional(&mut *db)
        .await?
        .ok_or(AdminError::UnknownBan)?;
    if player == acting.player_id {
        return Err(AdminError::Oneself);
    }
    // The player before the ban, in the order in which erasure locks them.
    let target = rank::hold(&mut *db, player).await?;
    rank::refuse_outranked(&acting.permissions, &target)?;
    sqlx::query!("select ban_id from ban where ban_id = $1 for no key update", ban_id)
        .fetch_optional(&mut *db)
        .await?
        .ok_or(AdminError::UnknownBan)?;
    ban_view::one(db, ban_id).await
}

async fn finish(
    mut tx: sqlx::PgTransaction<'_>,
    acting: &Acting,
    before: BanView,
) -> Result<(), AdminError> {
    let after = ban_view::one(&mut tx, before.ban_id).await?;
    let target = format!("player:{}", after.player_id);
    acting.record(&mut tx, target, Some(before.for_audit()), Some(after.for_audit())).await?;
    Ok(tx.commit().await?)
}
