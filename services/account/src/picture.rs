//! `PUT` and `DELETE /v1/me/picture`, `GET /v1/players/{player_id}/picture`.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use serde::Serialize;
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::headers;
use sortie_control::json::{Json, Path};
use sortie_control::who::Caller;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AccountError;
use crate::image::{self, Kind};
use crate::pictures::Pictures;
use crate::session::lock_player;
use crate::state::Accounts;
use crate::token::digest_of;

/// The routes.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new()
        .routes(routes!(put))
        .layer(DefaultBodyLimit::max(image::BYTES_MAX))
        .routes(routes!(remove))
        .routes(routes!(show))
}

/// As it lies on a disk; only for the OpenAPI document.
#[derive(ToSchema)]
#[schema(as = PictureFile, value_type = String, format = Binary)]
#[allow(dead_code, reason = "bodies are read as they come")]
struct File(Vec<u8>);

/// A picture that was stored.
#[derive(Serialize, ToSchema)]
#[schema(as = StoredPicture)]
struct Stored {
    /// Its SHA-256 in hexadecimal digits.
    picture: String,
}

/// Upload a picture
///
/// PNG or JPEG, at most 256 KiB, 16 to 1024 pixels wide and high. Its pixels are written anew;
/// texts in it, such as the place where it was taken, are gone.
#[utoipa::path(put, operation_id = "set_my_picture",
    path = "/v1/me/picture", tag = "account", security(("bearer" = [])),
    request_body(content((File = "image/png"), (File = "image/jpeg"))), responses(
        (status = 200, body = Stored),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 404, description = "account.unknown_player", body = ErrorBody),
        (status = 413, description = "request.too_large", body = ErrorBody),
        (status = 415, description = "account.picture_type", body = ErrorBody),
        (status = 422, description = "account.picture_size", body = ErrorBody),
        (status = 429, description = "request.rate_limited", body = ErrorBody),
        (status = 503, description = "account.pictures_unavailable", body = ErrorBody),
    ))]
async fn put(
    State(accounts): State<Accounts>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> ApiResult<Json<Stored>> {
    let body = body.map_err(ApiError::from)?;
    let media_type = headers::media_type(&headers).unwrap_or_default();
    let picture = stored(&accounts, caller.player_id, &media_type, body).await?;
    Ok(Json(Stored { picture: HEXLOWER.encode(&picture) }))
}

async fn stored(
    accounts: &Accounts,
    player_id: Uuid,
    media_type: &str,
    bytes: Bytes,
) -> Result<Vec<u8>, AccountError> {
    let limit = accounts.settings.limits.heavy;
    accounts.limit("picture", limit, &player_id.to_string()).await?;
    let bytes = image::rewritten(bytes, media_type).await?;
    let digest = digest_of(&bytes);
    let mut tx = accounts.app.db.begin().await?;
    lock_player(&mut tx, player_id).await?;
    lock_pictures(&mut tx).await?;
    let pictures = &accounts.settings.pictures;
    pictures.put(&digest, bytes).await.map_err(AccountError::Pictures)?;
    let old = set_picture(&mut tx, player_id, Some(&digest)).await?;
    remove_unused(&mut tx, pictures.as_ref(), old).await?;
    tx.commit().await?;
    Ok(digest)
}

/// Remove the picture
#[utoipa::path(delete, operation_id = "remove_my_picture",
    path = "/v1/me/picture", tag = "account", security(("bearer" = [])),
    responses(
        (status = 204),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 404, description = "account.unknown_player", body = ErrorBody),
        (status = 503, description = "account.pictures_unavailable", body = ErrorBody),
    ))]
async fn remove(State(accounts): State<Accounts>, caller: Caller) -> ApiResult<StatusCode> {
    removed(&accounts, caller.player_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn removed(accounts: &Accounts, player_id: Uuid) -> Result<(), AccountError> {
    let mut tx = accounts.app.db.begin().await?;
    lock_player(&mut tx, player_id).await?;
    forget(&mut tx, accounts.settings.pictures.as_ref(), player_id).await?;
    Ok(tx.commit().await?)
}

/// Takes a player's picture away; the caller's transaction has locked the player.
///
/// # Errors
/// The database or the store is away.
pub async fn forget(
    tx: &mut PgConnection,
    pictures: &dyn Pictures,
    player_id: Uuid,
) -> Result<(), AccountError> {
    lock_pictures(tx).await?;
    let old = set_picture(tx, player_id, None).await?;
    remove_unused(tx, pictures, old).await
}

/// Two players may have the same picture: while one of them takes it and the other one leaves it,
/// only one of the two looks who else has it.
async fn lock_pictures(tx: &mut PgConnection) -> Result<(), AccountError> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('account pictures'))").execute(tx).await?;
    Ok(())
}

/// Gives the picture that there was before, if it was another one.
async fn set_picture(
    tx: &mut PgConnection,
    player_id: Uuid,
    digest: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, AccountError> {
    let old = sqlx::query_scalar!("select picture from player where player_id = $1", player_id)
        .fetch_optional(&mut *tx)
        .await?
        .flatten();
    sqlx::query!("update player set picture = $2 where player_id = $1", player_id, digest)
        .execute(tx)
        .await?;
    Ok(old.filter(|old| Some(old.as_slice()) != digest))
}

async fn remove_unused(
    tx: &mut PgConnection,
    pictures: &dyn Pictures,
    old: Option<Vec<u8>>,
) -> Result<(), AccountError> {
    let Some(old) = old else { return Ok(()) };
    let is_used = sqlx::query_scalar!(
        r#"select exists (select from player where picture = $1) as "is_used!""#,
        old
    )
    .fetch_one(tx)
    .await?;
    if is_used { Ok(()) } else { pictures.remove(&old).await.map_err(AccountError::Pictures) }
}

/// Show a player's picture
#[utoipa::path(get, operation_id = "get_player_picture",
    path = "/v1/players/{player_id}/picture", tag = "account",
    params(("player_id" = Uuid, Path, description = "The player")), responses(
        (status = 200, description = "The picture",
            content((File = "image/png"), (File = "image/jpeg"))),
        (status = 304, description = "As `If-None-Match` says"),
        (status = 404, description = "account.no_picture", body = ErrorBody),
        (status = 503, description = "account.pictures_unavailable", body = ErrorBody),
    ))]
async fn show(
    State(accounts): State<Accounts>,
    Path(player_id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let digest = sqlx::query_scalar!("select picture from player where player_id = $1", player_id)
        .fetch_optional(&accounts.app.db)
        .await?
        .flatten()
        .ok_or(AccountError::NoPicture)?;
    let tag = format!("\"{}\"", HEXLOWER.encode(&digest));
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let bytes = accounts.settings.pictures.get(&digest).await.map_err(AccountError::Pictures)?;
    let bytes = bytes.ok_or(AccountError::NoPicture)?;
    let kind = Kind::of(&bytes).ok_or(AccountError::NoPicture)?;
    // A stranger's bytes must stay a picture, whatever a browser thinks that it sees.
    let safety = [
        (header::CONTENT_TYPE, kind.media_type()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((caching, safety, bytes).into_response())
}
