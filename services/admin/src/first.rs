//! The first administrator: a token that is printed at the start, good for one day and one use.
//!
//! There is no default password anywhere. Whoever can read what the program prints owns the
//! machine already; the token only says which account is to be the administrator's.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::json;
use sortie_control::access::random_bytes;
use sortie_control::administrators::{self, ADMINISTRATOR};
use sortie_control::audit::{self, AuditOutcome, Entry};
use sortie_control::bus::Rate;
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::who::Caller;
use sqlx::PgPool;
use time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::rank;
use crate::staff_router::{AdminState, DONE, mark};

/// How long the token is good for.
pub const FIRST_LINK_LIFE: Duration = Duration::hours(24);

/// What stands for a permission in the document: no role has it.
const BY_TOKEN: &str = "first_admin_token";
const ACTION: &str = "first.claim";
const TRIES: Rate = Rate::per(10, std::time::Duration::from_secs(60));

/// A new token for the first administrator; `None` when there is an administrator. An older token
/// is worth nothing from then on.
///
/// # Errors
/// The database is away.
pub async fn first_admin_link(db: &PgPool) -> sqlx::Result<Option<String>> {
    let token = BASE64.encode(random_bytes::<32>());
    let made = sqlx::query!(
        "insert into personal.first_admin_link (token_hash, expires_at)
         select $1, now() + make_interval(secs => $2)
         where not exists (select from player_role where role = $3)
         on conflict (only_one) do update set token_hash = excluded.token_hash,
             expires_at = excluded.expires_at, used_at = null, used_by = null",
        hash_of(&token),
        FIRST_LINK_LIFE.as_seconds_f64(),
        ADMINISTRATOR
    )
    .execute(db)
    .await?;
    Ok((made.rows_affected() > 0).then_some(token))
}

fn hash_of(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

pub(crate) fn routes(state: AdminState) -> OpenApiRouter {
    let (schemas, mut paths, handlers): UtoipaMethodRouter<AdminState> = routes!(claim);
    for item in paths.paths.values_mut() {
        if let Some(operation) = &mut item.post {
            mark(operation, BY_TOKEN, ACTION);
        }
    }
    let note = middleware::from_fn_with_state(state.clone(), note_refused);
    OpenApiRouter::new().routes((schemas, paths, handlers.route_layer(note))).with_state(state)
}

/// What was printed at the start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdministratorClaim)]
struct Claim {
    /// 43 characters.
    #[schema(max_length = 64)]
    token: String,
}

/// Become the first administrator, with the token that was printed at the first start
#[utoipa::path(post, operation_id = "claim_first_administrator",
    path = "/v1/admin/first", tag = "admin", request_body = Claim,
    responses((status = 204, description = "You are the administrator"),
        (status = 403, description = "`admin.first_token`", body = ErrorBody),
        (status = 429, description = "Too many tries", body = ErrorBody)))]
async fn claim(
    State(state): State<AdminState>,
    caller: Caller,
    Json(claim): Json<Claim>,
) -> ApiResult<StatusCode> {
    let tries = state.app.bus.limiter.take("admin/first", TRIES).await;
    tries.map_err(ApiError::too_many)?;
    if caller.is_guest || !write(state.db(), caller.player_id, &claim.token).await? {
        let message = "the token is wrong, used or too old, or you are a guest";
        return Err(ApiError::forbidden("admin.first_token", message));
    }
    Ok(DONE)
}

/// False: the token is not good.
async fn write(db: &PgPool, player_id: Uuid, token: &str) -> Result<bool, AdminError> {
    let mut tx = db.begin().await?;
    administrators::hold(&mut tx).await?;
    let used = sqlx::query!(
        "update personal.first_admin_link set used_at = now(), used_by = $2
         where token_hash = $1 and used_at is null and expires_at > now()
             and not exists (select from player_role where role = $3)",
        hash_of(token),
        player_id,
        ADMINISTRATOR
    )
    .execute(&mut *tx)
    .await?;
    if used.rows_affected() == 0 || rank::hold(&mut tx, player_id).await?.is_guest {
        return Ok(false);
    }
    sqlx::query!(
        "insert into player_role (player_id, role) values ($1, $2)",
        player_id,
        ADMINISTRATOR
    )
    .execute(&mut *tx)
    .await?;
    let after = json!({ "roles": [ADMINISTRATOR] });
    let done = Entry::done(player_id, ACTION, format!("player:{player_id}"));
    audit::append(
        &mut tx,
        &Entry { before: Some(json!({ "roles": [] })), after: Some(after), ..done },
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Whoever may not, or fails, is written down.
async fn note_refused(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &state).await.ok();
    let response = next.run(Request::from_parts(parts, body)).await;
    let status = response.status();
    // Strangers are many: the limit of `TRIES` holds for what is written down of them.
    let bucket = "admin/first/refused";
    if status.is_success() || state.app.bus.limiter.take(bucket, TRIES).await.is_err() {
        return response;
    }
    let is_refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let entry = Entry {
        actor: caller.map(|caller| caller.player_id),
        action: ACTION,
        outcome: if is_refused { AuditOutcome::Refused } else { AuditOutcome::Failed },
        target: String::new(),
        before: None,
        after: Some(json!({ "status": status.as_u16() })),
    };
    let noted = match state.db().acquire().await {
        Ok(mut db) => audit::append(&mut db, &entry).await,
        Err(error) => Err(error),
    };
    match noted {
        Ok(()) => response,
        Err(error) => ApiError::from(error).into_response(),
    }
}
