//! `/v1/matchmaking/tickets`: a party, or one player, waits in a queue.
//!
//! Tickets are rows: a node that dies loses none. One lives as long as somebody of its party asks
//! for it, and any of them may cancel it.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::flag::Flag;
use sortie_control::json::{Json, Path};
use sortie_control::vocabulary::TicketState;
use sortie_control::who::Caller;
use sortie_whereabouts as whereabouts;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::{Queue, Settings};
use crate::state::Matchmaking;
use crate::{ban, ending, party, pause, proposal, rating};

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(read, cancel))
}

/// Where to wait.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateTicket {
    /// A queue's name.
    #[schema(example = "conquest", max_length = 32)]
    queue: String,
}

/// A party, or one player, that waits for a battle or has got one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ticket {
    pub ticket_id: Uuid,
    pub queue: String,
    #[schema(value_type = TicketState)]
    pub state: String,
    /// Who waits.
    pub players: Vec<Uuid>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Asking for the ticket puts this off.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Mean rating of the players when they queued.
    pub rating: f64,
    /// How far another's rating may be from this one, by now.
    pub window: f64,
    /// Place in the queue by age, 1 is first; absent when it does not wait. As it was up to a
    /// second ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// Whom to answer to, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<proposal::Proposal>,
    /// What to join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battle_id: Option<Uuid>,
    /// The team that the caller is in, once there is a match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<i16>,
    /// Why it ended, or came back to wait.
    pub why: String,
}

impl Ticket {
    /// Whether it may still come to something.
    pub(crate) fn is_open(&self) -> bool {
        ["waiting", "proposed"].contains(&self.state.as_str())
    }
}

/// Queue your party, or yourself
///
/// Only the leader of a party may. The ticket ends when nobody asks for it for 30 seconds.
#[utoipa::path(post, operation_id = "create_ticket",
    path = "/v1/matchmaking/tickets", tag = "matchmaking",
    security(("bearer" = [])), request_body = CreateTicket,
    responses(
        (status = 201, description = "The new ticket", body = Ticket),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 403, description = "`party.not_leader`, or `matchmaking.banned` with player, \
            scope and end", body = ErrorBody),
        (status = 404, description = "`matchmaking.unknown_queue`", body = ErrorBody),
        (status = 409, description = "`matchmaking.closed`, `matchmaking.in_room`, \
            `matchmaking.waiting` with player and ticket, or `matchmaking.in_battle` with player \
            and battle",
            body = ErrorBody),
        (status = 422, description = "`matchmaking.party_too_large`, or the body cannot be",
            body = ErrorBody),
        (status = 429, description = "Too many calls, or `matchmaking.paused` with player, end \
            and number of declined ready checks", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn create(
    State(state): State<Matchmaking>,
    caller: Caller,
    Json(body): Json<CreateTicket>,
) -> ApiResult<(StatusCode, Json<Ticket>)> {
    state.limit("ticket", caller.player_id, 20).await?;
    let queue = state.settings.queue(&body.queue);
    let queue = queue.ok_or_else(|| MatchmakingError::UnknownQueue(state.settings.names()))?;
    let mut made = insert(&state, queue, caller.player_id).await;
    for _ in 0..PARTY_TRIES {
        if !matches!(made, Err(MatchmakingError::PartyChanged)) {
            break;
        }
        made = insert(&state, queue, caller.player_id).await;
    }
    let ticket_id = made?;
    metrics::counter!("sortie_matchmaking_tickets_total", "event" => "created").increment(1);
    let mut ticket = load(&state, ticket_id, caller.player_id).await?;
    ticket.position = state.views.of(state.db(), &state.settings, queue).await?.next_position();
    Ok((StatusCode::CREATED, Json(ticket)))
}

/// Players change their party while they queue; not for ever.
const PARTY_TRIES: usize = 3;

async fn insert(
    state: &Matchmaking,
    queue: &Queue,
    caller: Uuid,
) -> Result<Uuid, MatchmakingError> {
    if !Flag::MatchmakingOpen.is_on(state.db()).await? {
        return Err(MatchmakingError::Closed);
    }
    let now = state.now().await?;
    let mut tx = state.db().begin().await?;
    let made = make(&mut tx, state, queue, caller, now).await;
    // At once, not when the connection is used again: others wait for what was locked.
    if made.is_ok() {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    made
}

async fn make(
    tx: &mut PgConnection,
    state: &Matchmaking,
    queue: &Queue,
    caller: Uuid,
    now: OffsetDateTime,
) -> Result<Uuid, MatchmakingError> {
    let (party_id, players) = match party::lock(&mut *tx, caller).await {
        Ok((_, leader)) if leader != caller => return Err(MatchmakingError::NotLeader),
        Ok((party_id, _)) => (Some(party_id), party::members_of(&mut *tx, party_id).await?),
        Err(MatchmakingError::NoParty) => (None, vec![caller]),
        Err(error) => return Err(error),
    };
    if players.len() > queue.team_max as usize {
        return Err(MatchmakingError::PartyTooLarge(queue.team_max));
    }
    let claim = whereabouts::claim(&mut *tx, &players).await?;
    ban::refuse_banned(&mut *tx, caller, &players, now).await?;
    pause::refuse_paused(&mut *tx, &players, now).await?;
    ending::expire_of(&mut *tx, &players, now).await?;
    let rated = rating::of_players(&mut *tx, &players, &queue.mode).await?;
    let ticket_id = Uuid::now_v7();
    let all = rating::together(&rated);
    let count = f64::from(all.players);
    sqlx::query!(
        "insert into ticket
            (ticket_id, party_id, queue, created_at, expires_at, rating, deviation, size)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        ticket_id,
        party_id,
        queue.name,
        now,
        now + state.settings.pace.ticket_life,
        all.mean() as f32,
        (all.variance / count).sqrt() as f32,
        all.players as i32
    )
    .execute(&mut *tx)
    .await?;
    let (ratings, deviations): (Vec<f32>, Vec<f32>) =
        rated.iter().map(|player| (player.rating as f32, player.deviation as f32)).unzip();
    let ids: Vec<Uuid> = rated.iter().map(|player| player.player_id).collect();
    sqlx::query!(
        "insert into ticket_player (ticket_id, player_id, rating, deviation)
         select $1, p, r, d from unnest($2::uuid[], $3::real[], $4::real[]) as t (p, r, d)",
        ticket_id,
        &ids,
        &ratings,
        &deviations
    )
    .execute(&mut *tx)
    .await?;
    claim.wait(&mut *tx, ticket_id, party_id).await?;
    Ok(ticket_id)
}

/// How your ticket stands; asking keeps it alive
#[utoipa::path(get, operation_id = "get_ticket",
    path = "/v1/matchmaking/tickets/{ticket_id}", tag = "matchmaking",
    security(("bearer" = [])), params(("ticket_id" = Uuid, Path, description = "The ticket")),
    responses(
        (status = 200, description = "The ticket", body = Ticket),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`matchmaking.unknown_ticket`", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn read(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(ticket_id): Path<Uuid>,
) -> ApiResult<Json<Ticket>> {
    Ok(Json(poll(&state, ticket_id, caller.player_id).await?))
}

/// Reads a ticket for one of its players, and renews it.
pub(crate) async fn poll(
    state: &Matchmaking,
    ticket_id: Uuid,
    player_id: Uuid,
) -> Result<Ticket, MatchmakingError> {
    let mut ticket = load(state, ticket_id, player_id).await?;
    if !ticket.is_open() {
        return Ok(ticket);
    }
    let life = state.settings.pace.ticket_life;
    // Half its life is left: writing at every poll would cost more than all the rest.
    let now = state.now().await?;
    if ticket.expires_at < now + life / 2 {
        ticket.expires_at = now + life;
        sqlx::query!(
            "update ticket set expires_at = $2
             where ticket_id = $1 and state in ('waiting', 'proposed')",
            ticket_id,
            ticket.expires_at
        )
        .execute(state.db())
        .await?;
    }
    if ticket.state == "waiting"
        && let Some(queue) = state.settings.queue(&ticket.queue)
    {
        let view = state.views.of(state.db(), &state.settings, queue).await?;
        ticket.position = Some(view.position(ticket.created_at));
    }
    Ok(ticket)
}

async fn load(
    state: &Matchmaking,
    ticket_id: Uuid,
    player_id: Uuid,
) -> Result<Ticket, MatchmakingError> {
    let now = state.now().await?;
    let row = sqlx::query!(
        r#"select t.queue, t.created_at, t.expires_at, t.rating, t.match_id, t.battle_id, t.why,
            case when t.state = 'waiting' and t.expires_at <= $3 then 'expired' else t.state end
                as "state!",
            own.team,
            array(select player_id from ticket_player where ticket_id = $1 order by player_id)
                as "players!"
         from ticket t join ticket_player own using (ticket_id)
         where t.ticket_id = $1 and own.player_id = $2"#,
        ticket_id,
        player_id,
        now
    )
    .fetch_optional(state.db())
    .await?
    .ok_or(MatchmakingError::UnknownTicket)?;
    let proposal = match row.match_id {
        Some(match_id) if row.state == "proposed" => {
            proposal::load(state.db(), match_id, player_id).await?
        }
        _ => None,
    };
    let window = window(&state.settings, &row.queue, row.created_at, now);
    Ok(Ticket {
        ticket_id,
        queue: row.queue,
        state: row.state,
        players: row.players,
        created_at: row.created_at,
        expires_at: row.expires_at,
        rating: f64::from(row.rating),
        window,
        position: None,
        proposal,
        battle_id: row.battle_id,
        team: row.team,
        why: row.why,
    })
}

/// Half the width of the window by now; 0 for a queue that is no more.
fn window(settings: &Settings, queue: &str, since: OffsetDateTime, now: OffsetDateTime) -> f64 {
    let waited_s = (now - since).as_seconds_f64();
    settings.queue(queue).map_or(0.0, |queue| queue.window.half_width(waited_s))
}

/// Stop waiting; any of the party may
#[utoipa::path(delete, operation_id = "cancel_ticket",
    path = "/v1/matchmaking/tickets/{ticket_id}", tag = "matchmaking",
    security(("bearer" = [])), params(("ticket_id" = Uuid, Path, description = "The ticket")),
    responses(
        (status = 204, description = "It is cancelled"),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`matchmaking.unknown_ticket`", body = ErrorBody),
        (status = 409, description = "`matchmaking.ticket_over` with the state", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn cancel(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(ticket_id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    let (rule, now) = (&state.settings.pace.decline, state.now().await?);
    let mut tx = state.db().begin().await?;
    let is_own = sqlx::query_scalar!(
        r#"select exists (
            select from ticket_player where ticket_id = $1 and player_id = $2
        ) as "is_own!""#,
        ticket_id,
        caller.player_id
    )
    .fetch_one(&mut *tx)
    .await?;
    if !is_own {
        return Err(MatchmakingError::UnknownTicket.into());
    }
    let why = "cancelled by a player of the ticket";
    if ending::withdraw(&mut tx, rule, &[ticket_id], why, now).await? == 0 {
        let state = sqlx::query_scalar!("select state from ticket where ticket_id = $1", ticket_id)
            .fetch_one(&mut *tx)
            .await?;
        return Err(MatchmakingError::TicketOver(state).into());
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
