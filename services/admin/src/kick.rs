//! `POST /v1/admin/users/{player_id}/kick`

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_control::audit::digest;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::permission::needs;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::desk::{Acting, Desk, Office};
use crate::effect;
use crate::error::AdminError;
use crate::rank;

const REASON_CHARS_MAX: usize = 200;

pub(crate) fn routes(desk: Desk) -> Desk {
    desk.serve::<needs::BansWrite>("players.kick", routes!(kick))
}

/// A player to be kicked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Kick {
    /// Told to the player; 3 to 200 characters.
    #[schema(min_length = 3, max_length = 200)]
    reason: String,
    /// Out of this battle; absent: whichever the player is in.
    #[serde(default)]
    battle_id: Option<Uuid>,
}

/// What was ordered.
#[derive(Debug, Serialize, ToSchema)]
struct Kicked {
    /// Battles whose servers were told.
    battles: i32,
}

/// Kick a player out of a battle
#[utoipa::path(post, operation_id = "kick_user",
    path = "/v1/admin/users/{player_id}/kick", tag = "admin",
    params(("player_id" = Uuid, Path, description = "The player")), request_body = Kick,
    responses((status = 202, description = "The servers are told", body = Kicked),
        (status = 404, description = "`user.unknown`", body = ErrorBody),
        (status = 409, description = "`battle.not_a_player`", body = ErrorBody),
        (status = 422, description = "`request.fields`", body = ErrorBody)))]
async fn kick(
    State(office): State<Office>,
    acting: Acting,
    Path(player_id): Path<Uuid>,
    Json(kick): Json<Kick>,
) -> ApiResult<(StatusCode, Json<Kicked>)> {
    let battles = order(&office, &acting, player_id, &kick).await?;
    Ok((StatusCode::ACCEPTED, Json(Kicked { battles })))
}

async fn order(
    office: &Office,
    acting: &Acting,
    player_id: Uuid,
    kick: &Kick,
) -> Result<i32, AdminError> {
    if !(3..=REASON_CHARS_MAX).contains(&kick.reason.chars().count()) {
        return Err(AdminError::BadValue("reason has 3 to 200 characters"));
    }
    let mut tx = office.db().begin().await?;
    let target = rank::hold(&mut tx, player_id).await?;
    rank::refuse_outranked(&acting.permissions, &target)?;
    let battles = match kick.battle_id {
        None => effect::kick(&mut tx, player_id, &kick.reason).await?,
        Some(battle_id) => order_one(&mut tx, player_id, battle_id, &kick.reason).await?,
    };
    if battles == 0 {
        return Err(AdminError::NotInBattle);
    }
    let after = json!({ "reason": digest(&kick.reason), "battle_id": kick.battle_id,
        "battles": battles });
    acting.record(&mut tx, format!("player:{player_id}"), None, Some(after)).await?;
    tx.commit().await?;
    Ok(battles)
}

async fn order_one(
    db: &mut PgConnection,
    player_id: Uuid,
    battle_id: Uuid,
    why: &str,
) -> sqlx::Result<i32> {
    let server_id = sqlx::query_scalar!(
        r#"select b.server_id as "server_id!" from battle_player p join battle b using (battle_id)
           where p.player_id = $1 and b.battle_id = $2 and b.state in ('allocated', 'running')"#,
        player_id,
        battle_id
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(server_id) = server_id else { return Ok(0) };
    let body = json!({ "battle_id": battle_id, "player_id": player_id, "reason": why });
    write_order(db, server_id, "kick", body).await?;
    Ok(1)
}

/// Orders a server to do something; the same again while it waits changes nothing.
pub(crate) async fn write_order(
    db: &mut PgConnection,
    server_id: Uuid,
    kind: &str,
    body: serde_json::Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into server_order (server_id, kind, body)
         select $1, $2, $3 where not exists (
             select from server_order
             where server_id = $1 and kind = $2 and body = $3 and acknowledged_at is null)",
        server_id,
        kind,
        body
    )
    .execute(db)
    .await?;
    Ok(())
}
