//! `GET` and `PATCH /v1/me`: one's own account.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::text::words::Words;
use sortie_control::text::{look, prose};
use sortie_control::who::Caller;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AccountError;
use crate::names;
use crate::state::Accounts;

/// What a player says about itself.
const ABOUT: prose::Bounds = prose::Bounds { chars: 0..=500, lines_max: 12 };

/// The routes.
pub fn router() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(change))
}

/// A player as only this player sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Who; the same in battles, chat and rankings.
    pub player_id: Uuid,
    /// As others see it.
    pub name: String,
    /// Whether there is no password yet.
    pub is_guest: bool,
    /// What the player says about itself.
    pub about: String,
    /// SHA-256 of the picture in hexadecimal digits; absent: none.
    pub picture: Option<String>,
    /// When the account was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Nobody else sees it; absent for guests.
    pub email: Option<String>,
    /// Whether a mail to it has been answered.
    pub is_email_verified: bool,
    /// Whether logins need a code.
    pub has_totp: bool,
    /// Roles among the staff.
    pub roles: Vec<String>,
}

/// What is to be changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MeChange {
    /// 3 to 24 letters and digits; spaces, `_`, `.` and `-` between them.
    #[schema(min_length = 3, max_length = 24)]
    name: Option<String>,
    #[schema(max_length = 500)]
    about: Option<String>,
}

/// Show one's own account
#[utoipa::path(get, operation_id = "get_me",
    path = "/v1/me", tag = "account", security(("bearer" = [])), responses(
    (status = 200, body = Me),
    (status = 401, description = "auth.*", body = ErrorBody),
    (status = 404, description = "account.unknown_player", body = ErrorBody),
))]
async fn show(State(accounts): State<Accounts>, caller: Caller) -> ApiResult<Json<Me>> {
    Ok(Json(load(&accounts.app.db, caller.player_id).await?))
}

/// Change one's own account
#[utoipa::path(patch, operation_id = "change_me",
    path = "/v1/me", tag = "account", request_body = MeChange,
    security(("bearer" = [])), responses(
        (status = 200, body = Me),
        (status = 401, description = "auth.*", body = ErrorBody),
        (status = 404, description = "account.unknown_player", body = ErrorBody),
        (status = 409, description = "account.name_taken, account.name_similar", body = ErrorBody),
        (status = 422, description = "account.name_shape, account.name_scripts, \
            account.name_reserved, account.name_word, account.about_shape, account.about_word",
            body = ErrorBody),
        (status = 429, description = "request.rate_limited", body = ErrorBody),
    ))]
async fn change(
    State(accounts): State<Accounts>,
    caller: Caller,
    Json(body): Json<MeChange>,
) -> ApiResult<Json<Me>> {
    apply(&accounts, caller.player_id, &body).await?;
    Ok(Json(load(&accounts.app.db, caller.player_id).await?))
}

async fn apply(accounts: &Accounts, player_id: Uuid, body: &MeChange) -> Result<(), AccountError> {
    let db = &accounts.app.db;
    let name = body.name.as_deref().map(names::chosen).transpose()?;
    if let Some(name) = &name {
        let (rate, key) = (accounts.settings.limits.renames, player_id.to_string());
        accounts.limit("rename", rate, &key).await?;
        names::refuse_words(db, name).await?;
    }
    let about = match &body.about {
        Some(about) => {
            let about = prose::sane(about, &ABOUT).ok_or(AccountError::AboutShape)?;
            Some(Words::load(db).await?.apply(&about).ok_or(AccountError::AboutWord)?)
        }
        None => None,
    };
    let mut tx = db.begin().await?;
    let old = sqlx::query_scalar!(
        "select name from player where player_id = $1 and erased_at is null for no key update",
        player_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AccountError::UnknownPlayer)?;
    sqlx::query!(
        "update player set name = coalesce($2, name), about = coalesce($3, about)
        where player_id = $1 and erased_at is null",
        player_id,
        name,
        about,
    )
    .execute(&mut *tx)
    .await?;
    // A name from before looks were compared stays until it is changed.
    if let Some(name) = name.filter(|name| *name != old) {
        look::take(&mut tx, player_id, &name).await?;
    }
    Ok(tx.commit().await?)
}

/// A player's own view.
///
/// # Errors
/// [`AccountError::UnknownPlayer`] also after erasure, or the database is away.
pub async fn load(db: &PgPool, player_id: Uuid) -> Result<Me, AccountError> {
    sqlx::query_as!(
        Me,
        r#"select player_id, name, is_guest, about, encode(picture, 'hex') as picture, created_at,
            email as "email?", email_verified_at is not null as "is_email_verified!",
            totp_confirmed_at is not null as "has_totp!",
            array(select role from player_role r where r.player_id = p.player_id order by role)
                as "roles!"
        from player p
        left join personal.identity using (player_id)
        left join personal.credential using (player_id)
        where player_id = $1 and erased_at is null"#,
        player_id
    )
    .fetch_optional(db)
    .await?
    .ok_or(AccountError::UnknownPlayer)
}
