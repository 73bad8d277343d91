//! `GET /v1/players/{player_id}/statistics`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::vocabulary::ModeName;
use sortie_control::who::Caller;

use super::require_player;
use crate::board::Boards;

pub(crate) fn router() -> OpenApiRouter<Boards> {
    OpenApiRouter::new().routes(routes!(statistics))
}

/// Sums over all battles of a player in a mode, ranked or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ModeStatistics {
    /// The mode.
    #[schema(value_type = ModeName)]
    pub mode: String,
    /// Battles that ended.
    pub battles: i32,
    /// Battles won.
    pub wins: i32,
    /// Points scored.
    pub points: i64,
    /// Players killed.
    pub kills: i64,
    /// Times killed.
    pub deaths: i64,
    /// Kills that others finished.
    pub assists: i64,
    /// Mates revived.
    pub revives: i64,
    /// Points captured.
    pub captures: i64,
    /// Shots fired.
    pub shots: i64,
    /// Hits. One shot may hit several.
    pub hits: i64,
    /// Hits a shot; null without shots.
    pub accuracy: Option<f64>,
    /// Time in battles, in seconds.
    pub seconds_played: i64,
}

/// Sums over all battles of a player with a weapon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct WeaponStatistics {
    /// The weapon.
    pub weapon: String,
    /// Shots fired.
    pub shots: i64,
    /// Hits. One shot may hit several.
    pub hits: i64,
    /// Players killed.
    pub kills: i64,
    /// Hits a shot; null without shots.
    pub accuracy: Option<f64>,
}

/// What a player did in all battles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Statistics {
    /// The player whose statistics these are.
    pub player_id: Uuid,
    /// One row for each mode that the player has fought in.
    pub modes: Vec<ModeStatistics>,
    /// The deadliest first; up to 100.
    pub weapons: Vec<WeaponStatistics>,
}

/// What a player did in all battles, by mode and weapon
#[utoipa::path(
    get, operation_id = "get_statistics",
    path = "/v1/players/{player_id}/statistics", tag = "ranking",
    security(("bearer" = [])),
    params(("player_id" = Uuid, Path, description = "The player")),
    responses(
        (status = 200, description = "The statistics", body = Statistics),
        (status = 400, description = "A parameter cannot be read", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`ranking.unknown_player`", body = ErrorBody),
        (status = 429, description = "Too many requests", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn statistics(
    _: Caller,
    State(db): State<PgPool>,
    Path(player_id): Path<Uuid>,
) -> ApiResult<Json<Statistics>> {
    require_player(&db, player_id).await?;
    let modes = sqlx::query_as!(
        ModeStatistics,
        "select mode, battles, wins, points, kills, deaths, assists, revives, captures, shots,
            hits, hits::float8 / nullif(shots, 0) as accuracy, seconds_played
        from player_statistics where player_id = $1 order by mode",
        player_id
    )
    .fetch_all(&db)
    .await?;
    let weapons = sqlx::query_as!(
        WeaponStatistics,
        "select weapon, shots, hits, kills, hits::float8 / nullif(shots, 0) as accuracy
        from weapon_statistics where player_id = $1 order by kills desc, weapon limit 100",
        player_id
    )
    .fetch_all(&db)
    .await?;
    Ok(Json(Statistics { player_id, modes, weapons }))
}
