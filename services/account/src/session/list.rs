//! `GET /v1/sessions`: where a player is logged in.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::who::Caller;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AccountError;
use crate::state::Accounts;

/// The route.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A login.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Session {
    session_id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was refreshed last.
    #[serde(with = "time::serde::rfc3339")]
    seen_at: OffsetDateTime,
    /// When it ends unless it is refreshed.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Address of the client when it was refreshed last.
    address: Option<String>,
    /// The client's program, as it names itself.
    agent: String,
    /// Whether this call comes from it.
    is_current: bool,
}

/// List logins
///
/// Those of the caller that have not ended, newest first.
#[utoipa::path(get, operation_id = "list_sessions",
    path = "/v1/sessions", tag = "account", params(PageQuery),
    security(("bearer" = [])), responses(
        (status = 200, body = Page<Session>),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 422, description = "request.limit, request.cursor", body = ErrorBody),
    ))]
async fn list(
    State(accounts): State<Accounts>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<Session>>> {
    let limit = page.limit()?;
    let rows = sqlx::query_as!(
        Session,
        r#"select session_id, created_at, seen_at, expires_at, host(address) as address, agent,
            session_id = $2 as "is_current!"
        from personal.login_session
        where player_id = $1 and revoked_at is null and expires_at > now()
            and ($3::uuid is null or session_id < $3)
        order by session_id desc limit $4"#,
        caller.player_id,
        caller.session_id,
        page.after::<Uuid>()?,
        limit + 1,
    )
    .fetch_all(&accounts.app.db)
    .await
    .map_err(AccountError::from)?;
    Ok(Json(Page::new(rows, limit, |row| row.session_id)))
}
