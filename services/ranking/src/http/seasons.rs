//! `GET /v1/seasons`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Query};
use sortie_control::page::{Page, PageQuery};

use crate::board::Boards;

pub(crate) fn router() -> OpenApiRouter<Boards> {
    OpenApiRouter::new().routes(routes!(seasons))
}

/// A span in which ratings count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SeasonBody {
    /// Rises with time.
    pub season_id: i32,
    /// For people.
    pub name: String,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
    /// When it was closed; null: it is open.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
}

/// All seasons, newest first
#[utoipa::path(
    get, operation_id = "list_seasons",
    path = "/v1/seasons", tag = "ranking",
    params(PageQuery),
    responses(
        (status = 200, description = "The page", body = Page<SeasonBody>),
        (status = 400, description = "A parameter cannot be read", body = ErrorBody),
        (status = 422, description = "Bad limit or cursor", body = ErrorBody),
        (status = 429, description = "Too many requests", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    )
)]
async fn seasons(
    State(db): State<PgPool>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<SeasonBody>>> {
    let limit = query.limit()?;
    let before: i32 = query.after()?.unwrap_or(i32::MAX);
    let rows = sqlx::query_as!(
        SeasonBody,
        "select season_id, name, starts_at, ends_at from season where season_id < $1
        order by season_id desc limit $2",
        before,
        limit + 1
    )
    .fetch_all(&db)
    .await?;
    Ok(Json(Page::new(rows, limit, |row| row.season_id)))
}
