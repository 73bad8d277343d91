//! `GET /v1/leaderboards/{mode}` and around oneself.

use std::collections::HashMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::who::Caller;

use super::{RankingError, SeasonQuery};
use crate::board::{After, Board, BoardName, Boards, Row};

pub(crate) fn router() -> OpenApiRouter<Boards> {
    let named = OpenApiRouter::with_openapi(Named::openapi());
    named.routes(routes!(leaderboard)).routes(routes!(around_me))
}

/// What only paths refer to.
#[derive(OpenApi)]
#[openapi(components(schemas(BoardName)))]
struct Named;

/// A player on a leaderboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Standing {
    /// 1 is the first.
    #[schema(minimum = 1)]
    pub rank: i64,
    /// The player at this rank.
    pub player_id: Uuid,
    /// What others call the player.
    pub name: String,
    /// What the order goes by: `floor(1000 + 40 * (rating - 3 * uncertainty))`, at least 0.
    #[schema(minimum = 0)]
    pub shown: i32,
    /// Ranked battles in this season.
    pub battles: i64,
    /// How many of them were won.
    pub wins: i64,
}

/// Which page of which season.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct LeaderboardQuery {
    /// Rows on the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// As the last page gave it; without it, from the beginning.
    cursor: Option<String>,
    /// A season's id; without it, the open season.
    #[param(minimum = 1)]
    season: Option<i32>,
}

/// A page of a leaderboard, best first
///
/// `global` is each player's best over all modes.
/// Only who has fought a ranked battle in the season is on it. Equal players stand in the order
/// of their ids. Ranks are those of the moment: while results come, a player may stand on two
/// pages or on none.
#[utoipa::path(
    get, operation_id = "get_leaderboard",
    path = "/v1/leaderboards/{mode}", tag = "ranking",
    params(
        ("mode" = BoardName, Path, description = "Which leaderboard"),
        LeaderboardQuery,
    ),
    responses(
        (status = 200, description = "The page", body = Page<Standing>),
        (status = 400, description = "A parameter cannot be read", body = ErrorBody),
        (status = 404, description = "`ranking.unknown_leaderboard`, `ranking.unknown_season`",
            body = ErrorBody),
        (status = 422, description = "Bad limit or cursor", body = ErrorBody),
        (status = 429, description = "Too many requests", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn leaderboard(
    State(boards): State<Boards>,
    Path(mode): Path<String>,
    Query(query): Query<LeaderboardQuery>,
) -> ApiResult<Json<Page<Standing>>> {
    let LeaderboardQuery { limit, cursor, season } = query;
    let query = PageQuery { limit, cursor };
    let limit = query.limit()?;
    let after = after(&query)?;
    let board = board(&boards, &mode, SeasonQuery { season }).await?;
    let rows = boards.page(board, after, limit + 1).await?;
    let standings = standings(boards.db(), board, rows).await?;
    let key = |row: &Standing| (row.rank, row.shown, row.player_id);
    Ok(Json(Page::new(standings, limit, key)))
}

/// How many rows around oneself, in which season.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct AroundQuery {
    /// Rows above and below one's own, 1 to 50.
    #[param(minimum = 1, maximum = 50, default = 5)]
    around: Option<i64>,
    /// A season's id; without it, the open season.
    #[param(minimum = 1)]
    season: Option<i32>,
}

/// Rows around the caller's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Neighbourhood {
    /// The caller's rank.
    #[schema(minimum = 1)]
    pub rank: i64,
    /// Best first; the caller is among them.
    pub items: Vec<Standing>,
}

/// The caller and who stands next on a leaderboard
#[utoipa::path(
    get, operation_id = "get_leaderboard_around_me",
    path = "/v1/leaderboards/{mode}/around-me", tag = "ranking",
    security(("bearer" = [])),
    params(
        ("mode" = BoardName, Path, description = "Which leaderboard"),
        AroundQuery,
    ),
    responses(
        (status = 200, description = "The rows", body = Neighbourhood),
        (status = 400, description = "A parameter cannot be read", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`ranking.unknown_leaderboard`, `ranking.unknown_season`, \
            `ranking.not_ranked`", body = ErrorBody),
        (status = 422, description = "Bad number of rows", body = ErrorBody),
        (status = 429, description = "Too many requests", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn around_me(
    caller: Caller,
    State(boards): State<Boards>,
    Path(mode): Path<String>,
    Query(query): Query<AroundQuery>,
) -> ApiResult<Json<Neighbourhood>> {
    let around = query.around.unwrap_or(5);
    if !(1..=50).contains(&around) {
        return Err(ApiError::invalid("request.around", "around must be 1 to 50"));
    }
    let season = SeasonQuery { season: query.season };
    let board = board(&boards, &mode, season).await?;
    let rows = boards.around(board, caller.player_id, around, around).await?;
    let own = rows.iter().find(|row| row.player_id == caller.player_id);
    let rank = own.ok_or(RankingError::NotRanked)?.rank;
    let items = standings(boards.db(), board, rows).await?;
    Ok(Json(Neighbourhood { rank, items }))
}

async fn board(boards: &Boards, name: &str, season: SeasonQuery) -> Result<Board, RankingError> {
    // The name first: it costs nothing to refuse.
    Board::named(0, name).ok_or(RankingError::UnknownBoard)?;
    let season_id = season.id(boards.db()).await?;
    Board::named(season_id, name).ok_or(RankingError::UnknownBoard)
}

fn after(query: &PageQuery) -> Result<After, ApiError> {
    match query.after::<(i64, i32, Uuid)>()? {
        None => Ok(After::START),
        Some((rank @ 0..=1_000_000_000_000, shown, player_id)) => {
            Ok(After { rank, shown, player_id })
        }
        Some(_) => Err(ApiError::invalid("request.cursor", "the cursor is none of ours")),
    }
}

/// Adds what people want to read.
async fn standings(
    db: &PgPool,
    board: Board,
    rows: Vec<Row>,
) -> Result<Vec<Standing>, RankingError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.player_id).collect();
    let known = sqlx::query!(
        r#"select player_id, name, coalesce(sum(battles), 0) as "battles!",
            coalesce(sum(wins), 0) as "wins!"
        from player left join rating using (player_id)
        where player_id = any($1) and season_id = $2 and (mode = $3 or $3 is null)
        group by player_id"#,
        &ids,
        board.season_id,
        board.mode,
    )
    .fetch_all(db)
    .await?;
    let mut known: HashMap<Uuid, (String, i64, i64)> =
        known.into_iter().map(|row| (row.player_id, (row.name, row.battles, row.wins))).collect();
    let standing = |row: Row| {
        let (name, battles, wins) = known.remove(&row.player_id)?;
        let Row { rank, player_id, shown } = row;
        Some(Standing { rank, player_id, name, shown, battles, wins })
    };
    Ok(rows.into_iter().filter_map(standing).collect())
}
