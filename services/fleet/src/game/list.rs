//! `GET /v1/battles`, `Game.ListBattles`: newest first, a page at a time.

#![allow(unused_qualifications, reason = "utoipa's macro repeats the path of a parameter")]

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sortie_battles::state::BattleState;
use sortie_control::app::AppState;
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::json::{Json, Query};
use sortie_control::page::{Page, PageQuery, time_of_micros};
use sortie_control::vocabulary::{EndedByName, ModeName};
use sortie_control::who::Caller;
use sortie_rpc::game::v1 as rpc;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_battles))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BattlesQuery {
    /// Only battles in this state.
    state: Option<BattleState>,
    /// Rows on the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// As the last page gave it; without it, from the newest.
    cursor: Option<String>,
}

/// A battle in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Battle {
    pub(crate) battle_id: Uuid,
    #[schema(value_type = ModeName)]
    pub(crate) mode: String,
    pub(crate) map: String,
    pub(crate) is_ranked: bool,
    #[schema(value_type = BattleState)]
    pub(crate) state: String,
    /// Players in it now; players that are in its list while it does not run.
    pub(crate) players: i64,
    pub(crate) players_max: i32,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) asked_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) ended_at: Option<OffsetDateTime>,
    /// Team 0 or 1; null: a draw, or not over.
    pub(crate) winner: Option<i16>,
    /// Null: not over.
    #[schema(value_type = Option<EndedByName>)]
    pub(crate) ended_by: Option<String>,
    /// What it waits for while no server has it.
    pub(crate) waiting: Option<String>,
}

/// List battles, newest first.
#[utoipa::path(
    get, operation_id = "list_battles",
    path = "/v1/battles",
    tag = "battles",
    params(BattlesQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of battles", body = Page<Battle>),
        (status = 400, description = "A parameter cannot be read", body = ErrorBody),
        (status = 401, description = "No access token, or a bad one", body = ErrorBody),
        (status = 422, description = "A bad limit or cursor", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn list_battles(
    State(app): State<AppState>,
    _: Caller,
    Query(query): Query<BattlesQuery>,
) -> ApiResult<Json<Page<Battle>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    Ok(Json(battles(&app.db, query.state, &page).await?))
}

/// A page of battles.
pub(crate) async fn battles(
    db: &PgPool,
    state: Option<BattleState>,
    page: &PageQuery,
) -> Result<Page<Battle>, ApiError> {
    let limit = page.limit()?;
    let (before, before_id) = match page.after::<(i64, Uuid)>()? {
        Some((micros, battle_id)) => (Some(time_of_micros(micros)?), Some(battle_id)),
        None => (None, None),
    };
    let rows = sqlx::query_as!(
        Battle,
        r#"select battle_id, mode, map, is_ranked, state, players_max, asked_at, started_at,
               ended_at, winner, ended_by, status->>'waiting' as waiting,
               case when battle_is_running(state) then coalesce((status->>'players')::bigint, 0)
               else (select count(*) from battle_player p where p.battle_id = b.battle_id)
               end as "players!"
           from battle b
           where ($1::text is null or state = $1)
               and ($2::timestamptz is null or (asked_at, battle_id) < ($2, $3))
           order by asked_at desc, battle_id desc limit $4"#,
        state.map(BattleState::name),
        before,
        before_id,
        limit + 1
    )
    .fetch_all(db)
    .await?;
    let micros = |at: OffsetDateTime| (at.unix_timestamp_nanos() / 1_000) as i64;
    Ok(Page::new(rows, limit, |row| (micros(row.asked_at), row.battle_id)))
}

impl From<Battle> for rpc::Battle {
    fn from(battle: Battle) -> Self {
        let ms = |at: Option<OffsetDateTime>| {
            at.map_or(0, |at| (at.unix_timestamp_nanos() / 1_000_000) as i64)
        };
        Self {
            battle_id: battle.battle_id.to_string(),
            mode: battle.mode,
            map: battle.map,
            is_ranked: battle.is_ranked,
            state: battle.state,
            players: u32::try_from(battle.players).unwrap_or(0),
            players_max: battle.players_max.max(0).unsigned_abs(),
            started_at_ms: ms(battle.started_at),
            ended_at_ms: ms(battle.ended_at),
            winner: battle.winner.and_then(|winner| u32::try_from(winner).ok()),
        }
    }
}
