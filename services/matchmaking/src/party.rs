//! `/v1/parties`: friends who want to be in the same team. Up to eight, one party a player.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::Json;
use sortie_control::who::Caller;
use sortie_whereabouts::{self as whereabouts, PlaceError};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::PARTY_MAX;
use crate::state::Matchmaking;
use crate::{code, ending};

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(mine))
        .routes(routes!(join))
        .routes(routes!(leave))
        .routes(routes!(kick))
        .routes(routes!(lead))
}

/// A party.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Party {
    party_id: Uuid,
    /// Who queues for all.
    leader: Uuid,
    /// What others type to join.
    #[schema(example = "K7QX2M")]
    code: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// Who has been in it longest comes first.
    members: Vec<PartyMember>,
}

/// Somebody in a party.
#[derive(Debug, Serialize, ToSchema)]
struct PartyMember {
    player_id: Uuid,
    name: String,
    #[serde(with = "time::serde::rfc3339")]
    joined_at: OffsetDateTime,
}

/// A code that somebody was told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeBody {
    /// Six letters and digits, any case.
    #[schema(example = "K7QX2M", max_length = 64)]
    pub code: String,
}

/// Another member of the party.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MemberBody {
    player_id: Uuid,
}

/// Make a party, and lead it
#[utoipa::path(post, operation_id = "create_party",
    path = "/v1/parties", tag = "matchmaking", security(("bearer" = [])),
    responses(
        (status = 201, description = "The new party", body = Party),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 409, description = "`party.in_another`, `party.waiting`", body = ErrorBody),
        (status = 429, description = "Too many calls", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn create(
    State(state): State<Matchmaking>,
    caller: Caller,
) -> ApiResult<(StatusCode, Json<Party>)> {
    state.limit("party", caller.player_id, 20).await?;
    let mut made = Err(MatchmakingError::NoCode);
    for _ in 0..code::TRIES {
        made = insert(&state, caller.player_id).await;
        if !matches!(made, Err(MatchmakingError::NoCode)) {
            break;
        }
    }
    Ok((StatusCode::CREATED, Json(made?)))
}

async fn insert(state: &Matchmaking, player_id: Uuid) -> Result<Party, MatchmakingError> {
    let (party_id, now) = (Uuid::now_v7(), state.now().await?);
    let mut tx = state.db().begin().await?;
    let claim = whereabouts::claim(&mut tx, &[player_id]).await?;
    sqlx::query!(
        "insert into party (party_id, leader, code, created_at) values ($1, $2, $3, $4)",
        party_id,
        player_id,
        code::random(),
        now
    )
    .execute(&mut *tx)
    .await?;
    claim.enter_party(&mut tx, party_id, now).await.map_err(waits)?;
    let party = load(&mut tx, party_id).await?;
    tx.commit().await?;
    Ok(party)
}

/// The party that you are in
#[utoipa::path(get, operation_id = "get_my_party",
    path = "/v1/parties/mine", tag = "matchmaking", security(("bearer" = [])),
    responses(
        (status = 200, description = "Your party", body = Party),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`party.none`", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn mine(State(state): State<Matchmaking>, caller: Caller) -> ApiResult<Json<Party>> {
    let mut db = state.db().acquire().await?;
    let (party_id, _) = party_of(&mut db, caller.player_id).await?;
    Ok(Json(load(&mut db, party_id).await?))
}

/// Join a party by its code
#[utoipa::path(post, operation_id = "join_party",
    path = "/v1/parties/join", tag = "matchmaking", security(("bearer" = [])),
    request_body = CodeBody,
    responses(
        (status = 200, description = "The party that you are in now", body = Party),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`party.unknown_code`", body = ErrorBody),
        (status = 409, description = "`party.in_another`, `party.full`, `party.waiting`",
            body = ErrorBody),
        (status = 422, description = "The body cannot be", body = ErrorBody),
        (status = 429, description = "Too many calls", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn join(
    State(state): State<Matchmaking>,
    caller: Caller,
    Json(body): Json<CodeBody>,
) -> ApiResult<Json<Party>> {
    // Codes can be guessed; not often.
    state.limit("code", caller.player_id, 10).await?;
    let code = code::typed(&body.code).ok_or(MatchmakingError::UnknownCode)?;
    Ok(Json(enter(&state, caller.player_id, &code).await?))
}

async fn enter(
    state: &Matchmaking,
    player_id: Uuid,
    code: &str,
) -> Result<Party, MatchmakingError> {
    let now = state.now().await?;
    let mut tx = state.db().begin().await?;
    // The lock makes those who come at once stand in line: eight are eight.
    let party_id =
        sqlx::query_scalar!("select party_id from party where code = $1 for update", code)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(MatchmakingError::UnknownCode)?;
    let members = members_of(&mut tx, party_id).await?;
    if members.contains(&player_id) {
        return load(&mut tx, party_id).await;
    }
    if members.len() >= PARTY_MAX {
        return Err(MatchmakingError::PartyFull);
    }
    refuse_waiting_party(&mut tx, party_id).await?;
    let claim = whereabouts::claim(&mut tx, &[player_id]).await?;
    claim.enter_party(&mut tx, party_id, now).await.map_err(waits)?;
    let party = load(&mut tx, party_id).await?;
    tx.commit().await?;
    Ok(party)
}

/// Leave your party; its ticket is cancelled, and the leader's place goes to who came next
#[utoipa::path(post, operation_id = "leave_party",
    path = "/v1/parties/leave", tag = "matchmaking", security(("bearer" = [])),
    responses(
        (status = 204, description = "You are in no party any more"),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`party.none`", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn leave(State(state): State<Matchmaking>, caller: Caller) -> ApiResult<StatusCode> {
    let (rule, now) = (&state.settings.pace.decline, state.now().await?);
    let mut tx = state.db().begin().await?;
    let (party_id, leader) = lock(&mut tx, caller.player_id).await?;
    let why = "a member left the party";
    ending::cancel_of_party(&mut tx, rule, party_id, why, now).await?;
    remove(&mut tx, party_id, leader, caller.player_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put a member out of the party that you lead
#[utoipa::path(post, operation_id = "kick_party_member",
    path = "/v1/parties/kick", tag = "matchmaking", security(("bearer" = [])),
    request_body = MemberBody,
    responses(
        (status = 200, description = "The party without them", body = Party),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`party.not_leader`", body = ErrorBody),
        (status = 404, description = "`party.none`, `party.not_member`", body = ErrorBody),
        (status = 422, description = "The body cannot be", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn kick(
    State(state): State<Matchmaking>,
    caller: Caller,
    Json(MemberBody { player_id }): Json<MemberBody>,
) -> ApiResult<Json<Party>> {
    let (rule, now) = (&state.settings.pace.decline, state.now().await?);
    let mut tx = state.db().begin().await?;
    let party_id = lock_led(&mut tx, caller.player_id, player_id).await?;
    if player_id != caller.player_id {
        let why = "a member was put out of the party";
        ending::cancel_of_party(&mut tx, rule, party_id, why, now).await?;
        remove(&mut tx, party_id, caller.player_id, player_id).await?;
    }
    let party = load(&mut tx, party_id).await?;
    tx.commit().await.map_err(MatchmakingError::from)?;
    Ok(Json(party))
}

/// Let another member lead
#[utoipa::path(post, operation_id = "set_party_leader",
    path = "/v1/parties/lead", tag = "matchmaking", security(("bearer" = [])),
    request_body = MemberBody,
    responses(
        (status = 200, description = "The party with its new leader", body = Party),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`party.not_leader`", body = ErrorBody),
        (status = 404, description = "`party.none`, `party.not_member`", body = ErrorBody),
        (status = 422, description = "The body cannot be", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn lead(
    State(state): State<Matchmaking>,
    caller: Caller,
    Json(MemberBody { player_id }): Json<MemberBody>,
) -> ApiResult<Json<Party>> {
    let mut tx = state.db().begin().await?;
    let party_id = lock_led(&mut tx, caller.player_id, player_id).await?;
    sqlx::query!("update party set leader = $2 where party_id = $1", party_id, player_id)
        .execute(&mut *tx)
        .await?;
    let party = load(&mut tx, party_id).await?;
    tx.commit().await.map_err(MatchmakingError::from)?;
    Ok(Json(party))
}

async fn load(db: &mut PgConnection, party_id: Uuid) -> Result<Party, MatchmakingError> {
    let party =
        sqlx::query!("select leader, code, created_at from party where party_id = $1", party_id)
            .fetch_optional(&mut *db)
            .await?
            .ok_or(MatchmakingError::NoParty)?;
    let members = sqlx::query_as!(
        PartyMember,
        "select player_id, name, joined_at from party_member join player using (player_id)
         where party_id = $1 order by joined_at, player_id",
        party_id
    )
    .fetch_all(db)
    .await?;
    let (leader, code, created_at) = (party.leader, party.code, party.created_at);
    Ok(Party { party_id, leader, code, created_at, members })
}

/// Party and leader of a player.
async fn party_of(
    db: &mut PgConnection,
    player_id: Uuid,
) -> Result<(Uuid, Uuid), MatchmakingError> {
    let found = sqlx::query!(
        "select party_id, leader from party join party_member using (party_id)
         where player_id = $1",
        player_id
    )
    .fetch_optional(db)
    .await?
    .ok_or(MatchmakingError::NoParty)?;
    Ok((found.party_id, found.leader))
}

/// Party and leader of a player; the party stays as it is until the transaction ends.
pub(crate) async fn lock(
    db: &mut PgConnection,
    player_id: Uuid,
) -> Result<(Uuid, Uuid), MatchmakingError> {
    let (party_id, _) = party_of(&mut *db, player_id).await?;
    // Between the look and the lock the player may have been put out, or the leader changed.
    let leader =
        sqlx::query_scalar!("select leader from party where party_id = $1 for update", party_id)
            .fetch_optional(&mut *db)
            .await?
            .ok_or(MatchmakingError::NoParty)?;
    if !members_of(db, party_id).await?.contains(&player_id) {
        return Err(MatchmakingError::NoParty);
    }
    Ok((party_id, leader))
}

/// The locked party of its leader, which `member` is in, too.
async fn lock_led(
    db: &mut PgConnection,
    leader: Uuid,
    member: Uuid,
) -> Result<Uuid, MatchmakingError> {
    let (party_id, led_by) = lock(&mut *db, leader).await?;
    if led_by != leader {
        return Err(MatchmakingError::NotLeader);
    }
    if !members_of(db, party_id).await?.contains(&member) {
        return Err(MatchmakingError::NotMember);
    }
    Ok(party_id)
}

/// In order of id, so that whoever locks their rows does it in the same order.
pub(crate) async fn members_of(
    db: &mut PgConnection,
    party_id: Uuid,
) -> Result<Vec<Uuid>, MatchmakingError> {
    let members = sqlx::query_scalar!(
        "select player_id from party_member where party_id = $1 order by player_id",
        party_id
    )
    .fetch_all(db)
    .await?;
    Ok(members)
}

/// Of a party that waits no more.
async fn remove(
    db: &mut PgConnection,
    party_id: Uuid,
    leader: Uuid,
    player_id: Uuid,
) -> Result<(), MatchmakingError> {
    whereabouts::party::leave(&mut *db, player_id).await?;
    let next = sqlx::query_scalar!(
        "select player_id from party_member where party_id = $1
         order by joined_at, player_id limit 1",
        party_id
    )
    .fetch_optional(&mut *db)
    .await?;
    match next {
        None => {
            sqlx::query!("delete from party where party_id = $1", party_id).execute(db).await?;
        }
        Some(next) if leader == player_id => {
            sqlx::query!("update party set leader = $2 where party_id = $1", party_id, next)
                .execute(db)
                .await?;
        }
        Some(_) => {}
    }
    Ok(())
}

/// Who waits alone has to stop waiting before joining others.
fn waits(error: PlaceError) -> MatchmakingError {
    match error {
        PlaceError::Elsewhere { .. } => MatchmakingError::PartyWaits,
        other => other.into(),
    }
}

async fn refuse_waiting_party(
    db: &mut PgConnection,
    party_id: Uuid,
) -> Result<(), MatchmakingError> {
    let waits = sqlx::query_scalar!(
        r#"select exists (
            select from ticket_open join party_member using (player_id) where party_id = $1
        ) as "waits!""#,
        party_id
    )
    .fetch_one(db)
    .await?;
    if waits { Err(MatchmakingError::PartyWaits) } else { Ok(()) }
}
