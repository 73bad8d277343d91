//! `GET /v1/battles/{battle_id}`, `Game.GetBattle`: a battle, who is in it, and how it stands.

use axum::extract::State;
use serde::Serialize;
use sortie_battles::state::BattleState;
use sortie_control::app::AppState;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::who::Caller;
use sortie_rpc::game::v1 as rpc;
use sqlx::PgPool;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::list::Battle;
use crate::error::FleetError;
use crate::status::Status;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_battle))
}

/// A battle with everything that all players may know.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BattleDetail {
    #[serde(flatten)]
    battle: Battle,
    /// How it stands; the newest that its server told.
    status: Status,
    /// Everybody who was to be in it, by points.
    participants: Vec<Participant>,
}

/// A player of a battle.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BattleParticipant)]
pub(crate) struct Participant {
    player_id: Uuid,
    name: String,
    /// 0 or 1.
    team: i16,
    /// This and what follows is known when the battle is over.
    points: i32,
    kills: i32,
    deaths: i32,
}

/// One battle: state, score and players.
#[utoipa::path(
    get, operation_id = "get_battle",
    path = "/v1/battles/{battle_id}",
    tag = "battles",
    params(("battle_id" = Uuid, Path, description = "The battle")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The battle", body = BattleDetail),
        (status = 400, description = "The id is no UUID", body = ErrorBody),
        (status = 401, description = "No access token, or a bad one", body = ErrorBody),
        (status = 404, description = "`battle.unknown`", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn get_battle(
    State(app): State<AppState>,
    _: Caller,
    Path(battle_id): Path<Uuid>,
) -> ApiResult<Json<BattleDetail>> {
    Ok(Json(battle(&app.db, battle_id).await?))
}

/// One battle.
pub(crate) async fn battle(db: &PgPool, battle_id: Uuid) -> Result<BattleDetail, FleetError> {
    let row = sqlx::query!(
        r#"select battle_id, mode, map, is_ranked, state, players_max, asked_at, started_at,
               ended_at, winner, ended_by, status
           from battle where battle_id = $1"#,
        battle_id
    )
    .fetch_optional(db)
    .await?
    .ok_or(FleetError::UnknownBattle(battle_id))?;
    // Bounded by players_max of the battle; one that finished has at most a few more.
    let participants = sqlx::query_as!(
        Participant,
        "select player_id, name, team, points, kills, deaths
         from battle_player join player using (player_id)
         where battle_id = $1 order by points desc, player_id limit 8192",
        battle_id
    )
    .fetch_all(db)
    .await?;
    let status = Status::stored(row.status).in_state(&row.state).public();
    let is_running = BattleState::Running.is(&row.state);
    let players = if is_running { i64::from(status.players) } else { participants.len() as i64 };
    let battle = Battle {
        battle_id: row.battle_id,
        mode: row.mode,
        map: row.map,
        is_ranked: row.is_ranked,
        state: row.state,
        players,
        players_max: row.players_max,
        asked_at: row.asked_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        winner: row.winner,
        ended_by: row.ended_by,
        waiting: status.waiting.clone(),
    };
    Ok(BattleDetail { battle, status, participants })
}

impl From<BattleDetail> for rpc::GetBattleResponse {
    fn from(detail: BattleDetail) -> Self {
        let number = |number: i32| number.max(0).unsigned_abs();
        let participant = |row: Participant| rpc::Participant {
            player_id: row.player_id.to_string(),
            name: row.name,
            team: u32::try_from(row.team).unwrap_or(0),
            points: number(row.points),
            kills: number(row.kills),
            deaths: number(row.deaths),
        };
        Self {
            battle: Some(detail.battle.into()),
            participants: detail.participants.into_iter().map(participant).collect(),
        }
    }
}
