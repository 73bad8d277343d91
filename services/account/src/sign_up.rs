//! `POST /v1/accounts…`: new members, guests, and guests who become members.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::flag::Flag;
use sortie_control::json::Json;
use sortie_control::text::look;
use sortie_control::vocabulary::LoginEnd;
use sortie_control::who::Caller;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AccountError;
use crate::password::policy;
use crate::session::{Locked, LoggedIn, lock_player, open, revoke_all};
use crate::state::{Accounts, Client};
use crate::{me, names};

/// The routes.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(sign_up)).routes(routes!(be_guest)).routes(routes!(upgrade))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignUp {
    /// What others see: 3 to 24 letters and digits; spaces, `_`, `.` and `-` between them.
    #[schema(min_length = 3, max_length = 24)]
    name: String,
    /// For new passwords; nobody else sees it.
    #[schema(max_length = 254)]
    email: String,
    /// 8 to 256 characters, none of the passwords that everybody tries first.
    #[schema(min_length = 8, max_length = 256)]
    password: String,
}

impl SignUp {
    /// With the name as it is kept.
    async fn checked(mut self, db: &PgPool) -> Result<Self, AccountError> {
        self.name = names::chosen(&self.name)?;
        names::check_email(&self.email)?;
        policy::check(&self.password, &[&self.name, &self.email])?;
        names::refuse_words(db, &self.name).await?;
        Ok(self)
    }
}

/// Sign up
#[utoipa::path(post, operation_id = "sign_up",
    path = "/v1/accounts", tag = "account", request_body = SignUp, responses(
    (status = 201, body = LoggedIn),
    (status = 403, description = "account.sign_up_closed", body = ErrorBody),
    (status = 409, description = "account.name_taken, account.name_similar, \
            account.email_taken", body = ErrorBody),
    (status = 422, description = "account.name_shape, account.name_scripts, \
            account.name_reserved, account.name_word, account.email_shape, account.password_*",
        body = ErrorBody),
    (status = 429, description = "request.rate_limited", body = ErrorBody),
    (status = 503, description = "account.busy, store.unavailable", body = ErrorBody),
))]
async fn sign_up(
    State(accounts): State<Accounts>,
    client: Client,
    Json(body): Json<SignUp>,
) -> ApiResult<(StatusCode, Json<LoggedIn>)> {
    let logged_in = signed_up(&accounts, &client, body).await?;
    metrics::counter!("sortie_account_sign_ups_total", "kind" => "member").increment(1);
    Ok((StatusCode::CREATED, Json(logged_in)))
}

async fn signed_up(
    accounts: &Accounts,
    client: &Client,
    body: SignUp,
) -> Result<LoggedIn, AccountError> {
    accounts.limit_address("sign-up", accounts.settings.limits.sign_ups, client).await?;
    let body = body.checked(&accounts.app.db).await?;
    require_open(accounts).await?;
    let phc = accounts.hasher.hash(body.password).await?;
    let player_id = Uuid::now_v7();
    let mut tx = accounts.app.db.begin().await?;
    sqlx::query!("insert into player (player_id, name) values ($1, $2)", player_id, body.name)
        .execute(&mut *tx)
        .await?;
    look::take(&mut tx, player_id, &body.name).await?;
    add_credential(&mut tx, player_id, &body.email, &phc).await?;
    let player = Locked { player_id, is_guest: false };
    let (tokens, _) = open(&mut tx, accounts, player, client).await?;
    tx.commit().await?;
    let player = me::load(&accounts.app.db, player_id).await?;
    Ok(LoggedIn { player, tokens })
}

/// Staff may close sign-up for a while.
async fn require_open(accounts: &Accounts) -> Result<(), AccountError> {
    if Flag::SignUpOpen.is_on(&accounts.app.db).await? {
        Ok(())
    } else {
        Err(AccountError::SignUpClosed)
    }
}

async fn add_credential(
    tx: &mut PgConnection,
    player_id: Uuid,
    email: &str,
    phc: &str,
) -> Result<(), AccountError> {
    sqlx::query!(
        "insert into personal.identity (player_id, email) values ($1, $2)",
        player_id,
        email
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into personal.credential (player_id, password_phc) values ($1, $2)",
        player_id,
        phc
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Play as a guest
///
/// Without name, address or password. The refresh token is all that a guest has: without it, the
/// account is lost.
#[utoipa::path(post, operation_id = "sign_up_guest",
    path = "/v1/accounts/guest", tag = "account", responses(
    (status = 201, body = LoggedIn),
    (status = 403, description = "account.sign_up_closed", body = ErrorBody),
    (status = 429, description = "request.rate_limited", body = ErrorBody),
    (status = 503, description = "store.unavailable", body = ErrorBody),
))]
async fn be_guest(
    State(accounts): State<Accounts>,
    client: Client,
) -> ApiResult<(StatusCode, Json<LoggedIn>)> {
    let logged_in = new_guest(&accounts, &client).await?;
    metrics::counter!("sortie_account_sign_ups_total", "kind" => "guest").increment(1);
    Ok((StatusCode::CREATED, Json(logged_in)))
}

async fn new_guest(accounts: &Accounts, client: &Client) -> Result<LoggedIn, AccountError> {
    accounts.limit_address("sign-up", accounts.settings.limits.sign_ups, client).await?;
    require_open(accounts).await?;
    let player_id = Uuid::now_v7();
    let mut tx = accounts.app.db.begin().await?;
    // 62 to the 12th names: nobody meets another guest's.
    sqlx::query!(
        "insert into player (player_id, name, is_guest) values ($1, $2, true)",
        player_id,
        names::invented("Guest"),
    )
    .execute(&mut *tx)
    .await?;
    let player = Locked { player_id, is_guest: true };
    let (tokens, _) = open(&mut tx, accounts, player, client).await?;
    tx.commit().await?;
    let player = me::load(&accounts.app.db, player_id).await?;
    Ok(LoggedIn { player, tokens })
}

/// Make a guest a member
///
/// Everything that the guest has stays. Its logins end; the answer has a new one.
#[utoipa::path(post, operation_id = "upgrade_guest",
    path = "/v1/accounts/upgrade", tag = "account", request_body = SignUp,
    security(("bearer" = [])), responses(
        (status = 200, body = LoggedIn),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 403, description = "account.banned", body = ErrorBody),
        (status = 404, description = "account.unknown_player", body = ErrorBody),
        (status = 409, description = "account.not_guest, account.name_taken, \
            account.name_similar, account.email_taken",
            body = ErrorBody),
        (status = 422, description = "account.name_shape, account.name_scripts, \
            account.name_reserved, account.name_word, account.email_shape, account.password_*",
            body = ErrorBody),
        (status = 429, description = "request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.busy, store.unavailable", body = ErrorBody),
    ))]
async fn upgrade(
    State(accounts): State<Accounts>,
    caller: Caller,
    client: Client,
    Json(body): Json<SignUp>,
) -> ApiResult<Json<LoggedIn>> {
    Ok(Json(upgraded(&accounts, caller, &client, body).await?))
}

async fn upgraded(
    accounts: &Accounts,
    caller: Caller,
    client: &Client,
    body: SignUp,
) -> Result<LoggedIn, AccountError> {
    accounts.limit_address("sign-up", accounts.settings.limits.sign_ups, client).await?;
    if !caller.is_guest {
        return Err(AccountError::NotGuest);
    }
    let body = body.checked(&accounts.app.db).await?;
    let phc = accounts.hasher.hash(body.password).await?;
    let mut tx = accounts.app.db.begin().await?;
    let player = lock_player(&mut tx, caller.player_id).await?;
    if !player.is_guest {
        // Upgraded before; the caller's token does not know it yet.
        return Err(AccountError::NotGuest);
    }
    sqlx::query!(
        "update player set is_guest = false, name = $2 where player_id = $1",
        caller.player_id,
        body.name,
    )
    .execute(&mut *tx)
    .await?;
    look::take(&mut tx, caller.player_id, &body.name).await?;
    add_credential(&mut tx, caller.player_id, &body.email, &phc).await?;
    let mut ended = revoke_all(&mut tx, caller.player_id, None, LoginEnd::Upgrade).await?;
    let player = Locked { is_guest: false, ..player };
    let (tokens, surplus) = open(&mut tx, accounts, player, client).await?;
    tx.commit().await?;
    ended.extend(surplus);
    accounts.tell_ended(caller.player_id, &ended, "upgrade").await;
    let player = me::load(&accounts.app.db, caller.player_id).await?;
    Ok(LoggedIn { player, tokens })
}
