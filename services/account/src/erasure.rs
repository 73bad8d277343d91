//! `DELETE /v1/me`: a player is forgotten.
//!
//! The rows in the schema `personal` go, the player's row gets a name that nobody chose, and every
//! text that the player wrote or that was written about it is blanked, by whoever owns its table
//! ([`sortie_control::erasure`]). What stays are opaque ids and numbers: battles have other
//! players, and their results must stay what they were.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sortie_control::administrators;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::permission::Permission;
use sortie_control::vocabulary::LoginEnd;
use sortie_control::who::{Caller, permissions_of};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AccountError;
use crate::password::ask_again;
use crate::session::{lock_player, revoke_all};
use crate::state::Accounts;
use crate::{me, names, picture};

/// The route.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(erase))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Erase {
    /// Needed, but for guests, who have none.
    #[schema(max_length = 256)]
    password: Option<String>,
}

/// Erase one's own account
///
/// For good: name, address, picture, texts and logins are gone, also for us. Results of battles
/// stay under an opaque id.
#[utoipa::path(delete, operation_id = "erase_me",
    path = "/v1/me", tag = "account", request_body = Erase,
    security(("bearer" = [])), responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 403, description = "account.wrong_password", body = ErrorBody),
        (status = 404, description = "account.unknown_player", body = ErrorBody),
        (status = 409, description = "role.last_administrator", body = ErrorBody),
        (status = 429, description = "account.locked, request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.busy, account.pictures_unavailable, \
            store.unavailable", body = ErrorBody),
    ))]
async fn erase(
    State(accounts): State<Accounts>,
    caller: Caller,
    Json(body): Json<Erase>,
) -> ApiResult<StatusCode> {
    let player = me::load(&accounts.app.db, caller.player_id).await?;
    // The row says it, not the token: a guest may have become a member a minute ago.
    if !player.is_guest {
        let password = body.password.unwrap_or_default();
        ask_again(&accounts, caller.player_id, password).await?;
    }
    erased(&accounts, caller.player_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erases a player, all in one transaction.
///
/// # Errors
/// [`AccountError::LastAdministrator`]; [`AccountError::UnknownPlayer`], also when it was erased
/// before; something is away.
pub async fn erased(accounts: &Accounts, player_id: Uuid) -> Result<(), AccountError> {
    // What every administrator may do; only who may is asked whether others are left.
    let permissions = permissions_of(&accounts.app.db, player_id).await?;
    let may_be_last = permissions.allow(Permission::RolesWrite);
    let mut tx = accounts.app.db.begin().await?;
    if may_be_last {
        administrators::hold(&mut tx).await?;
    }
    lock_player(&mut tx, player_id).await?;
    let ended = revoke_all(&mut tx, player_id, None, LoginEnd::Erasure).await?;
    picture::forget(&mut tx, accounts.settings.pictures.as_ref(), player_id).await?;
    empty_personal(&mut tx, player_id).await?;
    sqlx::query!(
        "update player set name = $2, about = '', erased_at = now() where player_id = $1",
        player_id,
        names::invented("Erased"),
    )
    .execute(&mut *tx)
    .await?;
    for erase in accounts.erasers {
        erase(&mut tx, player_id).await?;
    }
    if may_be_last && !administrators::is_left(&mut tx).await? {
        return Err(AccountError::LastAdministrator);
    }
    tx.commit().await?;

    metrics::counter!("sortie_account_erasures_total").increment(1);
    accounts.tell_ended(player_id, &ended, "erased").await;
    tracing::info!("a player was erased");
    Ok(())
}

async fn empty_personal(tx: &mut PgConnection, player_id: Uuid) -> Result<(), AccountError> {
    for query in [
        // While its name and address are known.
        sqlx::query!(
            "delete from personal.login_failure where guessed in (
                select personal.guess_key('login', name) from player where player_id = $1
                union all select personal.guess_key('login', email)
                    from personal.identity where player_id = $1
                union all select personal.guess_key(kind, $1::text)
                    from unnest(array['player', 'code']) as kind)",
            player_id
        ),
        // Their refresh tokens go with them.
        sqlx::query!("delete from personal.login_session where player_id = $1", player_id),
        sqlx::query!("delete from personal.reset_token where player_id = $1", player_id),
        sqlx::query!("delete from personal.credential where player_id = $1", player_id),
        sqlx::query!("delete from personal.identity where player_id = $1", player_id),
    ] {
        query.execute(&mut *tx).await?;
    }
    Ok(())
}
