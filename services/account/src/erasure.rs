//! `DELETE /v1/me`: a player is forgotten.
//!
//! The rows in the schema `personal` go, the player's row gets a name that nobody chose, and every
//! text that the player wrote or that was written about it is blanked. What stays are opaque ids
//! and numbers: battles have other players, and their results must stay what they were.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::vocabulary::LoginEnd;
use sortie_control::who::Caller;
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

/// What stands where a text was.
pub const BLANK: &str = "[erased]";

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
        (status = 429, description = "account.locked, request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.busy, account.pictures_unavailable, \
            store.unavailable", body = ErrorBody),
    ))]
async fn erase(
    State(accounts): State<Accounts>,
    caller: Caller,
    Json(body): Json<Erase>,
) -> ApiResult<StatusCode> {
    let player = me::load(&accounts.plane.db, caller.player_id).await?;
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
/// [`AccountError::UnknownPlayer`] also when it was erased before, or something is away.
pub async fn erased(accounts: &Accounts, player_id: Uuid) -> Result<(), AccountError> {
    let mut tx = accounts.plane.db.begin().await?;
    lock_player(&mut tx, player_id).await?;
    let ended = revoke_all(&mut tx, player_id, None, LoginEnd::Erasure).await?;
    picture::forget(&mut tx, accounts.settings.pictures.as_ref(), player_id).await?;
    leave_everything(&mut tx, player_id).await?;
    empty_personal(&mut tx, player_id).await?;
    blank_texts(&mut tx, player_id).await?;
    sqlx::query!(
        "update player set name = $2, about = '', erased_at = now() where player_id = $1",
        player_id,
        names::invented("Erased"),
    )
    .execute(&mut *tx)
    .await?;
    // Orders lock their servers: first all that the player ever had a battle on, in their order,
    // then those of them that have one now.
    sqlx::query_scalar!("select forget_name($1, $2)", player_id, BLANK).fetch_one(&mut *tx).await?;
    sqlx::query_scalar!("select kick_player($1, 'erased')", player_id).fetch_one(&mut *tx).await?;
    tx.commit().await?;

    metrics::counter!("sortie_account_erasures_total").increment(1);
    accounts.tell_ended(player_id, &ended, "erased").await;
    tracing::info!("a player was erased");
    Ok(())
}

/// Out of party, queue and room, as if the player had left: others go on without.
///
/// Parties are locked before matches, those before tickets, and rooms last, as matchmaking does it.
async fn leave_everything(tx: &mut PgConnection, player_id: Uuid) -> Result<(), AccountError> {
    sqlx::query!(
        "select from party where party_id in
            (select party_id from party_member where player_id = $1) for update",
        player_id
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query_scalar!("select withdraw_player($1, 'a player has left')", player_id)
        .fetch_one(&mut *tx)
        .await?;
    for query in [
        sqlx::query!("delete from party_member where player_id = $1", player_id),
        sqlx::query!(
            "update party set leader = next.player_id from (
                select distinct on (party_id) party_id, player_id from party_member
                order by party_id, joined_at, player_id) as next
            where leader = $1 and party.party_id = next.party_id",
            player_id
        ),
        sqlx::query!("delete from party where leader = $1", player_id),
        sqlx::query!(
            "select from room where owner = $1 or room_id in
                (select room_id from room_player where player_id = $1)
            order by room_id for update",
            player_id
        ),
        sqlx::query!("delete from room_player where player_id = $1", player_id),
        sqlx::query!("update room set name = $2 where owner = $1", player_id, BLANK),
        sqlx::query!(
            "update room set owner = next.player_id from (
                select distinct on (room_id) room_id, player_id from room_player
                order by room_id, joined_at, player_id) as next
            where owner = $1 and room.room_id = next.room_id",
            player_id
        ),
        sqlx::query!(
            "update room set state = 'closed', closed_at = now()
            where owner = $1 and state <> 'closed'",
            player_id
        ),
        sqlx::query!("delete from player_role where player_id = $1", player_id),
    ] {
        query.execute(&mut *tx).await?;
    }
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
        sqlx::query!("delete from personal.staff_note where player_id = $1", player_id),
        sqlx::query!(
            "update personal.first_admin_link set used_by = null where used_by = $1",
            player_id
        ),
        // Answers that are kept for retries may have the account in them.
        sqlx::query!("delete from idempotency_key where player_id = $1", player_id),
    ] {
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

async fn blank_texts(tx: &mut PgConnection, player_id: Uuid) -> Result<(), AccountError> {
    for query in [
        sqlx::query!(
            "update chat_message set text = $2, deleted_at = coalesce(deleted_at, now())
            where author = $1",
            player_id,
            BLANK,
        ),
        sqlx::query!("delete from chat_mute where player_id = $1 or muted = $1", player_id),
        sqlx::query!(
            "update report set text = $2 where reporter = $1 or accused = $1",
            player_id,
            BLANK,
        ),
        sqlx::query!(
            "update server_order set body = jsonb_set(body, '{reason}', to_jsonb($2::text))
            where kind = 'kick' and body->>'player_id' = $1::text",
            player_id.to_string(),
            BLANK,
        ),
        sqlx::query!(
            "update ban set reason = $2, appeal_text = null where player_id = $1",
            player_id,
            BLANK,
        ),
    ] {
        query.execute(&mut *tx).await?;
    }
    Ok(())
}
