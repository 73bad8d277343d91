//! `GET /v1/players/{player_id}/ratings` and what changed them.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::vocabulary::ModeName;
use sortie_control::who::Caller;

use super::{RankingError, SeasonQuery, require_player};
use crate::board::Boards;
use crate::eligibility::Reason;

pub(crate) fn router() -> OpenApiRouter<Boards> {
    OpenApiRouter::new().routes(routes!(ratings)).routes(routes!(rating_changes))
}

/// A player's rating in a mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Rating {
    /// The mode.
    #[schema(value_type = ModeName)]
    pub mode: String,
    /// Mean of what is believed of the player; 25 for a new one.
    pub rating: f64,
    /// Its standard deviation; 8.33 for a new one.
    pub uncertainty: f64,
    /// What leaderboards order by: `floor(1000 + 40 * (rating - 3 * uncertainty))`, at least 0.
    #[schema(minimum = 0)]
    pub shown: i32,
    /// Ranked battles in the season; 0: not on the leaderboard yet.
    pub battles: i32,
    /// Battles won.
    pub wins: i32,
    /// Battles lost.
    pub losses: i32,
    /// Battles without a winner.
    pub draws: i32,
    /// The last ranked battle of the season.
    #[serde(with = "time::serde::rfc3339::option")]
    pub played_at: Option<OffsetDateTime>,
}

/// A player's ratings in a season.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Ratings {
    /// The player whose ratings these are.
    pub player_id: Uuid,
    /// In which season.
    pub season_id: i32,
    /// By mode; none for modes that the player has not fought in.
    pub ratings: Vec<Rating>,
}

/// A player's ratings in a season, by mode
#[utoipa::path(
    get, operation_id = "get_ratings",
    path = "/v1/players/{player_id}/ratings", tag = "ranking",
    security(("bearer" = [])),
    params(("player_id" = Uuid, Path, description = "The player"), SeasonQuery),
    responses(
        (status = 200, description = "The ratings", body = Ratings),
        (status = 400, description = "A parameter cannot be read", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`ranking.unknown_player`, `ranking.unknown_season`",
            body = ErrorBody),
        (status = 429, description = "Too many requests", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn ratings(
    _: Caller,
    State(db): State<PgPool>,
    Path(player_id): Path<Uuid>,
    Query(season): Query<SeasonQuery>,
) -> ApiResult<Json<Ratings>> {
    require_player(&db, player_id).await?;
    let season_id = season.id(&db).await?;
    let ratings = sqlx::query_as!(
        Rating,
        "select mode, rating, uncertainty, shown, battles, wins, losses, draws, played_at
        from rating where player_id = $1 and season_id = $2 order by mode",
        player_id,
        season_id
    )
    .fetch_all(&db)
    .await?;
    Ok(Json(Ratings { player_id, season_id, ratings }))
}

/// What a battle did to a player's rating, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RatingChange {
    /// Rises with time.
    pub change_id: i64,
    /// The battle.
    pub battle_id: Uuid,
    /// In which season it counts.
    pub season_id: i32,
    /// The battle's mode.
    #[schema(value_type = ModeName)]
    pub mode: String,
    /// Whether the rating was changed.
    pub is_ranked: bool,
    /// Why it was changed, or not.
    #[schema(value_type = Reason)]
    pub reason: String,
    /// Mean before the battle.
    pub rating_before: f64,
    /// Uncertainty before the battle.
    pub uncertainty_before: f64,
    /// Mean after it.
    pub rating_after: f64,
    /// Uncertainty after it.
    pub uncertainty_after: f64,
    /// What leaderboards showed before.
    pub shown_before: i32,
    /// What they show since.
    pub shown_after: i32,
    /// When the result was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// What battles did to a player's ratings and why, newest first
///
/// Every battle that the player was in has a row, ranked or not.
#[utoipa::path(
    get, operation_id = "list_rating_changes",
    path = "/v1/players/{player_id}/rating-changes", tag = "ranking",
    security(("bearer" = [])),
    params(("player_id" = Uuid, Path, description = "The player"), PageQuery),
    responses(
        (status = 200, description = "The page", body = Page<RatingChange>),
        (status = 400, description = "A parameter cannot be read", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`ranking.unknown_player`", body = ErrorBody),
        (status = 422, description = "Bad limit or cursor", body = ErrorBody),
        (status = 429, description = "Too many requests", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn rating_changes(
    _: Caller,
    State(db): State<PgPool>,
    Path(player_id): Path<Uuid>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<RatingChange>>> {
    let limit = query.limit()?;
    let before: i64 = query.after()?.unwrap_or(i64::MAX);
    require_player(&db, player_id).await?;
    let rows = sqlx::query_as!(
        RatingChange,
        "select change_id, battle_id, season_id, mode, is_ranked, reason, rating_before,
            uncertainty_before, rating_after, uncertainty_after, shown_before, shown_after, at
        from rating_change where player_id = $1 and change_id < $2
        order by change_id desc limit $3",
        player_id,
        before,
        limit + 1
    )
    .fetch_all(&db)
    .await
    .map_err(RankingError::from)?;
    Ok(Json(Page::new(rows, limit, |row| row.change_id)))
}
