//! `POST /v1/totp…`: codes from an authenticator (RFC 6238), for staff and whoever wants them.
//!
//! The secret lies in the database as it is: a code is a second factor against who knows a
//! password, not against who has our database. A code is good once.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sortie_control::access::random_bytes;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::vocabulary::LoginEnd;
use sortie_control::who::Caller;
use sqlx::PgPool;
use totp_rs::Secret;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::authenticator::{totp_of, use_code};
use crate::error::AccountError;
use crate::me;
use crate::password::ask_again;
use crate::session::{lock_player, revoke_all};
use crate::state::Accounts;

/// The routes.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(confirm)).routes(routes!(remove))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpBegin {
    #[schema(max_length = 256)]
    password: String,
}

/// What an authenticator is told.
#[derive(Serialize, ToSchema)]
struct TotpSecret {
    /// Base32.
    secret: String,
    /// The same with names, for a QR code: `otpauth://totp/…`.
    url: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpConfirm {
    /// Six digits, from the authenticator.
    #[schema(max_length = 10)]
    code: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TotpRemove {
    #[schema(max_length = 256)]
    password: String,
    /// Six digits, from the authenticator.
    #[schema(max_length = 10)]
    code: String,
}

/// Begin with an authenticator
///
/// Logins need no code until a first one was right. Begun again, the older secret is forgotten.
#[utoipa::path(post, operation_id = "begin_totp",
    path = "/v1/totp", tag = "account", request_body = TotpBegin,
    security(("bearer" = [])), responses(
        (status = 200, body = TotpSecret),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 403, description = "account.wrong_password", body = ErrorBody),
        (status = 409, description = "account.guest, account.totp_enrolled", body = ErrorBody),
        (status = 429, description = "account.locked, request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.busy, store.unavailable", body = ErrorBody),
    ))]
async fn begin(
    State(accounts): State<Accounts>,
    caller: Caller,
    Json(body): Json<TotpBegin>,
) -> ApiResult<Json<TotpSecret>> {
    Ok(Json(begun(&accounts, caller.player_id, body).await?))
}

async fn begun(
    accounts: &Accounts,
    player_id: Uuid,
    body: TotpBegin,
) -> Result<TotpSecret, AccountError> {
    ask_again(accounts, player_id, body.password).await?;
    let db = &accounts.app.db;
    let name = me::load(db, player_id).await?.name;
    let secret = Secret::from(random_bytes::<20>()).to_base32();
    let begun = sqlx::query!(
        "update personal.credential set totp_secret = $2, totp_step = null
        where player_id = $1 and totp_confirmed_at is null",
        player_id,
        secret,
    )
    .execute(db)
    .await?;
    if begun.rows_affected() == 0 {
        return Err(AccountError::TotpEnrolled);
    }
    let totp = totp_of(&secret, &accounts.settings.issuer, &name);
    let url = totp.and_then(|totp| totp.to_url().ok()).unwrap_or_default();
    Ok(TotpSecret { secret, url })
}

/// Confirm an authenticator
///
/// With a first code; from then on, logins need one. All other logins of the caller end, for they
/// were opened without.
#[utoipa::path(post, operation_id = "confirm_totp",
    path = "/v1/totp/confirm", tag = "account", request_body = TotpConfirm,
    security(("bearer" = [])), responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 403, description = "account.wrong_code", body = ErrorBody),
        (status = 409, description = "account.totp_missing", body = ErrorBody),
        (status = 429, description = "account.locked", body = ErrorBody),
        (status = 503, description = "store.unavailable", body = ErrorBody),
    ))]
async fn confirm(
    State(accounts): State<Accounts>,
    caller: Caller,
    Json(body): Json<TotpConfirm>,
) -> ApiResult<StatusCode> {
    confirmed(&accounts, caller, &body.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn confirmed(accounts: &Accounts, caller: Caller, code: &str) -> Result<(), AccountError> {
    let (db, player_id) = (&accounts.app.db, caller.player_id);
    let secret = secret_of(db, player_id, false).await?;
    use_code(accounts, player_id, &secret, code).await?;
    let mut tx = db.begin().await?;
    // A login that is being opened without a code comes before this and ends here, or comes after
    // it and is refused.
    lock_player(&mut tx, player_id).await?;
    let confirmed = sqlx::query!(
        "update personal.credential set totp_confirmed_at = clock_timestamp()
        where player_id = $1 and totp_secret = $2 and totp_confirmed_at is null",
        player_id,
        secret,
    )
    .execute(&mut *tx)
    .await?;
    if confirmed.rows_affected() == 0 {
        return Err(AccountError::TotpMissing);
    }
    let ended = revoke_all(&mut tx, player_id, Some(caller.session_id), LoginEnd::Totp).await?;
    tx.commit().await?;
    accounts.tell_ended(player_id, &ended, "totp").await;
    Ok(())
}

/// Do without an authenticator
#[utoipa::path(delete, operation_id = "remove_totp",
    path = "/v1/totp", tag = "account", request_body = TotpRemove,
    security(("bearer" = [])), responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 403, description = "account.wrong_password, account.wrong_code",
            body = ErrorBody),
        (status = 409, description = "account.guest, account.totp_missing", body = ErrorBody),
        (status = 429, description = "account.locked, request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.busy, store.unavailable", body = ErrorBody),
    ))]
async fn remove(
    State(accounts): State<Accounts>,
    caller: Caller,
    Json(body): Json<TotpRemove>,
) -> ApiResult<StatusCode> {
    removed(&accounts, caller.player_id, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn removed(
    accounts: &Accounts,
    player_id: Uuid,
    body: TotpRemove,
) -> Result<(), AccountError> {
    let db = &accounts.app.db;
    ask_again(accounts, player_id, body.password).await?;
    let secret = secret_of(db, player_id, true).await?;
    use_code(accounts, player_id, &secret, &body.code).await?;
    sqlx::query!(
        "update personal.credential
        set totp_secret = null, totp_confirmed_at = null, totp_step = null
        where player_id = $1 and totp_secret = $2",
        player_id,
        secret,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn secret_of(db: &PgPool, player_id: Uuid, confirmed: bool) -> Result<String, AccountError> {
    sqlx::query_scalar!(
        r#"select totp_secret as "secret!" from personal.credential
        where player_id = $1 and totp_secret is not null
            and (totp_confirmed_at is not null) = $2"#,
        player_id,
        confirmed,
    )
    .fetch_optional(db)
    .await?
    .ok_or(AccountError::TotpMissing)
}
