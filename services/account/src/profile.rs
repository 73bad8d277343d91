//! `GET /v1/players/{player_id}`: what others may see of a player.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AccountError;
use crate::state::Accounts;

/// The route.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(show))
}

/// A player as others see it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Profile {
    player_id: Uuid,
    name: String,
    is_guest: bool,
    /// What the player says about itself.
    about: String,
    /// SHA-256 of the picture in hexadecimal digits; absent: none. It is served under
    /// `/v1/players/{player_id}/picture`.
    picture: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// Show a player
#[utoipa::path(get, operation_id = "get_player",
    path = "/v1/players/{player_id}", tag = "account",
    params(("player_id" = Uuid, Path, description = "The player")), responses(
        (status = 200, body = Profile),
        (status = 404, description = "account.unknown_player", body = ErrorBody),
    ))]
async fn show(
    State(accounts): State<Accounts>,
    Path(player_id): Path<Uuid>,
) -> ApiResult<Json<Profile>> {
    let profile = sqlx::query_as!(
        Profile,
        "select player_id, name, is_guest, about, encode(picture, 'hex') as picture, created_at
        from player where player_id = $1 and erased_at is null",
        player_id
    )
    .fetch_optional(&accounts.app.db)
    .await?
    .ok_or(AccountError::UnknownPlayer)?;
    Ok(Json(profile))
}
