//! `/v1/admin/reviews`: results of battles that cannot be true, kept for people to look at.
//!
//! Nothing is decided here: what people find out changes no rating afterwards. What follows, like
//! a ban or draining a server, is a call of its own.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery, time_of_micros};
use sortie_control::permission::needs;
use sortie_control::vocabulary::ModeName;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::{AdminState, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::BattlesRead>("reviews.list", routes!(list))
        .serve::<needs::BattlesRead>("reviews.view", routes!(view))
}

/// A result that is kept and counts for nothing.
#[derive(Debug, Serialize, ToSchema)]
struct Review {
    battle_id: Uuid,
    #[schema(value_type = ModeName)]
    mode: String,
    map: String,
    /// The battle server that told it, and its name.
    server_id: Uuid,
    server: String,
    /// What does not fit: a code, a colon and a sentence each.
    misfits: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
}

/// Which results.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Told by this server.
    server_id: Option<Uuid>,
}

/// List results under review, newest first
#[utoipa::path(get, operation_id = "list_reviews",
    path = "/v1/admin/reviews", tag = "admin", params(Filter, PageQuery),
    responses((status = 200, description = "A page", body = Page<Review>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn list(
    State(state): State<AdminState>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Review>>> {
    let (limit, before) = (page.limit()?, page.after::<(i64, Uuid)>()?);
    let before_at = before.map(|(micros, _)| time_of_micros(micros)).transpose()?;
    let reviews = sqlx::query_as!(
        Review,
        "select r.battle_id, mode, map, r.server_id, s.name as server, misfits, received_at
         from result_review r join battle using (battle_id)
             join battle_server s on s.server_id = r.server_id
         where ($1::uuid is null or r.server_id = $1)
             and ($2::timestamptz is null or (received_at, r.battle_id) < ($2, $3))
         order by received_at desc, r.battle_id desc limit $4",
        filter.server_id,
        before_at,
        before.map(|(_, id)| id),
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    let micros = |at: OffsetDateTime| (at.unix_timestamp_nanos() / 1_000) as i64;
    Ok(Json(Page::new(reviews, limit, |review| (micros(review.received_at), review.battle_id))))
}

/// The result of a battle as its server told it.
// The text itself: a tree of its 32 MiB at most would take several times as much memory.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
struct ToldResult(Box<RawValue>);

/// A result under review, whole.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewDetail {
    review: Review,
    /// As the battle server told it: ids, no names.
    result: ToldResult,
    /// Where the replay of the battle lies: a path on the battle server of this name, or an
    /// object's name.
    replay_place: Option<String>,
    replay_server: Option<String>,
}

/// See a result under review, as it was told
#[utoipa::path(get, operation_id = "get_review",
    path = "/v1/admin/reviews/{battle_id}", tag = "admin",
    params(("battle_id" = Uuid, Path, description = "The battle")),
    responses((status = 200, description = "The result", body = ReviewDetail),
        (status = 404, description = "`review.unknown`", body = ErrorBody)))]
async fn view(
    State(state): State<AdminState>,
    Path(battle_id): Path<Uuid>,
) -> ApiResult<Json<ReviewDetail>> {
    let row = sqlx::query!(
        r#"select mode, map, r.server_id, s.name as server, misfits, received_at,
               result::text as "result!",
               place as "replay_place?", keeper.name as "replay_server?"
           from result_review r join battle using (battle_id)
               join battle_server s on s.server_id = r.server_id
               left join replay using (battle_id)
               left join battle_server keeper on keeper.server_id = replay.server_id
           where r.battle_id = $1"#,
        battle_id
    )
    .fetch_optional(state.db())
    .await?
    .ok_or(AdminError::UnknownReview)?;
    Ok(Json(ReviewDetail {
        review: Review {
            battle_id,
            mode: row.mode,
            map: row.map,
            server_id: row.server_id,
            server: row.server,
            misfits: row.misfits,
            received_at: row.received_at,
        },
        result: ToldResult(RawValue::from_string(row.result).map_err(sqlx::Error::decode)?),
        replay_place: row.replay_place,
        replay_server: row.replay_server,
    }))
}
