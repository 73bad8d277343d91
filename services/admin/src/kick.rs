//! `POST /v1/admin/users/{player_id}/kick`

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_battles::order::{self, ServerOrder};
use sortie_control::audit::digest;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::permission::needs;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::AdminError;
use crate::rank;
use crate::staff_router::{Acting, AdminState, StaffRouter};
use crate::text;

pub(crate) fn routes(router: StaffRouter) -> StaffRouter {
    router.serve::<needs::BansWrite>("players.kick", routes!(kick))
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
    State(state): State<AdminState>,
    acting: Acting,
    Path(player_id): Path<Uuid>,
    Json(kick): Json<Kick>,
) -> ApiResult<(StatusCode, Json<Kicked>)> {
    let battles = order_kick(&state, &acting, player_id, &kick).await?;
    Ok((StatusCode::ACCEPTED, Json(Kicked { battles })))
}

async fn order_kick(
    state: &AdminState,
    acting: &Acting,
    player_id: Uuid,
    kick: &Kick,
) -> Result<i32, AdminError> {
    let reason = text::sane(&kick.reason, 3..=200, "reason has 3 to 200 characters")?;
    let mut tx = state.db().begin().await?;
    let target = rank::hold(&mut tx, player_id).await?;
    rank::refuse_outranked(&acting.permissions, &target)?;
    let battles = match kick.battle_id {
        None => order::kick(&mut tx, player_id, &reason).await?,
        Some(battle_id) => order_one(&mut tx, player_id, battle_id, &reason).await?,
    };
    if battles == 0 {
        return Err(AdminError::NotInBattle);
    }
    let after = json!({ "reason": digest(&reason), "battle_id": kick.battle_id,
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
           where p.player_id = $1 and b.battle_id = $2 and battle_is_on_server(b.state)"#,
        player_id,
        battle_id
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(server_id) = server_id else { return Ok(0) };
    ServerOrder::kick(battle_id, player_id, why).write(db, server_id).await?;
    Ok(1)
}
