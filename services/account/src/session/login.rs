//! `POST /v1/sessions`: name or address, password, and a code for whoever has an authenticator.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sqlx::PgPool;
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Locked, LoggedIn, lock_player, open};
use crate::error::AccountError;
use crate::guess::{Guess, Guessed};
use crate::hasher::Verdict;
use crate::state::{Accounts, Client, has_control_characters};
use crate::{authenticator, me};

/// The route.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(log_in))
}

/// Proof of who one is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// Name or mail address, in any case.
    #[schema(max_length = 254)]
    login: String,
    #[schema(max_length = 256)]
    password: String,
    /// Six digits; needed once an authenticator is confirmed.
    #[schema(max_length = 10)]
    totp_code: Option<String>,
}

/// Log in
///
/// Wrong guesses lock the name or address that was typed for a while: 30 seconds after five of
/// them, and twice as long for each one more, up to 15 minutes. Wrong codes lock the codes of the
/// account likewise, wherever they are asked for.
///
/// Who is banned is told the ban and its reason, and gets an `appeal_token`: good for an hour, for
/// `POST /v1/bans/{ban_id}/appeal` alone.
#[utoipa::path(post, operation_id = "log_in",
    path = "/v1/sessions", tag = "account", request_body = Login, responses(
    (status = 201, body = LoggedIn),
    (status = 401, description = "account.wrong_login, account.totp_required", body = ErrorBody),
    (status = 403, description = "account.banned, account.wrong_code", body = ErrorBody),
    (status = 422, description = "request.fields", body = ErrorBody),
    (status = 429, description = "account.locked, request.rate_limited", body = ErrorBody),
    (status = 503, description = "account.busy, store.unavailable", body = ErrorBody),
))]
async fn log_in(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<Login>,
) -> ApiResult<(StatusCode, Json<LoggedIn>)> {
    let outcome = checked(&accounts, &client, body).await;
    let name = match &outcome {
        Ok(_) => "done",
        Err(AccountError::WrongLogin | AccountError::WrongCode) => "wrong",
        Err(AccountError::Locked(_) | AccountError::TooMany(_)) => "limited",
        Err(AccountError::Banned { .. }) => "banned",
        Err(AccountError::TotpRequired) => "code_wanted",
        Err(_) => "failed",
    };
    metrics::counter!("sortie_account_logins_total", "outcome" => name).increment(1);
    Ok((StatusCode::CREATED, Json(outcome?)))
}

async fn checked(
    accounts: &Accounts,
    client: &Client,
    body: Login,
) -> Result<LoggedIn, AccountError> {
    let (db, settings) = (&accounts.app.db, &accounts.settings);
    accounts.limit_address("login", settings.limits.logins, client).await?;
    let login = body.login.trim();
    let guess = Guess::count(db, &Guessed::login(login), settings.lockout).await?;
    let outcome = look_at(accounts, login, &body.password).await;
    let found = guess.settle(db, outcome).await?;
    if let Some(secret) = &found.totp_secret {
        let code = body.totp_code.as_deref().ok_or(AccountError::TotpRequired)?;
        authenticator::use_code(accounts, found.player_id, secret, code).await?;
    }
    let found = renew_hash(accounts, found, body.password).await?;
    let mut tx = db.begin().await?;
    let player = match lock_player(&mut tx, found.player_id).await {
        Err(AccountError::UnknownPlayer) => return Err(AccountError::WrongLogin),
        player => player?,
    };
    if !is_still(&mut tx, &found).await? {
        return Err(AccountError::WrongLogin);
    }
    let opened = open(&mut tx, accounts, player, client).await;
    let (tokens, surplus) = opened.map_err(|error| with_appeal(accounts, player, error))?;
    tx.commit().await?;
    accounts.tell_ended(player.player_id, &surplus, "too_many").await;
    let player = me::load(db, player.player_id).await?;
    Ok(LoggedIn { player, tokens })
}

/// Whoever has shown the password of a banned account may say something against the ban.
fn with_appeal(accounts: &Accounts, player: Locked, error: AccountError) -> AccountError {
    match error {
        AccountError::Banned { ban_id, appeal_token: _, reason, expires_at } => {
            let (access, now) = (&accounts.app.access, accounts.app.clock.estimate());
            let appeal_token = Some(access.issue_appeal(player.player_id, ban_id, now));
            AccountError::Banned { ban_id, appeal_token, reason, expires_at }
        }
        error => error,
    }
}

/// Whose login it is, if the password is right.
async fn look_at(accounts: &Accounts, login: &str, password: &str) -> Result<Found, AccountError> {
    let found = find(&accounts.app.db, login).await?;
    let phc = found.as_ref().map(|found| found.password_phc.clone());
    let verdict = accounts.hasher.look_at(password.to_owned(), phc).await?;
    let found = found.filter(|_| verdict != Verdict::Wrong).ok_or(AccountError::WrongLogin)?;
    Ok(Found { is_as_typed: verdict == Verdict::RightAsTyped, ..found })
}

/// A credential as it was when the password was checked.
struct Found {
    player_id: Uuid,
    password_phc: String,
    /// Of a confirmed authenticator.
    totp_secret: Option<String>,
    /// The hash is of the password as it was typed, from before passwords were prepared.
    is_as_typed: bool,
}

/// Names have no `@` and addresses have one: at most one row is found.
async fn find(db: &PgPool, login: &str) -> Result<Option<Found>, AccountError> {
    // Found like any other name that nobody has: what Postgres cannot read is nobody's.
    let login = if has_control_characters(login) { "" } else { login };
    // Names are composed; those from before that was so are found as they are.
    let composed: String = login.nfkc().collect();
    Ok(sqlx::query_as!(
        Found,
        r#"with found as (
            select player_id, name_key = lower($1) as is_literal from player
                where name_key in (lower($1), lower($2))
            union all select player_id, true from personal.identity where email_key = lower($1)
        )
        select player_id as "player_id!", password_phc,
            case when totp_confirmed_at is not null then totp_secret end as totp_secret,
            false as "is_as_typed!"
        from found join personal.credential using (player_id)
        order by is_literal desc limit 1"#,
        login,
        composed
    )
    .fetch_optional(db)
    .await?)
}

/// Renews a hash of another cost than today's, or of a password that was not prepared, now that
/// the password is known.
async fn renew_hash(
    accounts: &Accounts,
    mut found: Found,
    password: String,
) -> Result<Found, AccountError> {
    if !found.is_as_typed && !accounts.hasher.is_outdated(&found.password_phc) {
        return Ok(found);
    }
    let phc = accounts.hasher.hash(password).await?;
    let renewed = sqlx::query!(
        "update personal.credential set password_phc = $2 where player_id = $1
            and password_phc = $3",
        found.player_id,
        phc,
        found.password_phc,
    )
    .execute(&accounts.app.db)
    .await?;
    if renewed.rows_affected() == 1 {
        found.password_phc = phc;
    }
    Ok(found)
}

/// Whether password and authenticator are still those that were looked at: a change of either ends
/// all logins, and this one would come after it.
async fn is_still(tx: &mut sqlx::PgConnection, found: &Found) -> Result<bool, AccountError> {
    let now = sqlx::query!(
        "select password_phc,
            case when totp_confirmed_at is not null then totp_secret end as totp_secret
        from personal.credential where player_id = $1",
        found.player_id
    )
    .fetch_optional(tx)
    .await?;
    Ok(now.is_some_and(|now| {
        now.password_phc == found.password_phc && now.totp_secret == found.totp_secret
    }))
}
