//! `/v1/admin/audit`: what staff did, tried and were refused.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sortie_control::audit::{self, AuditOutcome};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::permission::needs;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::staff_router::{AdminState, StaffRouter};

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router
        .serve::<needs::AuditRead>("audit.search", routes!(search))
        .serve::<needs::AuditRead>("audit.verify", routes!(verify))
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Who acted.
    actor: Option<Uuid>,
    /// Like `bans.create`.
    action: Option<String>,
    /// How it ended.
    outcome: Option<AuditOutcome>,
    /// What it was done to, like `player:UUID`.
    target: Option<String>,
    /// Not before.
    #[serde(default, with = "time::serde::rfc3339::option")]
    from: Option<OffsetDateTime>,
    /// Before.
    #[serde(default, with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
}

/// A row of the audit log.
#[derive(Debug, Serialize, ToSchema)]
struct AuditRow {
    seq: i64,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Null: the product itself, or nobody who could be named.
    actor: Option<Uuid>,
    action: String,
    #[schema(value_type = AuditOutcome)]
    outcome: String,
    target: String,
    before: Option<Value>,
    after: Option<Value>,
    request_id: String,
    /// SHA-256 of the row and the hash before it, hexadecimal.
    hash: String,
}

/// Search the audit log, newest first
#[utoipa::path(get, operation_id = "search_audit_log",
    path = "/v1/admin/audit", tag = "admin", params(Filter, PageQuery),
    responses((status = 200, description = "A page", body = Page<AuditRow>),
        (status = 422, description = "A value is out of bounds", body = ErrorBody)))]
async fn search(
    State(state): State<AdminState>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<AuditRow>>> {
    let (limit, before) = (page.limit()?, page.after::<i64>()?);
    let rows = sqlx::query_as!(
        AuditRow,
        r#"select seq, at, actor, action, outcome, target, before, after, request_id,
               encode(hash, 'hex') as "hash!"
           from audit
           where ($1::uuid is null or actor = $1) and ($2::text is null or action = $2)
               and ($3::text is null or outcome = $3) and ($4::text is null or target = $4)
               and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
               and ($7::bigint is null or seq < $7)
           order by seq desc limit $8"#,
        filter.actor,
        filter.action,
        filter.outcome.map(AuditOutcome::name),
        filter.target,
        filter.from,
        filter.until,
        before,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    Ok(Json(Page::new(rows, limit, |row| row.seq)))
}

/// Whether the chain holds.
#[derive(Debug, Serialize, ToSchema)]
struct Verification {
    is_whole: bool,
    /// The first row that was changed, that stands where one was removed, or that is missing at
    /// the end.
    first_broken: Option<i64>,
    /// Rows so far. Write it down elsewhere, with the hash: who owns the database could make a
    /// whole new chain, but not one with this end.
    head_seq: i64,
    /// Hash of the last row, hexadecimal.
    head_hash: String,
}

/// Verify the chain of the audit log
#[utoipa::path(get, operation_id = "verify_audit_log",
    path = "/v1/admin/audit/verification", tag = "admin",
    responses((status = 200, description = "Whether it holds", body = Verification),
        (status = 503, description = "The database is away", body = ErrorBody)))]
async fn verify(State(state): State<AdminState>) -> ApiResult<Json<Verification>> {
    let first_broken = audit::first_broken(state.db()).await?;
    let head = sqlx::query!(r#"select seq, encode(hash, 'hex') as "hash!" from audit_head"#)
        .fetch_one(state.db())
        .await?;
    tracing::info!(head_seq = head.seq, head_hash = head.hash, first_broken, "audit log verified");
    Ok(Json(Verification {
        is_whole: first_broken.is_none(),
        first_broken,
        head_seq: head.seq,
        head_hash: head.hash,
    }))
}
