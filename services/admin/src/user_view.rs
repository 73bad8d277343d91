//! `GET /v1/admin/users/{player_id}`: everything about a player on one page.

use axum::extract::State;
use serde::Serialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::permission::needs;
use sortie_control::vocabulary::{LoginEnd, ModeName};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::ban_view::{self, BanView};
use crate::error::AdminError;
use crate::staff_router::{AdminState, StaffRouter};

/// Bans and logins on the page, at most; bans have a list of their own.
const ROWS_MAX: i64 = 20;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router.serve::<needs::UsersRead>("users.view", routes!(view))
}

/// A player.
#[derive(Debug, Serialize, ToSchema)]
struct User {
    player_id: Uuid,
    name: String,
    is_guest: bool,
    about: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    erased_at: Option<OffsetDateTime>,
    /// Personal data; reading it is in the audit log.
    email: Option<String>,
    is_email_verified: bool,
    has_totp: bool,
    roles: Vec<String>,
    /// Of the open season.
    ranks: Vec<Rank>,
    /// The newest 20.
    bans: Vec<BanView>,
    /// The newest 20.
    logins: Vec<Login>,
}

/// How a player stands in a mode.
#[derive(Debug, Serialize, ToSchema)]
struct Rank {
    #[schema(value_type = ModeName)]
    mode: String,
    shown: i32,
    rating: f64,
    uncertainty: f64,
    battles: i32,
    wins: i32,
}

/// A login.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LoginSession)]
struct Login {
    session_id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    seen_at: OffsetDateTime,
    address: Option<String>,
    agent: String,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    #[schema(value_type = Option<LoginEnd>)]
    revoked_why: Option<String>,
}

/// See a player: account, roles, ranks, bans, logins
#[utoipa::path(get, operation_id = "get_user",
    path = "/v1/admin/users/{player_id}", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player")),
    responses((status = 200, description = "The player", body = User),
        (status = 404, description = "`user.unknown`", body = ErrorBody)))]
async fn view(
    State(state): State<AdminState>,
    Path(player_id): Path<Uuid>,
) -> ApiResult<Json<User>> {
    Ok(Json(read(&state, player_id).await?))
}

async fn read(state: &AdminState, player_id: Uuid) -> Result<User, AdminError> {
    let db = state.db();
    let row = sqlx::query!(
        r#"select p.name, p.is_guest, p.about, p.created_at, p.erased_at, i.email as "email?",
               coalesce(i.email_verified_at is not null, false) as "is_email_verified!",
               coalesce(c.totp_confirmed_at is not null, false) as "has_totp!",
               array(select role from player_role r where r.player_id = p.player_id order by role)
                   as "roles!"
           from player p left join personal.identity i using (player_id)
               left join personal.credential c using (player_id)
           where p.player_id = $1"#,
        player_id
    )
    .fetch_optional(db)
    .await?
    .ok_or(AdminError::UnknownPlayer)?;
    let ranks = sqlx::query_as!(
        Rank,
        "select mode, shown, rating, uncertainty, battles, wins from rating
             join season using (season_id)
         where player_id = $1 and ends_at is null order by mode",
        player_id
    );
    let logins = sqlx::query_as!(
        Login,
        "select session_id, created_at, seen_at, host(address) as address, agent, revoked_at,
             revoked_why
         from personal.login_session where player_id = $1 order by created_at desc limit $2",
        player_id,
        ROWS_MAX
    );
    Ok(User {
        player_id,
        name: row.name,
        is_guest: row.is_guest,
        about: row.about,
        created_at: row.created_at,
        erased_at: row.erased_at,
        email: row.email,
        is_email_verified: row.is_email_verified,
        has_totp: row.has_totp,
        roles: row.roles,
        ranks: ranks.fetch_all(db).await?,
        bans: ban_view::of_player(db, player_id, ROWS_MAX).await?,
        logins: logins.fetch_all(db).await?,
    })
}
