//! `POST /v1/password`: a new password for who knows the old one.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::vocabulary::LoginEnd;
use sortie_control::who::Caller;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ask_again, policy};
use crate::error::AccountError;
use crate::mails::Task;
use crate::me;
use crate::session::{lock_player, revoke_all};
use crate::state::Accounts;

/// The route.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(change))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    #[schema(max_length = 256)]
    old_password: String,
    /// 8 to 256 characters, none of the passwords that everybody tries first.
    #[schema(min_length = 8, max_length = 256)]
    new_password: String,
}

/// Change the password
///
/// All other logins of the caller end; this one goes on.
#[utoipa::path(post, operation_id = "change_password",
    path = "/v1/password", tag = "account", request_body = PasswordChange,
    security(("bearer" = [])), responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 403, description = "account.wrong_password", body = ErrorBody),
        (status = 409, description = "account.guest", body = ErrorBody),
        (status = 422, description = "account.password_*", body = ErrorBody),
        (status = 429, description = "account.locked, request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.busy, store.unavailable", body = ErrorBody),
    ))]
async fn change(
    State(accounts): State<Accounts>,
    caller: Caller,
    Json(body): Json<PasswordChange>,
) -> ApiResult<StatusCode> {
    changed(&accounts, caller, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn changed(
    accounts: &Accounts,
    caller: Caller,
    body: PasswordChange,
) -> Result<(), AccountError> {
    let old_phc = ask_again(accounts, caller.player_id, body.old_password).await?;
    let player = me::load(&accounts.app.db, caller.player_id).await?;
    policy::check(&body.new_password, &[&player.name, player.email.as_deref().unwrap_or("")])?;
    let phc = accounts.hasher.hash(body.new_password).await?;
    let mut tx = accounts.app.db.begin().await?;
    lock_player(&mut tx, caller.player_id).await?;
    let changed = sqlx::query!(
        "update personal.credential set password_phc = $2, changed_at = now()
        where player_id = $1 and password_phc = $3",
        caller.player_id,
        phc,
        old_phc,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        // Changed by another call meanwhile: what was the old password is none any more.
        return Err(AccountError::WrongPassword);
    }
    let but = Some(caller.session_id);
    let ended = revoke_all(&mut tx, caller.player_id, but, LoginEnd::PasswordChange).await?;
    tx.commit().await?;
    accounts.tell_ended(caller.player_id, &ended, "password_change").await;
    // The owner should hear of it if it was somebody else; without room in the queue, not.
    drop(accounts.mails.try_send(Task::PasswordChanged { player_id: caller.player_id }));
    Ok(())
}
