//! `GET /v1/matchmaking/mine`: where the caller stands, for members of a party whose leader
//! queued, and for clients that were started again.

use axum::extract::State;
use serde::Serialize;
use sortie_battles::state::BattleState;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::vocabulary::ModeName;
use sortie_control::who::Caller;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::pause::{self, Pause};
use crate::state::Matchmaking;
use crate::ticket;

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(mine))
}

/// Battles that are listed, most.
const BATTLES_MAX: i64 = 10;

/// Where a player stands.
#[derive(Debug, Serialize, ToSchema)]
struct Mine {
    /// The ticket that you wait with.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<ticket::Ticket>,
    /// Until when you may not queue, because you or your party declined ready checks or let them
    /// pass; absent: you may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Pause>,
    /// The room that you sit in.
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<Uuid>,
    /// Battles that are not over and that you may join, newest first.
    battles: Vec<MyBattle>,
}

/// A battle that waits for its player.
#[derive(Debug, Serialize, ToSchema)]
struct MyBattle {
    battle_id: Uuid,
    #[schema(value_type = ModeName)]
    mode: String,
    map: String,
    /// State of the battle, which is not over.
    #[schema(value_type = BattleState)]
    state: String,
    team: i16,
}

/// Your open ticket, your room, and the battles that you may join
#[utoipa::path(get, operation_id = "get_my_matchmaking",
    path = "/v1/matchmaking/mine", tag = "matchmaking",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Where you stand", body = Mine),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn mine(State(state): State<Matchmaking>, caller: Caller) -> ApiResult<Json<Mine>> {
    Ok(Json(load(&state, caller.player_id).await?))
}

async fn load(state: &Matchmaking, player_id: Uuid) -> Result<Mine, MatchmakingError> {
    let places = sqlx::query!(
        "select (select ticket_id from ticket_open where player_id = $1) as ticket_id,
            (select room_id from room_player where player_id = $1) as room_id",
        player_id
    )
    .fetch_one(state.db())
    .await?;
    let battles = sqlx::query_as!(
        MyBattle,
        "select battle_id, mode, map, state, team from battle join battle_player using (battle_id)
         where player_id = $1 and battle_is_live(state)
         order by battle_id desc limit $2",
        player_id,
        BATTLES_MAX
    )
    .fetch_all(state.db())
    .await?;
    let ticket = match places.ticket_id {
        Some(ticket_id) => match ticket::poll(state, ticket_id, player_id).await {
            Ok(ticket) => Some(ticket),
            Err(MatchmakingError::UnknownTicket) => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let pause = pause::of(state.db(), player_id, state.now().await?).await?;
    Ok(Mine { ticket, pause, room_id: places.room_id, battles })
}
