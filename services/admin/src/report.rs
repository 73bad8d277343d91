//! `/v1/admin/reports`: what players tell about each other, and the replays that show it.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use sortie_control::vocabulary::{ReportKind, ReportState};
use sortie_sanctions::report;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::staff_router::{Acting, AdminState, DONE, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::ReportsRead>("reports.list", routes!(list))
        .serve::<needs::ReportsRead>("reports.view", routes!(view))
        .serve::<needs::ReportsWrite>("reports.decide", routes!(decide))
}

/// A report.
#[derive(Debug, Serialize, ToSchema)]
struct Report {
    report_id: Uuid,
    reporter: Uuid,
    accused: Uuid,
    #[schema(value_type = ReportKind)]
    kind: String,
    text: String,
    message_id: Option<Uuid>,
    battle_id: Option<Uuid>,
    /// When in the battle.
    tick: Option<i32>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[schema(value_type = ReportState)]
    state: String,
    decided_by: Option<Uuid>,
    #[serde(with = "time::serde::rfc3339::option")]
    decided_at: Option<OffsetDateTime>,
    /// Where the replay of the battle lies: a path on the battle server of this name, or an
    /// object's name.
    replay_place: Option<String>,
    replay_server: Option<String>,
}

/// Which reports.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// That stand so.
    state: Option<ReportState>,
    /// About this.
    kind: Option<ReportKind>,
    /// Against this player.
    accused: Option<Uuid>,
}

/// List reports, newest first
#[utoipa::path(get, operation_id = "list_reports",
    path = "/v1/admin/reports", tag = "admin", params(Filter, PageQuery),
    responses((status = 200, description = "A page", body = Page<Report>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn list(
    State(state): State<AdminState>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Report>>> {
    let (limit, before) = (page.limit()?, page.after::<Uuid>()?);
    let reports = sqlx::query_as!(
        Report,
        r#"select report_id, reporter, accused, kind, text, message_id, battle_id, tick,
               created_at, report.state, decided_by, decided_at, place as "replay_place?",
               s.name as "replay_server?"
           from report left join replay using (battle_id)
               left join battle_server s using (server_id)
           where ($1::text is null or report.state = $1) and ($2::text is null or kind = $2)
               and ($3::uuid is null or accused = $3) and ($4::uuid is null or report_id < $4)
           order by report_id desc limit $5"#,
        filter.state.map(ReportState::name),
        filter.kind.map(ReportKind::name),
        filter.accused,
        before,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(Page::new(reports, limit, |report| report.report_id)))
}

/// See a report, with the replay of its battle
#[utoipa::path(get, operation_id = "get_report",
    path = "/v1/admin/reports/{report_id}", tag = "admin",
    params(("report_id" = Uuid, Path, description = "The report")),
    responses((status = 200, description = "The report", body = Report),
        (status = 404, description = "`report.unknown`", body = ErrorBody)))]
async fn view(
    State(state): State<AdminState>,
    Path(report_id): Path<Uuid>,
) -> ApiResult<Json<Report>> {
    let report = sqlx::query_as!(
        Report,
        r#"select report_id, reporter, accused, kind, text, message_id, battle_id, tick,
               created_at, report.state, decided_by, decided_at, place as "replay_place?",
               s.name as "replay_server?"
           from report left join replay using (battle_id)
               left join battle_server s using (server_id) where report_id = $1"#,
        report_id
    )
    .fetch_optional(state.db())
    .await?;
    Ok(Json(report.ok_or(AdminError::UnknownReport)?))
}

/// What is made of a report.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReportDecision)]
struct Decision {
    /// True: the player was bad; false: dismissed.
    is_upheld: bool,
}

/// Decide a report; what follows, like a ban, is a call of its own
#[utoipa::path(post, operation_id = "decide_report",
    path = "/v1/admin/reports/{report_id}/decision", tag = "admin",
    params(("report_id" = Uuid, Path, description = "The report")), request_body = Decision,
    responses((status = 204, description = "It is decided"),
        (status = 404, description = "`report.unknown`", body = ErrorBody),
        (status = 409, description = "`report.decided`", body = ErrorBody)))]
async fn decide(
    State(state): State<AdminState>,
    acting: Acting,
    Path(report_id): Path<Uuid>,
    Json(decision): Json<Decision>,
) -> ApiResult<StatusCode> {
    write(&state, &acting, report_id, decision.is_upheld).await?;
    Ok(DONE)
}

async fn write(
    state: &AdminState,
    acting: &Acting,
    report_id: Uuid,
    is_upheld: bool,
) -> Result<(), AdminError> {
    let mut tx = state.db().begin().await?;
    let state = sqlx::query_scalar!(
        "select state from report where report_id = $1 for no key update",
        report_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AdminError::UnknownReport)?;
    if !ReportState::Open.is(&state) {
        return Err(AdminError::ReportDecided(state));
    }
    let decided = if is_upheld { ReportState::Upheld } else { ReportState::Dismissed };
    report::decide(&mut tx, report_id, decided.name(), acting.player_id).await?;
    let (before, after) = (json!({ "state": state }), json!({ "state": decided }));
    acting.record(&mut tx, format!("report:{report_id}"), Some(before), Some(after)).await?;
    Ok(tx.commit().await?)
}
