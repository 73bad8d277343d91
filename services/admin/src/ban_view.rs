//! `GET /v1/admin/bans`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sortie_control::audit::digest;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use sortie_control::vocabulary::{AppealState, BanScope};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::{AdminState, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::BansRead>("bans.list", routes!(list))
        .serve::<needs::BansRead>("bans.view", routes!(view))
}

/// A ban.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BanView {
    pub(crate) ban_id: Uuid,
    pub(crate) player_id: Uuid,
    #[schema(value_type = BanScope)]
    pub(crate) scope: String,
    pub(crate) reason: String,
    pub(crate) issued_by: Option<Uuid>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) issued_at: OffsetDateTime,
    /// Null: for good.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) lifted_at: Option<OffsetDateTime>,
    pub(crate) lifted_by: Option<Uuid>,
    #[schema(value_type = AppealState)]
    pub(crate) appeal: String,
    /// The battle that shows why.
    pub(crate) battle_id: Option<Uuid>,
    /// Neither lifted nor expired.
    pub(crate) is_in_force: bool,
}

impl BanView {
    /// As the audit log keeps it: what somebody wrote about the player is found by the ban's id,
    /// for as long as it may be known.
    pub(crate) fn for_audit(&self) -> Value {
        let mut row = json!(self);
        row["reason"] = digest(&self.reason);
        row
    }
}

/// Which bans.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this player.
    player_id: Option<Uuid>,
    /// In force only.
    #[serde(default)]
    in_force: bool,
    /// With an appeal that waits for a decision only.
    #[serde(default)]
    appealed: bool,
}

/// List bans, newest first
#[utoipa::path(get, operation_id = "list_bans",
    path = "/v1/admin/bans", tag = "admin", params(Filter, PageQuery),
    responses((status = 200, description = "A page", body = Page<BanView>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn list(
    State(state): State<AdminState>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<BanView>>> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let bans = sqlx::query_as!(
        BanView,
        r#"select ban_id, player_id, scope, reason, issued_by, issued_at, expires_at, lifted_at,
               lifted_by, appeal, battle_id,
               lifted_at is null and (expires_at is null or expires_at > now()) as "is_in_force!"
           from ban
           where ($1::uuid is null or player_id = $1) and (not $3 or appeal = 'open')
               and (not $2 or lifted_at is null and (expires_at is null or expires_at > now()))
               and ($4::uuid is null or ban_id < $4)
           order by ban_id desc limit $5"#,
        filter.player_id,
        filter.in_force,
        filter.appealed,
        before,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(Page::new(bans, limit, |ban| ban.ban_id)))
}

/// A ban with what the player says against it.
#[derive(Debug, Serialize, ToSchema)]
struct BanDetail {
    ban: BanView,
    appeal_text: Option<String>,
    /// Where the replay of the linked battle lies: a path on the battle server of this name, or an
    /// object's name.
    replay_place: Option<String>,
    replay_server: Option<String>,
}

/// See a ban, its appeal and the replay of its battle
#[utoipa::path(get, operation_id = "get_ban",
    path = "/v1/admin/bans/{ban_id}", tag = "admin",
    params(("ban_id" = Uuid, Path, description = "The ban")),
    responses((status = 200, description = "The ban", body = BanDetail),
        (status = 404, description = "`ban.unknown`", body = ErrorBody)))]
async fn view(
    State(state): State<AdminState>,
    Path(ban_id): Path<Uuid>,
) -> ApiResult<Json<BanDetail>> {
    let mut db = state.db().acquire().await?;
    let ban = one(&mut db, ban_id).await?;
    let more = sqlx::query!(
        r#"select appeal_text, place as "place?", s.name as "server?"
           from ban left join replay using (battle_id)
               left join battle_server s using (server_id) where ban_id = $1"#,
        ban_id
    )
    .fetch_one(&mut *db)
    .await?;
    Ok(Json(BanDetail {
        ban,
        appeal_text: more.appeal_text,
        replay_place: more.place,
        replay_server: more.server,
    }))
}

pub(crate) async fn one(db: &mut PgConnection, ban_id: Uuid) -> Result<BanView, AdminError> {
    sqlx::query_as!(
        BanView,
        r#"select ban_id, player_id, scope, reason, issued_by, issued_at, expires_at, lifted_at,
               lifted_by, appeal, battle_id,
               lifted_at is null and (expires_at is null or expires_at > now()) as "is_in_force!"
           from ban where ban_id = $1"#,
        ban_id
    )
    .fetch_optional(db)
    .await?
    .ok_or(AdminError::UnknownBan)
}

/// The newest bans of a player.
pub(crate) async fn of_player(
    db: &PgPool,
    player_id: Uuid,
    most: i64,
) -> sqlx::Result<Vec<BanView>> {
    sqlx::query_as!(
        BanView,
        r#"select ban_id, player_id, scope, reason, issued_by, issued_at, expires_at, lifted_at,
               lifted_by, appeal, battle_id,
               lifted_at is null and (expires_at is null or expires_at > now()) as "is_in_force!"
           from ban where player_id = $1 order by ban_id desc limit $2"#,
        player_id,
        most
    )
    .fetch_all(db)
    .await
}
