//! `DELETE /v1/sessions…`: logout here, there and everywhere.

use axum::extract::State;
use axum::http::StatusCode;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Path;
use sortie_control::vocabulary::LoginEnd;
use sortie_control::who::Caller;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::revoke_all;
use crate::error::AccountError;
use crate::state::Accounts;

/// The routes.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new()
        .routes(routes!(end_current))
        .routes(routes!(end_all))
        .routes(routes!(end_one))
}

/// Log out
///
/// Ends the login that this call is made with. A guest cannot come back after it.
#[utoipa::path(delete, operation_id = "log_out",
    path = "/v1/sessions/current", tag = "account",
    security(("bearer" = [])), responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
    ))]
async fn end_current(State(accounts): State<Accounts>, caller: Caller) -> ApiResult<StatusCode> {
    match end(&accounts, caller.player_id, caller.session_id).await {
        // Ended already, on another node: so it is.
        Ok(()) | Err(AccountError::UnknownSession) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}

/// Log out everywhere
///
/// Ends all logins of the caller, this one too.
#[utoipa::path(delete, operation_id = "end_all_sessions",
    path = "/v1/sessions", tag = "account", security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
    ))]
async fn end_all(State(accounts): State<Accounts>, caller: Caller) -> ApiResult<StatusCode> {
    let mut db = accounts.app.db.acquire().await?;
    let mut ended = revoke_all(&mut db, caller.player_id, None, LoginEnd::LogoutEverywhere).await?;
    drop(db);
    if !ended.contains(&caller.session_id) {
        ended.push(caller.session_id);
    }
    accounts.tell_ended(caller.player_id, &ended, "logout_everywhere").await;
    Ok(StatusCode::NO_CONTENT)
}

/// End a login
///
/// One of the caller's, as the list of logins names it.
#[utoipa::path(delete, operation_id = "end_session",
    path = "/v1/sessions/{session_id}", tag = "account",
    params(("session_id" = Uuid, Path, description = "The login")),
    security(("bearer" = [])), responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 404, description = "account.unknown_session", body = ErrorBody),
    ))]
async fn end_one(
    State(accounts): State<Accounts>,
    caller: Caller,
    Path(session_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    end(&accounts, caller.player_id, session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end(accounts: &Accounts, player_id: Uuid, session_id: Uuid) -> Result<(), AccountError> {
    let ended = sqlx::query!(
        "update personal.login_session set revoked_at = now(), revoked_why = 'logout'
        where session_id = $1 and player_id = $2 and revoked_at is null",
        session_id,
        player_id,
    )
    .execute(&accounts.app.db)
    .await?;
    if ended.rows_affected() == 0 {
        return Err(AccountError::UnknownSession);
    }
    accounts.tell_ended(player_id, &[session_id], "logout").await;
    Ok(())
}
