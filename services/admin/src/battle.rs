//! `/v1/admin/battles`: what is fought, and how to end it.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sortie_battles::battle::{self, Held};
use sortie_battles::order::ServerOrder;
use sortie_battles::state::BattleState;
use sortie_control::audit::digest;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery, time_of_micros};
use sortie_control::permission::needs;
use sortie_control::vocabulary::{EndedByName, ModeName};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::openapi::Ref;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::{Acting, AdminState, StaffRouter};
use crate::text;

/// Longest reason, and longest message to the players of a battle.
const TEXT_CHARS_MAX: usize = 200;

/// Players of a battle that are listed: more do not fit into one.
const PLAYERS_MAX: i64 = 8_192;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::BattlesRead>("battles.list", routes!(list))
        .serve::<needs::BattlesRead>("battles.view", routes!(view))
        .serve::<needs::BattlesWrite>("battles.end", routes!(end))
        .serve::<needs::BattlesWrite>("battles.message", routes!(message))
}

/// A battle.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StaffBattle)]
struct Battle {
    battle_id: Uuid,
    #[schema(value_type = ModeName)]
    mode: String,
    map: String,
    is_ranked: bool,
    #[schema(value_type = BattleState)]
    state: String,
    server_id: Option<Uuid>,
    players_max: i32,
    #[serde(with = "time::serde::rfc3339")]
    asked_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    #[schema(value_type = Option<EndedByName>)]
    ended_by: Option<String>,
    winner: Option<i16>,
    /// As its server told it last.
    #[schema(schema_with = told_status)]
    status: Value,
}

/// As players are told it, with regions.
fn told_status() -> Ref {
    Ref::from_schema_name("BattleStatus")
}

/// Which battles.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// In this state.
    state: Option<BattleState>,
    /// On this server.
    server_id: Option<Uuid>,
}

/// List battles, newest first
#[utoipa::path(get, operation_id = "list_battles_for_staff",
    path = "/v1/admin/battles", tag = "admin", params(Filter, PageQuery),
    responses((status = 200, description = "A page", body = Page<Battle>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn list(
    State(state): State<AdminState>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Battle>>> {
    let (limit, before) = (page.limit()?, page.after::<(i64, Uuid)>()?);
    let before_at = before.map(|(micros, _)| time_of_micros(micros)).transpose()?;
    let rows = sqlx::query_as!(
        Battle,
        "select battle_id, mode, map, is_ranked, state, server_id, players_max, asked_at,
             started_at, ended_at, ended_by, winner, status
         from battle
         where ($1::text is null or state = $1) and ($2::uuid is null or server_id = $2)
             and ($3::timestamptz is null or (asked_at, battle_id) < ($3, $4))
         order by asked_at desc, battle_id desc limit $5",
        filter.state.map(BattleState::name),
        filter.server_id,
        before_at,
        before.map(|(_, id)| id),
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    let micros = |at: OffsetDateTime| (at.unix_timestamp_nanos() / 1_000) as i64;
    Ok(Json(Page::new(rows, limit, |row| (micros(row.asked_at), row.battle_id))))
}

/// A battle with its players.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StaffBattleDetail)]
struct BattleDetail {
    battle: Battle,
    players: Vec<Fighter>,
    /// Where its replay lies: a path on the battle server of this name, or an object's name.
    replay_place: Option<String>,
    replay_server: Option<String>,
}

/// A player of a battle.
#[derive(Debug, Serialize, ToSchema)]
struct Fighter {
    player_id: Uuid,
    name: String,
    team: i16,
    points: i32,
    kills: i32,
    deaths: i32,
}

/// See a battle, its players and where its replay lies
#[utoipa::path(get, operation_id = "get_battle_for_staff",
    path = "/v1/admin/battles/{battle_id}", tag = "admin",
    params(("battle_id" = Uuid, Path, description = "The battle")),
    responses((status = 200, description = "The battle", body = BattleDetail),
        (status = 404, description = "`battle.unknown`", body = ErrorBody)))]
async fn view(
    State(state): State<AdminState>,
    Path(battle_id): Path<Uuid>,
) -> ApiResult<Json<BattleDetail>> {
    let battle = sqlx::query_as!(
        Battle,
        "select battle_id, mode, map, is_ranked, state, server_id, players_max, asked_at,
             started_at, ended_at, ended_by, winner, status
         from battle where battle_id = $1",
        battle_id
    )
    .fetch_optional(state.db())
    .await?
    .ok_or(AdminError::UnknownBattle)?;
    let players = sqlx::query_as!(
        Fighter,
        "select player_id, name, team, points, kills, deaths
         from battle_player join player using (player_id)
         where battle_id = $1 order by team, points desc, player_id limit $2",
        battle_id,
        PLAYERS_MAX
    )
    .fetch_all(state.db())
    .await?;
    let replay = sqlx::query!(
        r#"select place, name as "server?" from replay left join battle_server using (server_id)
           where battle_id = $1"#,
        battle_id
    )
    .fetch_optional(state.db())
    .await?;
    let (replay_place, replay_server) =
        replay.map_or((None, None), |replay| (Some(replay.place), replay.server));
    Ok(Json(BattleDetail { battle, players, replay_place, replay_server }))
}

/// Why a battle is ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BattleEnding)]
struct End {
    /// 3 to 200 characters.
    #[schema(min_length = 3, max_length = 200)]
    reason: String,
}

/// End a battle, with the result that it has
///
/// One that no server has yet is cancelled.
#[utoipa::path(post, operation_id = "end_battle",
    path = "/v1/admin/battles/{battle_id}/end", tag = "admin",
    params(("battle_id" = Uuid, Path, description = "The battle")), request_body = End,
    responses((status = 202, description = "Its server is told"),
        (status = 404, description = "`battle.unknown`", body = ErrorBody),
        (status = 409, description = "`battle.not_live`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn end(
    State(state): State<AdminState>,
    acting: Acting,
    Path(battle_id): Path<Uuid>,
    Json(end): Json<End>,
) -> ApiResult<StatusCode> {
    order_end(&state, &acting, battle_id, &end.reason).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn order_end(
    state: &AdminState,
    acting: &Acting,
    battle_id: Uuid,
    reason: &str,
) -> Result<(), AdminError> {
    let reason = &text::sane(reason, 3..=TEXT_CHARS_MAX, "reason has 3 to 200 characters")?;
    let mut tx = state.db().begin().await?;
    let live = hold(&mut tx, battle_id).await?;
    battle::end(&mut tx, battle_id, &live, reason).await?;
    let (before, after) = (json!({ "state": live.state }), json!({ "reason": digest(reason) }));
    acting.record(&mut tx, format!("battle:{battle_id}"), Some(before), Some(after)).await?;
    Ok(tx.commit().await?)
}

/// Holds a battle that is not over yet.
async fn hold(db: &mut PgConnection, battle_id: Uuid) -> Result<Held, AdminError> {
    let held = battle::hold(db, battle_id).await?.ok_or(AdminError::UnknownBattle)?;
    if held.is_live() { Ok(held) } else { Err(AdminError::BattleNotLive(held.state)) }
}

/// Something to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Announcement)]
struct Message {
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    text: String,
}

/// Say something to all players of a running battle
#[utoipa::path(post, operation_id = "send_battle_message",
    path = "/v1/admin/battles/{battle_id}/messages", tag = "admin",
    params(("battle_id" = Uuid, Path, description = "The battle")), request_body = Message,
    responses((status = 202, description = "Its server is told"),
        (status = 404, description = "`battle.unknown`", body = ErrorBody),
        (status = 409, description = "`battle.not_live`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn message(
    State(state): State<AdminState>,
    acting: Acting,
    Path(battle_id): Path<Uuid>,
    Json(message): Json<Message>,
) -> ApiResult<StatusCode> {
    order_message(&state, &acting, battle_id, &message.text).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn order_message(
    state: &AdminState,
    acting: &Acting,
    battle_id: Uuid,
    text: &str,
) -> Result<(), AdminError> {
    let text = &text::sane(text, 1..=TEXT_CHARS_MAX, "text has 1 to 200 characters")?;
    let mut tx = state.db().begin().await?;
    let live = hold(&mut tx, battle_id).await?;
    let Some(server_id) = live.server_id else {
        return Err(AdminError::BattleNotLive(live.state));
    };
    ServerOrder::message(battle_id, text).write(&mut tx, server_id).await?;
    let after = json!({ "text": digest(text) });
    acting.record(&mut tx, format!("battle:{battle_id}"), None, Some(after)).await?;
    Ok(tx.commit().await?)
}
