//! `POST /v1/sessions/refresh`: a refresh token for the next pair.
//!
//! A token is exchanged once. Whoever comes with a used one has a copy, or is the owner after a
//! thief: the login ends for both. One exception, because answers get lost: within ten seconds,
//! and while nothing that came after it was used, a token may be exchanged a second time; what it
//! brought the first time is then worth nothing, and using that counts as theft, too.
//!
//! Used tokens are forgotten after two days, but each names its login: one of a living login that
//! is unknown was used before that, and is theft as well. Whoever could invent one, because it
//! knows the id of the login, could end it anyway: only its owner and staff are told the id.

use axum::extract::State;
use serde::Deserialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Locked, Tokens, next_tokens, refuse_banned};
use crate::error::AccountError;
use crate::state::{Accounts, Client};
use crate::token::refresh_if_sane;

/// Seconds in which a lost answer may be asked for again.
const RETRY_S: f64 = 10.0;

/// The route.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(refresh))
}

/// The newest refresh token of a login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[schema(max_length = 64)]
    refresh_token: String,
}

/// Exchange a refresh token
///
/// A refresh token works once. Used again it ends the login, except for one retry within ten
/// seconds while the pair that it brought is unused.
#[utoipa::path(post, operation_id = "refresh_session",
    path = "/v1/sessions/refresh", tag = "account", request_body = Refresh,
    responses(
        (status = 200, body = Tokens),
        (status = 401, description = "account.refresh_invalid, account.refresh_reused, \
            account.session_ended", body = ErrorBody),
        (status = 403, description = "account.banned", body = ErrorBody),
        (status = 429, description = "request.rate_limited", body = ErrorBody),
        (status = 503, description = "store.unavailable", body = ErrorBody),
    ))]
async fn refresh(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<Refresh>,
) -> ApiResult<Json<Tokens>> {
    let outcome = exchanged(&accounts, &client, &body.refresh_token).await;
    let name = match &outcome {
        Ok(_) => "done",
        Err(AccountError::RefreshReused) => "reused",
        Err(_) => "refused",
    };
    metrics::counter!("sortie_account_refreshes_total", "outcome" => name).increment(1);
    Ok(Json(outcome?))
}

async fn exchanged(
    accounts: &Accounts,
    client: &Client,
    refresh_token: &str,
) -> Result<Tokens, AccountError> {
    let limit = accounts.settings.limits.refreshes;
    accounts.limit_address("refresh", limit, client).await?;
    let token = refresh_if_sane(refresh_token);
    let (session_id, digest) = token.ok_or(AccountError::RefreshInvalid)?;
    let mut tx = accounts.app.db.begin().await?;
    let session = lock_session(&mut tx, session_id).await?;
    refuse_banned(&mut tx, session.player_id).await?;
    match use_token(&mut tx, &digest, session.session_id).await? {
        Use::First => {}
        Use::Retry => retire_later(&mut tx, session.session_id).await?,
        Use::Reuse => {
            end_stolen(&mut tx, session.session_id).await?;
            tx.commit().await?;
            accounts.tell_ended(session.player_id, &[session.session_id], "reuse").await;
            return Err(AccountError::RefreshReused);
        }
    }
    let player = Locked { player_id: session.player_id, is_guest: session.is_guest };
    let settings = &accounts.settings;
    let life = if session.is_guest { settings.guest_life } else { settings.session_life };
    sqlx::query!(
        "update personal.login_session set seen_at = now(), address = $2::text::inet, agent = $3,
            expires_at = now() + make_interval(secs => $4)
        where session_id = $1",
        session.session_id,
        client.address.to_string(),
        client.agent,
        life.as_secs_f64(),
    )
    .execute(&mut *tx)
    .await?;
    let tokens = next_tokens(&mut tx, accounts, player, session.session_id).await?;
    tx.commit().await?;
    Ok(tokens)
}

struct Session {
    session_id: Uuid,
    player_id: Uuid,
    is_guest: bool,
    is_over: bool,
}

/// The login of a token; its family is looked at by one call at a time.
async fn lock_session(tx: &mut PgConnection, session_id: Uuid) -> Result<Session, AccountError> {
    let session = sqlx::query_as!(
        Session,
        r#"select session_id, player_id, is_guest,
            revoked_at is not null or expires_at <= now() as "is_over!"
        from personal.login_session join player using (player_id)
        where session_id = $1 for update of login_session"#,
        session_id
    )
    .fetch_optional(tx)
    .await?
    .ok_or(AccountError::RefreshInvalid)?;
    if session.is_over { Err(AccountError::SessionEnded) } else { Ok(session) }
}

/// What the use of a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    First,
    Retry,
    Reuse,
}

/// Notes the use of a token. The login's row is locked: nothing changes in between.
async fn use_token(
    tx: &mut PgConnection,
    digest: &[u8],
    session_id: Uuid,
) -> Result<Use, AccountError> {
    let token = sqlx::query!(
        r#"select used_at is null as "is_new!", coalesce(retried_at is null
            and used_at >= now() - make_interval(secs => $3) and not exists (
                select from personal.refresh_token as later
                where later.session_id = $2 and later.generation > token.generation
                    and later.used_at is not null), false) as "may_retry!"
        from personal.refresh_token as token where token_hash = $1 and session_id = $2"#,
        digest,
        session_id,
        RETRY_S,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(token) = token else { return Ok(Use::Reuse) };
    let usage = match (token.is_new, token.may_retry) {
        (true, _) => Use::First,
        (false, true) => Use::Retry,
        (false, false) => Use::Reuse,
    };
    sqlx::query!(
        "update personal.refresh_token set used_at = coalesce(used_at, now()),
            retried_at = case when used_at is not null then now() end
        where token_hash = $1",
        digest
    )
    .execute(tx)
    .await?;
    Ok(usage)
}

/// What the first exchange brought is worth nothing after the second.
async fn retire_later(tx: &mut PgConnection, session_id: Uuid) -> Result<(), AccountError> {
    sqlx::query!(
        "update personal.refresh_token set used_at = now(), retried_at = now()
        where session_id = $1 and used_at is null",
        session_id
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn end_stolen(tx: &mut PgConnection, session_id: Uuid) -> Result<(), AccountError> {
    sqlx::query!(
        "update personal.login_session set revoked_at = now(), revoked_why = 'reuse'
        where session_id = $1",
        session_id
    )
    .execute(tx)
    .await?;
    Ok(())
}
