//! `/v1/rooms`: battles that players arrange themselves. Never ranked.
//!
//! A room is open, then started, then closed. Who joins a started room comes into its battle.

mod seats;
mod start;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path, Query};
use sortie_control::page::{Page, PageQuery};
use sortie_control::text::name::{self, BadName};
use sortie_control::text::words::Words;
use sortie_control::vocabulary::{ModeName, RoomState};
use sortie_control::who::Caller;
use sortie_whereabouts::{self as whereabouts, Place, PlaceError};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::{Settings, mode_fault};
use crate::state::Matchmaking;
use crate::{ban, code};

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(read))
        .merge(seats::routes())
        .merge(start::routes())
}

/// A room to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateRoom {
    /// 1 to 60 characters without control characters.
    #[schema(example = "Friday night", min_length = 1, max_length = 60)]
    name: String,
    #[schema(value_type = ModeName)]
    mode: String,
    /// One of the maps of this installation.
    #[schema(example = "ridge")]
    map: String,
    /// Seats, 2 to 2048.
    #[schema(minimum = 2, maximum = 2048)]
    players_max: u32,
    /// Whether everybody finds it in the list; others need the code.
    #[serde(default = "yes")]
    is_public: bool,
    /// Seconds, 5 to what this installation allows, 3600 by default; absent: until the round is
    /// over, and no longer than that.
    #[schema(minimum = 5, maximum = 86400)]
    duration_s: Option<u32>,
}

fn yes() -> bool {
    true
}

/// A room with its players.
#[derive(Debug, Serialize, ToSchema)]
struct Room {
    #[serde(flatten)]
    about: RoomSummary,
    /// What others type to join; for those who are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "K7QX2M")]
    code: Option<String>,
    /// The battle, once started.
    #[serde(skip_serializing_if = "Option::is_none")]
    battle_id: Option<Uuid>,
    /// Who came first comes first.
    seats: Vec<Seat>,
}

/// A room as it stands in lists.
#[derive(Debug, Serialize, ToSchema)]
struct RoomSummary {
    room_id: Uuid,
    owner: Uuid,
    name: String,
    #[schema(value_type = ModeName)]
    mode: String,
    map: String,
    players_max: i32,
    players: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_s: Option<i32>,
    is_public: bool,
    #[schema(value_type = RoomState)]
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// A player in a room.
#[derive(Debug, Serialize, ToSchema)]
struct Seat {
    player_id: Uuid,
    name: String,
    /// 0 or 1; absent: dealt at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<i16>,
}

/// Open a room, and own it
#[utoipa::path(post, operation_id = "create_room",
    path = "/v1/rooms", tag = "rooms", security(("bearer" = [])),
    request_body = CreateRoom,
    responses(
        (status = 201, description = "The new room", body = Room),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`matchmaking.banned`", body = ErrorBody),
        (status = 409, description = "`room.in_another`, `room.in_battle`: another one that is \
            not over, or `party.waiting` for a battle", body = ErrorBody),
        (status = 422, description = "A value is out of bounds", body = ErrorBody),
        (status = 429, description = "Too many calls", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn create(
    State(state): State<Matchmaking>,
    caller: Caller,
    Json(body): Json<CreateRoom>,
) -> ApiResult<(StatusCode, Json<Room>)> {
    state.limit("room", caller.player_id, 10).await?;
    let body = CreateRoom { name: named(&state, &body.name).await?, ..body };
    check(&state.settings, &body)?;
    let mut made = Err(MatchmakingError::NoCode);
    for _ in 0..code::TRIES {
        made = insert(&state, caller.player_id, &body).await;
        if !matches!(made, Err(MatchmakingError::NoCode)) {
            break;
        }
    }
    Ok((StatusCode::CREATED, Json(made?)))
}

/// The name as it is kept.
async fn named(state: &Matchmaking, name: &str) -> Result<String, MatchmakingError> {
    let name = name::chosen(name.trim(), &name::ROOM).map_err(|bad| {
        MatchmakingError::BadValue(match bad {
            BadName::Shape => "name has 1 to 60 letters, digits and ASCII signs",
            BadName::Scripts => "name may not mix letters of several scripts",
            BadName::Reserved => "this name is reserved",
        })
    })?;
    if Words::load(state.db()).await?.refuse_name(&name) {
        return Err(MatchmakingError::BadValue("there is a word in name that is not said here"));
    }
    Ok(name)
}

fn check(settings: &Settings, body: &CreateRoom) -> Result<(), MatchmakingError> {
    let most_s = settings.pace.room_duration_s;
    let fault = if let Some(fault) = mode_fault(&body.mode) {
        fault
    } else if !settings.room_maps.contains(&body.map) {
        "map is none that rooms may have here"
    } else if !(2..=2_048).contains(&body.players_max) {
        "players_max is 2 to 2048"
    } else if body.duration_s.is_some_and(|duration_s| !(5..=most_s).contains(&duration_s)) {
        return Err(MatchmakingError::RoomDuration(most_s));
    } else {
        return Ok(());
    };
    Err(MatchmakingError::BadValue(fault))
}

async fn insert(
    state: &Matchmaking,
    owner: Uuid,
    body: &CreateRoom,
) -> Result<Room, MatchmakingError> {
    let (room_id, now) = (Uuid::now_v7(), state.now().await?);
    let mut tx = state.db().begin().await?;
    ban::refuse_banned(&mut tx, owner, &[owner], now).await?;
    let claim = whereabouts::claim(&mut tx, &[owner]).await?;
    refuse_unfinished(&mut tx, owner).await?;
    sqlx::query!(
        "insert into room (room_id, code, owner, name, mode, map, players_max, is_public,
            duration_s, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        room_id,
        code::random(),
        owner,
        body.name,
        body.mode,
        body.map,
        body.players_max as i32,
        body.is_public,
        body.duration_s.map(|duration_s| duration_s as i32),
        now
    )
    .execute(&mut *tx)
    .await?;
    claim.sit(&mut tx, room_id, None, now).await.map_err(elsewhere)?;
    let room = load(&mut tx, room_id, owner).await?;
    tx.commit().await?;
    Ok(room)
}

/// Whoever makes battles has to see the last one end, also after leaving it. Two players could
/// otherwise start one after the other, until no server is left for anybody else.
async fn refuse_unfinished(db: &mut PgConnection, player_id: Uuid) -> Result<(), MatchmakingError> {
    let live = sqlx::query_scalar!(
        "select battle_id from battle_player p join battle b using (battle_id)
         where player_id = $1 and came_by = 'room'
             and battle_is_live(b.state)
         order by battle_id limit 1",
        player_id
    )
    .fetch_optional(db)
    .await?;
    live.map_or(Ok(()), |battle_id| Err(MatchmakingError::InRoomBattle { player_id, battle_id }))
}

/// Who waits in a queue has to stop that first, and who has a seat in a battle to leave it.
fn elsewhere(error: PlaceError) -> MatchmakingError {
    let PlaceError::Elsewhere { player_id, place } = error else { return error.into() };
    match place {
        Place::Queue(_) => MatchmakingError::PartyWaits,
        Place::Room(_) => MatchmakingError::SitsInRoom,
        Place::Battle(battle_id) => MatchmakingError::InRoomBattle { player_id, battle_id },
    }
}

/// Public rooms that are open or being played, newest first
#[utoipa::path(get, operation_id = "list_rooms",
    path = "/v1/rooms", tag = "rooms", security(("bearer" = [])),
    params(PageQuery),
    responses(
        (status = 200, description = "A page", body = Page<RoomSummary>),
        (status = 400, description = "The query cannot be read", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 422, description = "`request.limit`, `request.cursor`", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn list(
    State(state): State<Matchmaking>,
    _: Caller,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<Page<RoomSummary>>> {
    let limit = page.limit()?;
    let (at, id): (Option<OffsetDateTime>, Option<Uuid>) =
        page.after::<(i128, Uuid)>()?.map_or((None, None), |(nanos, id)| {
            (OffsetDateTime::from_unix_timestamp_nanos(nanos).ok(), Some(id))
        });
    let rows = sqlx::query_as!(
        RoomSummary,
        r#"select room_id, owner, name, mode, map, players_max, duration_s, is_public, state,
            created_at,
            (select count(*) from room_player p where p.room_id = room.room_id) as "players!"
         from room
         where state <> 'closed' and is_public
           and ($1::timestamptz is null or created_at < $1 or created_at = $1 and room_id > $2)
         order by created_at desc, room_id limit $3"#,
        at,
        id,
        limit + 1
    )
    .fetch_all(state.db())
    .await?;
    let key = |room: &RoomSummary| (room.created_at.unix_timestamp_nanos(), room.room_id);
    Ok(Json(Page::new(rows, limit, key)))
}

/// A room that is public, or that you are in
#[utoipa::path(get, operation_id = "get_room",
    path = "/v1/rooms/{room_id}", tag = "rooms", security(("bearer" = [])),
    params(("room_id" = Uuid, Path, description = "The room")),
    responses(
        (status = 200, description = "The room", body = Room),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`room.unknown`", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn read(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(room_id): Path<Uuid>,
) -> ApiResult<Json<Room>> {
    let mut db = state.db().acquire().await?;
    Ok(Json(load(&mut db, room_id, caller.player_id).await?))
}

/// A room as `reader` may see it.
async fn load(
    db: &mut PgConnection,
    room_id: Uuid,
    reader: Uuid,
) -> Result<Room, MatchmakingError> {
    let row = sqlx::query!(
        "select code, owner, name, mode, map, players_max, is_public, duration_s, state,
            battle_id, created_at
         from room where room_id = $1",
        room_id
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or(MatchmakingError::UnknownRoom)?;
    let seats = sqlx::query_as!(
        Seat,
        "select player_id, name, team from room_player join player using (player_id)
         where room_id = $1 order by joined_at, player_id",
        room_id
    )
    .fetch_all(db)
    .await?;
    let is_in = seats.iter().any(|seat| seat.player_id == reader) || row.owner == reader;
    if !is_in && !row.is_public {
        return Err(MatchmakingError::UnknownRoom);
    }
    let about = RoomSummary {
        room_id,
        owner: row.owner,
        name: row.name,
        mode: row.mode,
        map: row.map,
        players_max: row.players_max,
        players: seats.len() as i64,
        duration_s: row.duration_s,
        is_public: row.is_public,
        state: row.state,
        created_at: row.created_at,
    };
    Ok(Room { about, code: is_in.then_some(row.code), battle_id: row.battle_id, seats })
}

/// What decides about a locked room.
struct Locked {
    room_id: Uuid,
    owner: Uuid,
    state: String,
    mode: String,
    map: String,
    players_max: i32,
    duration_s: Option<i32>,
    battle_id: Option<Uuid>,
}

/// The room stays as it is until the transaction ends.
async fn lock(db: &mut PgConnection, room_id: Uuid) -> Result<Locked, MatchmakingError> {
    sqlx::query_as!(
        Locked,
        "select room_id, owner, state, mode, map, players_max, duration_s, battle_id
         from room where room_id = $1 for update",
        room_id
    )
    .fetch_optional(db)
    .await?
    .ok_or(MatchmakingError::UnknownRoom)
}
