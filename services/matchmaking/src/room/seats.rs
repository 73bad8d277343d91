//! Who sits in a room: join by code, leave, choose a team.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::who::Caller;
use sortie_whereabouts as whereabouts;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Locked, Room, elsewhere, load, lock};
use crate::error::MatchmakingError;
use crate::party::CodeBody;
use crate::state::Matchmaking;
use crate::{ban, code};

pub(super) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(join)).routes(routes!(leave)).routes(routes!(choose_team))
}

/// Which team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TeamBody {
    /// 0 or 1; null: dealt at the start.
    #[schema(minimum = 0, maximum = 1)]
    team: Option<i16>,
}

/// Join a room by its code; a started one brings you into its battle
#[utoipa::path(post, operation_id = "join_room",
    path = "/v1/rooms/join", tag = "rooms", security(("bearer" = [])),
    request_body = CodeBody,
    responses(
        (status = 200, description = "The room that you are in now", body = Room),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`matchmaking.banned`", body = ErrorBody),
        (status = 404, description = "`room.unknown`", body = ErrorBody),
        (status = 409, description = "`room.full`, `room.in_another`, `room.not_open`, \
            `room.in_battle`: another one, or `party.waiting` for a battle", body = ErrorBody),
        (status = 422, description = "The body cannot be", body = ErrorBody),
        (status = 429, description = "Too many calls", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn join(
    State(state): State<Matchmaking>,
    caller: Caller,
    Json(body): Json<CodeBody>,
) -> ApiResult<Json<Room>> {
    state.limit("code", caller.player_id, 10).await?;
    let code = code::typed(&body.code).ok_or(MatchmakingError::UnknownRoom)?;
    Ok(Json(enter(&state, caller.player_id, &code).await?))
}

async fn enter(state: &Matchmaking, player_id: Uuid, code: &str) -> Result<Room, MatchmakingError> {
    let now = state.now().await?;
    let mut tx = state.db().begin().await?;
    let room_id = sqlx::query_scalar!("select room_id from room where code = $1", code)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(MatchmakingError::UnknownRoom)?;
    ban::refuse_banned(&mut tx, player_id, &[player_id], now).await?;
    let room = lock(&mut tx, room_id).await?;
    if room.state == "closed" {
        return Err(MatchmakingError::RoomNotOpen(room.state));
    }
    let seated = sqlx::query!("select player_id from room_player where room_id = $1", room_id)
        .fetch_all(&mut *tx)
        .await?;
    if seated.iter().any(|seat| seat.player_id == player_id) {
        return load(&mut tx, room_id, player_id).await;
    }
    if seated.len() >= room.players_max as usize {
        return Err(MatchmakingError::RoomFull);
    }
    let claim = whereabouts::claim(&mut tx, &[player_id]).await?;
    let battle = match room.battle_id {
        Some(battle_id) => Some((battle_id, team_in(&mut tx, &room, battle_id, player_id).await?)),
        None => None,
    };
    claim.sit(&mut tx, room_id, battle, now).await.map_err(elsewhere)?;
    let room = load(&mut tx, room_id, player_id).await?;
    tx.commit().await?;
    Ok(room)
}

/// The smaller team of a battle that goes on.
async fn team_in(
    db: &mut PgConnection,
    room: &Locked,
    battle_id: Uuid,
    player_id: Uuid,
) -> Result<i16, MatchmakingError> {
    let state = sqlx::query_scalar!("select state from battle where battle_id = $1", battle_id)
        .fetch_one(&mut *db)
        .await?;
    if !sortie_battles::state::is_live(&state) {
        return Err(MatchmakingError::RoomNotOpen("closed".to_owned()));
    }
    let players = sqlx::query!(
        r#"select count(*) as "all!", count(*) filter (where team = 1) as "ones!",
            count(*) filter (where player_id = $2) as "own!"
         from battle_player where battle_id = $1"#,
        battle_id,
        player_id
    )
    .fetch_one(db)
    .await?;
    // Seats in the battle are kept for those who left: they may come back.
    if players.own == 0 && players.all >= i64::from(room.players_max) {
        return Err(MatchmakingError::RoomFull);
    }
    Ok(i16::from(players.ones * 2 < players.all))
}

/// Leave your room; the owner's place goes to who came next, the last one closes it
#[utoipa::path(post, operation_id = "leave_room",
    path = "/v1/rooms/leave", tag = "rooms", security(("bearer" = [])),
    responses(
        (status = 204, description = "You are in no room any more"),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`room.unknown`: you are in none", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn leave(State(state): State<Matchmaking>, caller: Caller) -> ApiResult<StatusCode> {
    let now = state.now().await?;
    let mut tx = state.db().begin().await?;
    let room_id = room_of(&mut tx, caller.player_id).await?;
    let room = lock(&mut tx, room_id).await?;
    stand_up(&mut tx, &room, caller.player_id, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn stand_up(
    db: &mut PgConnection,
    room: &Locked,
    player_id: Uuid,
    now: OffsetDateTime,
) -> Result<(), MatchmakingError> {
    whereabouts::room::leave(&mut *db, room.room_id, player_id).await?;
    let next = sqlx::query_scalar!(
        "select player_id from room_player where room_id = $1
         order by joined_at, player_id limit 1",
        room.room_id
    )
    .fetch_optional(&mut *db)
    .await?;
    match next {
        None => {
            sqlx::query!(
                "update room set state = 'closed', closed_at = $2
                 where room_id = $1 and state <> 'closed'",
                room.room_id,
                now
            )
            .execute(db)
            .await?;
        }
        Some(next) if room.owner == player_id => {
            sqlx::query!("update room set owner = $2 where room_id = $1", room.room_id, next)
                .execute(db)
                .await?;
        }
        Some(_) => {}
    }
    Ok(())
}

async fn room_of(db: &mut PgConnection, player_id: Uuid) -> Result<Uuid, MatchmakingError> {
    sqlx::query_scalar!("select room_id from room_player where player_id = $1", player_id)
        .fetch_optional(db)
        .await?
        .ok_or(MatchmakingError::UnknownRoom)
}

/// Choose your team in a room that is not started
#[utoipa::path(post, operation_id = "choose_team",
    path = "/v1/rooms/{room_id}/team", tag = "rooms",
    security(("bearer" = [])), params(("room_id" = Uuid, Path, description = "The room")),
    request_body = TeamBody,
    responses(
        (status = 200, description = "The room", body = Room),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`room.unknown`: you are not in it", body = ErrorBody),
        (status = 409, description = "`room.not_open`, or `room.full`: the team is",
            body = ErrorBody),
        (status = 422, description = "The body cannot be", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn choose_team(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
    Json(TeamBody { team }): Json<TeamBody>,
) -> ApiResult<Json<Room>> {
    if team.is_some_and(|team| !(0..=1).contains(&team)) {
        return Err(MatchmakingError::BadValue("team is 0, 1 or null").into());
    }
    Ok(Json(set_team(&state, room_id, caller.player_id, team).await?))
}

async fn set_team(
    state: &Matchmaking,
    room_id: Uuid,
    player_id: Uuid,
    team: Option<i16>,
) -> Result<Room, MatchmakingError> {
    let mut tx = state.db().begin().await?;
    let room = lock(&mut tx, room_id).await?;
    if room_of(&mut tx, player_id).await? != room_id {
        return Err(MatchmakingError::UnknownRoom);
    }
    if room.state != "open" {
        return Err(MatchmakingError::RoomNotOpen(room.state));
    }
    let others = sqlx::query_scalar!(
        r#"select count(*) as "others!" from room_player
         where room_id = $1 and team = $2 and player_id <> $3"#,
        room_id,
        team,
        player_id
    )
    .fetch_one(&mut *tx)
    .await?;
    // Half of the seats: the other team has to have somebody, too.
    if others >= i64::from((room.players_max + 1) / 2) {
        return Err(MatchmakingError::RoomFull);
    }
    whereabouts::room::choose_team(&mut tx, player_id, team).await?;
    let room = load(&mut tx, room_id, player_id).await?;
    tx.commit().await?;
    Ok(room)
}
