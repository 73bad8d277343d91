//! `/v1/admin/seasons`: the next season is opened, and with it the one before is closed.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::json::{Json, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use sortie_control::season::Opened;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::staff_router::{Acting, AdminState, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::SeasonsRead>("seasons.list", routes!(list))
        .serve::<needs::SeasonsWrite>("seasons.open", routes!(open))
}

/// A season, as staff see it.
#[derive(Debug, Serialize, ToSchema)]
struct StaffSeason {
    /// Rises with time.
    season_id: i32,
    name: String,
    #[serde(with = "time::serde::rfc3339")]
    starts_at: OffsetDateTime,
    /// Null: it is open.
    #[serde(with = "time::serde::rfc3339::option")]
    ends_at: Option<OffsetDateTime>,
}

/// List the seasons, newest first
#[utoipa::path(get, operation_id = "list_seasons_for_staff",
    path = "/v1/admin/seasons", tag = "admin", params(PageQuery),
    responses((status = 200, description = "A page", body = Page<StaffSeason>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn list(
    State(state): State<AdminState>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<StaffSeason>>> {
    let (limit, before) = (page.limit()?, page.after::<i32>()?);
    let seasons = sqlx::query_as!(
        StaffSeason,
        "select season_id, name, starts_at, ends_at from season
         where ($1::int4 is null or season_id < $1) order by season_id desc limit $2",
        before,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(Page::new(seasons, limit, |season| season.season_id)))
}

/// A season to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSeason {
    /// 1 to 60 characters, no other season's.
    #[schema(min_length = 1, max_length = 60)]
    name: String,
}

/// Open the next season
///
/// The open one is closed. Ratings begin halfway back to the default and less certain; battles that
/// run count in the season in which their result is stored.
#[utoipa::path(post, operation_id = "open_season",
    path = "/v1/admin/seasons", tag = "admin", request_body = NewSeason,
    responses((status = 201, description = "The open season", body = StaffSeason),
        (status = 409, description = "`ranking.season_name_taken`", body = ErrorBody),
        (status = 422, description = "`ranking.season_name`", body = ErrorBody)))]
async fn open(
    State(state): State<AdminState>,
    acting: Acting,
    Json(new): Json<NewSeason>,
) -> ApiResult<(StatusCode, Json<StaffSeason>)> {
    let opened = open_now(&state, &acting, &new.name).await?;
    let Opened { season_id, name, starts_at, .. } = opened;
    Ok((StatusCode::CREATED, Json(StaffSeason { season_id, name, starts_at, ends_at: None })))
}

async fn open_now(state: &AdminState, acting: &Acting, name: &str) -> ApiResult<Opened> {
    let Some(seasons) = &state.settings.seasons else {
        let message = "this node does not know how seasons begin";
        return Err(ApiError::unavailable("season.unavailable", message));
    };
    let mut tx = state.db().begin().await?;
    let opened = seasons.open(&mut tx, name).await?;
    let before = json!({ "open": opened.closed });
    let after = json!({ "open": opened.season_id, "name": opened.name });
    acting
        .record(&mut tx, format!("season:{}", opened.season_id), Some(before), Some(after))
        .await?;
    tx.commit().await?;
    seasons.opened(&opened).await;
    Ok(opened)
}
