//! `GET /v1/matchmaking/queues`

use axum::extract::State;
use serde::Serialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::vocabulary::ModeName;
use sortie_control::who::Caller;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Matchmaking;

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(list))
}

/// All queues.
#[derive(Debug, Serialize, ToSchema)]
struct Queues {
    queues: Vec<QueueState>,
}

/// A queue and who waits in it.
#[derive(Debug, Serialize, ToSchema)]
struct QueueState {
    #[schema(example = "conquest")]
    name: String,
    #[schema(value_type = ModeName)]
    mode: String,
    map: String,
    is_ranked: bool,
    /// Fewest and most players of a team.
    team_min: u32,
    team_max: u32,
    /// Seconds that a battle lasts; absent: until the round is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_s: Option<u32>,
    /// Seconds to answer a ready check; absent: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_check_s: Option<u32>,
    /// As of up to a second ago.
    tickets_waiting: usize,
    players_waiting: u32,
    /// How long the one has waited who has waited longest.
    oldest_s: f64,
}

/// The queues, and how many wait in each
#[utoipa::path(get, operation_id = "list_queues",
    path = "/v1/matchmaking/queues", tag = "matchmaking",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "All queues", body = Queues),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn list(State(state): State<Matchmaking>, _: Caller) -> ApiResult<Json<Queues>> {
    let now = state.now().await?;
    let mut queues = Vec::with_capacity(state.settings.queues.len());
    for queue in &state.settings.queues {
        let view = state.views.of(state.db(), &state.settings, queue).await?;
        let oldest_s = view.oldest().map_or(0.0, |since| (now - since).as_seconds_f64());
        queues.push(QueueState {
            name: queue.name.clone(),
            mode: queue.mode.clone(),
            map: queue.map.clone(),
            is_ranked: queue.is_ranked,
            team_min: queue.team_min,
            team_max: queue.team_max,
            duration_s: queue.duration_s,
            ready_check_s: queue.ready_check_s,
            tickets_waiting: view.tickets(),
            players_waiting: view.players(),
            oldest_s: oldest_s.max(0.0),
        });
    }
    Ok(Json(Queues { queues }))
}
