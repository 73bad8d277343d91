//! Logins: opened with a password, kept by refresh tokens, ended by logout and by much else.

pub mod end;
pub mod list;
pub mod login;
pub mod refresh;

use serde::{Deserialize, Serialize};
use sortie_control::access;
use sortie_control::vocabulary::LoginEnd;
use sortie_sanctions::ban;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::error::AccountError;
use crate::me::Me;
use crate::state::{Accounts, Client};
use crate::token;

/// The routes of logins.
pub fn router() -> OpenApiRouter<Accounts> {
    login::router().merge(refresh::router()).merge(list::router()).merge(end::router())
}

/// What a login is held by.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// For the header `Authorization: Bearer …`.
    pub access_token: String,
    /// Seconds that the access token is good for.
    pub expires_in: i64,
    /// Exchanged once, for the next pair. Whoever has it is logged in: keep it safe.
    pub refresh_token: String,
    /// The login.
    pub session_id: Uuid,
}

/// A player who has just logged in.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct LoggedIn {
    /// The player as `GET /v1/me` shows it.
    pub player: Me,
    /// How the login is held.
    pub tokens: Tokens,
}

/// A new login of a player, whose row the caller's transaction has locked (see [`lock_player`]).
///
/// Gives the logins that ended for it, too: of too many, those unused longest.
///
/// # Errors
/// [`AccountError::Banned`], or the database is away.
pub async fn open(
    tx: &mut PgConnection,
    accounts: &Accounts,
    player: Locked,
    client: &Client,
) -> Result<(Tokens, Vec<Uuid>), AccountError> {
    refuse_banned(tx, player.player_id).await?;
    let settings = &accounts.settings;
    let surplus = sqlx::query_scalar!(
        "update personal.login_session set revoked_at = now(), revoked_why = 'too_many'
        where session_id in (select session_id from personal.login_session
            where player_id = $1 and revoked_at is null order by seen_at desc offset $2)
        returning session_id",
        player.player_id,
        i64::from(settings.sessions_max.max(1)) - 1,
    )
    .fetch_all(&mut *tx)
    .await?;
    let life = if player.is_guest { settings.guest_life } else { settings.session_life };
    let session_id = Uuid::now_v7();
    sqlx::query!(
        "insert into personal.login_session (session_id, player_id, expires_at, address, agent)
        values ($1, $2, now() + make_interval(secs => $3), $4::text::inet, $5)",
        session_id,
        player.player_id,
        life.as_secs_f64(),
        client.address.to_string(),
        client.agent,
    )
    .execute(&mut *tx)
    .await?;
    let tokens = next_tokens(tx, accounts, player, session_id).await?;
    Ok((tokens, surplus))
}

/// The next pair of tokens of a login.
async fn next_tokens(
    tx: &mut PgConnection,
    accounts: &Accounts,
    player: Locked,
    session_id: Uuid,
) -> Result<Tokens, AccountError> {
    let (refresh_token, digest) = token::new_refresh(session_id);
    sqlx::query!(
        "insert into personal.refresh_token (token_hash, session_id, generation)
        select $1, $2, coalesce(max(generation), 0) + 1
        from personal.refresh_token where session_id = $2",
        digest,
        session_id,
    )
    .execute(&mut *tx)
    .await?;
    let now = accounts.app.clock.estimate();
    let Locked { player_id, is_guest } = player;
    let access_token = accounts.app.access.issue(player_id, session_id, is_guest, now);
    let expires_in = access::LIFE.whole_seconds();
    Ok(Tokens { access_token, expires_in, refresh_token, session_id })
}

/// A player that the transaction holds still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The player whose row is locked until the transaction ends.
    pub player_id: Uuid,
    /// Whether it is a guest.
    pub is_guest: bool,
}

/// Locks a player's row: bans refer to it, so that a ban is either seen now, or sees the login
/// that is opened now and ends it. Passwords and erasures lock it, too.
///
/// # Errors
/// [`AccountError::UnknownPlayer`] also after erasure, or the database is away.
pub async fn lock_player(tx: &mut PgConnection, player_id: Uuid) -> Result<Locked, AccountError> {
    sqlx::query_as!(
        Locked,
        "select player_id, is_guest from player where player_id = $1 and erased_at is null
        for update",
        player_id
    )
    .fetch_optional(tx)
    .await?
    .ok_or(AccountError::UnknownPlayer)
}

/// Refuses a player who is banned from logging in.
async fn refuse_banned(tx: &mut PgConnection, player_id: Uuid) -> Result<(), AccountError> {
    let ban = ban::from_login(tx, player_id).await?;
    match ban {
        None => Ok(()),
        Some(ban) => Err(AccountError::Banned {
            ban_id: ban.ban_id,
            appeal_token: None,
            reason: ban.reason,
            expires_at: ban.expires_at,
        }),
    }
}

/// Ends the logins of a player, all but `but`, and tells which they were.
///
/// # Errors
/// The database is away.
pub async fn revoke_all(
    tx: &mut PgConnection,
    player_id: Uuid,
    but: Option<Uuid>,
    why: LoginEnd,
) -> Result<Vec<Uuid>, AccountError> {
    Ok(sqlx::query_scalar!(
        "update personal.login_session set revoked_at = now(), revoked_why = $3
        where player_id = $1 and revoked_at is null and session_id is distinct from $2
        returning session_id",
        player_id,
        but,
        why.name(),
    )
    .fetch_all(tx)
    .await?)
}
