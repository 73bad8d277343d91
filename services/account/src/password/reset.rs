//! `POST /v1/password/reset-requests` and `POST /v1/password/resets`: a new password for who can
//! read the mails of an account.

use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::vocabulary::LoginEnd;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::policy;
use crate::error::AccountError;
use crate::guess::Guessed;
use crate::mails::Task;
use crate::names;
use crate::session::{lock_player, revoke_all};
use crate::state::{Accounts, Client};
use crate::token::digest_if_sane;

/// The routes.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(reset))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetRequest {
    #[schema(max_length = 254)]
    email: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// From the mail.
    #[schema(max_length = 64)]
    token: String,
    /// 8 to 256 characters, none of the passwords that everybody tries first.
    #[schema(min_length = 8, max_length = 256)]
    new_password: String,
}

/// Ask for a mail to set a new password
///
/// The answer is the same whether there is an account with this address or not, and comes before
/// anybody looks: a mail goes out later, if so.
#[utoipa::path(post, operation_id = "request_password_reset",
    path = "/v1/password/reset-requests", tag = "account",
    request_body = ResetRequest, responses(
        (status = 202),
        (status = 422, description = "account.email_shape", body = ErrorBody),
        (status = 429, description = "request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.mail_off, account.busy, store.unavailable",
            body = ErrorBody),
    ))]
async fn ask(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<ResetRequest>,
) -> ApiResult<StatusCode> {
    let limit = accounts.settings.limits.mails;
    accounts.limit_address("mail", limit, &client).await?;
    if accounts.settings.mailer.is_none() {
        return Err(AccountError::MailOff.into());
    }
    names::check_email(&body.email)?;
    // Of known addresses and others alike.
    if limit.is_some() {
        let key = Guessed::login(&body.email).key(&accounts.app.db).await?;
        accounts.limit("mail-to", limit, &HEXLOWER.encode(&key)).await?;
    }
    let asked = accounts.mails.try_send(Task::ResetAsked { email: body.email });
    asked.map_err(|_| AccountError::Busy)?;
    Ok(StatusCode::ACCEPTED)
}

/// Set a new password with a token from a mail
///
/// All logins of the player end. The token works once.
#[utoipa::path(post, operation_id = "reset_password",
    path = "/v1/password/resets", tag = "account", request_body = Reset,
    responses(
        (status = 204),
        (status = 422, description = "account.reset_invalid, account.password_*",
            body = ErrorBody),
        (status = 429, description = "request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.busy, store.unavailable", body = ErrorBody),
    ))]
async fn reset(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<Reset>,
) -> ApiResult<StatusCode> {
    done(&accounts, &client, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn done(accounts: &Accounts, client: &Client, body: Reset) -> Result<(), AccountError> {
    let db = &accounts.app.db;
    accounts.limit_address("login", accounts.settings.limits.logins, client).await?;
    let digest = digest_if_sane(&body.token).ok_or(AccountError::ResetInvalid)?;
    // Looked at before the hash is computed: strangers without a token get none.
    let owner = sqlx::query!(
        "select player_id, name, email from personal.reset_token
        join player using (player_id) join personal.identity using (player_id)
        where token_hash = $1 and used_at is null and expires_at > now()",
        digest
    )
    .fetch_optional(db)
    .await?
    .ok_or(AccountError::ResetInvalid)?;
    policy::check(&body.new_password, &[&owner.name, &owner.email])?;
    let phc = accounts.hasher.hash(body.new_password).await?;

    let mut tx = db.begin().await?;
    lock_player(&mut tx, owner.player_id).await?;
    let used = sqlx::query!(
        "update personal.reset_token set used_at = now()
        where token_hash = $1 and used_at is null and expires_at > now()",
        digest
    )
    .execute(&mut *tx)
    .await?;
    if used.rows_affected() == 0 {
        return Err(AccountError::ResetInvalid);
    }
    set_password(&mut tx, owner.player_id, &phc).await?;
    sqlx::query!(
        "delete from personal.login_failure where guessed in
            (personal.guess_key('login', $1), personal.guess_key('login', $2))",
        owner.name,
        owner.email,
    )
    .execute(&mut *tx)
    .await?;
    let ended = revoke_all(&mut tx, owner.player_id, None, LoginEnd::PasswordReset).await?;
    tx.commit().await?;
    accounts.tell_ended(owner.player_id, &ended, "password_reset").await;
    drop(accounts.mails.try_send(Task::PasswordChanged { player_id: owner.player_id }));
    Ok(())
}

/// Whoever came with the token reads the mails of this address.
async fn set_password(
    tx: &mut sqlx::PgConnection,
    player_id: Uuid,
    phc: &str,
) -> Result<(), AccountError> {
    sqlx::query!(
        "update personal.credential set password_phc = $2, changed_at = now()
        where player_id = $1",
        player_id,
        phc,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update personal.identity set email_verified_at = coalesce(email_verified_at, now())
        where player_id = $1",
        player_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}
