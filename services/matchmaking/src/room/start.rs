//! What only the owner of a room may do: start it, close it.

use axum::extract::State;
use axum::http::StatusCode;
use sortie_battles::battle::{self, Terms};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::who::Caller;
use sortie_whereabouts::room;
use sqlx::PgConnection;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Locked, Room, elsewhere, load, lock, refuse_unfinished};
use crate::error::MatchmakingError;
use crate::state::Matchmaking;

pub(super) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(start)).routes(routes!(close))
}

/// Start the battle of your room
#[utoipa::path(post, operation_id = "start_room",
    path = "/v1/rooms/{room_id}/start", tag = "rooms",
    security(("bearer" = [])), params(("room_id" = Uuid, Path, description = "The room")),
    responses(
        (status = 200, description = "The room, with its battle", body = Room),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`room.not_owner`", body = ErrorBody),
        (status = 404, description = "`room.unknown`", body = ErrorBody),
        (status = 409, description = "`room.not_open`, `room.too_few` players, or \
            `room.in_battle`: you were in the battle of another room that is not over",
            body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn start(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
) -> ApiResult<Json<Room>> {
    Ok(Json(begin(&state, room_id, caller.player_id).await?))
}

async fn begin(
    state: &Matchmaking,
    room_id: Uuid,
    player_id: Uuid,
) -> Result<Room, MatchmakingError> {
    let now = state.now().await?;
    let mut tx = state.db().begin().await?;
    let room = lock_owned(&mut tx, room_id, player_id).await?;
    if room.state != "open" {
        return Err(MatchmakingError::RoomNotOpen(room.state));
    }
    let seats = sqlx::query!(
        "select player_id, team from room_player where room_id = $1 order by joined_at, player_id",
        room_id
    )
    .fetch_all(&mut *tx)
    .await?;
    if seats.len() < 2 {
        return Err(MatchmakingError::TooFew);
    }
    refuse_unfinished(&mut tx, player_id).await?;
    let battle_id = Uuid::now_v7();
    // A room may be older than what the operator allows now.
    let most_s = state.settings.pace.room_duration_s;
    let duration_s = room.duration_s.map_or(most_s, |own_s| most_s.min(own_s.unsigned_abs()));
    let terms = Terms {
        mode: &room.mode,
        map: &room.map,
        is_ranked: false,
        players_max: room.players_max as u32,
        duration_s: Some(duration_s),
    };
    battle::ask(&mut tx, &[battle_id], terms, now).await?;
    let chosen: Vec<Option<i16>> = seats.iter().map(|seat| seat.team).collect();
    let players = seats.iter().map(|seat| seat.player_id);
    let seats: Vec<(Uuid, i16)> = players.zip(teams(&chosen)).collect();
    // It is no place of theirs any more: the battle is.
    sqlx::query!(
        "update room set state = 'started', battle_id = $2 where room_id = $1",
        room_id,
        battle_id
    )
    .execute(&mut *tx)
    .await?;
    room::start(&mut tx, battle_id, &seats).await.map_err(elsewhere)?;
    let room = load(&mut tx, room_id, player_id).await?;
    tx.commit().await?;
    Ok(room)
}

/// Who chose a team has it; the others go to the smaller one, in turn.
fn teams(chosen: &[Option<i16>]) -> Vec<i16> {
    let mut sizes = [0, 1].map(|team| chosen.iter().filter(|&&own| own == Some(team)).count());
    let team = |own: &Option<i16>| {
        own.unwrap_or_else(|| {
            let team = usize::from(sizes[1] < sizes[0]);
            sizes[team] += 1;
            team as i16
        })
    };
    chosen.iter().map(team).collect()
}

/// Close your room; a battle that was started goes on
#[utoipa::path(delete, operation_id = "close_room",
    path = "/v1/rooms/{room_id}", tag = "rooms",
    security(("bearer" = [])), params(("room_id" = Uuid, Path, description = "The room")),
    responses(
        (status = 204, description = "It is closed, and everybody is out of it"),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`room.not_owner`", body = ErrorBody),
        (status = 404, description = "`room.unknown`", body = ErrorBody),
        (status = 409, description = "`room.not_open`: closed already", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn close(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    let now = state.now().await?;
    let mut tx = state.db().begin().await?;
    let room = lock_owned(&mut tx, room_id, caller.player_id).await?;
    if room.state == "closed" {
        return Err(MatchmakingError::RoomNotOpen(room.state).into());
    }
    sqlx::query!(
        "update room set state = 'closed', closed_at = $2 where room_id = $1",
        room_id,
        now
    )
    .execute(&mut *tx)
    .await?;
    room::empty(&mut tx, room_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn lock_owned(
    db: &mut PgConnection,
    room_id: Uuid,
    player_id: Uuid,
) -> Result<Locked, MatchmakingError> {
    let room = lock(db, room_id).await?;
    if room.owner == player_id {
        return Ok(room);
    }
    // Of a private room, those outside of it learn nothing, not even that it is there.
    let may_know = sqlx::query_scalar!(
        r#"select exists (
            select from room where room_id = $1 and (is_public or exists (
                select from room_player p where p.room_id = $1 and p.player_id = $2))
        ) as "may_know!""#,
        room_id,
        player_id
    )
    .fetch_one(db)
    .await?;
    Err(if may_know { MatchmakingError::NotOwner } else { MatchmakingError::UnknownRoom })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_undecided_make_teams_equal() {
        assert_eq!(teams(&[None, None, None]), [0, 1, 0]);
        assert_eq!(teams(&[Some(0), Some(0), None, None]), [0, 0, 1, 1]);
        assert_eq!(teams(&[None, Some(1), Some(1)]), [0, 1, 1]);
    }
}
