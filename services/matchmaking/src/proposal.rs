//! The ready check: everybody of a match says in time that they are there.
//!
//! When all say yes, the battle is made. When somebody says no, the match fails at once; when the
//! time is over, so do those who said nothing. Tickets of players who failed the others end with
//! the reason, and they pause (`pause`); the others wait on with the age that they have.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::vocabulary::ProposalState;
use sortie_control::who::Caller;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::matcher;
use crate::settings::Decline;
use crate::state::Matchmaking;
use crate::{ending, pause};

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(answer))
}

/// A match that asks its players whether they are there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Proposal {
    match_id: Uuid,
    #[schema(value_type = ProposalState)]
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    answer_by: OffsetDateTime,
    pub players: i64,
    /// Players who said yes.
    pub accepted: i64,
    /// What you said; absent: nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    your_answer: Option<bool>,
    /// Chance that team 0 wins, as predicted.
    win_chance: f64,
    /// The battle, once everybody has accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    battle_id: Option<Uuid>,
}

/// Whether you are there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProposalAnswer)]
struct Answer {
    /// No: the match fails, your party's ticket ends, and the party may not queue for a while.
    accept: bool,
}

/// Answer a ready check
#[utoipa::path(post, operation_id = "answer_proposal",
    path = "/v1/matchmaking/proposals/{match_id}/answer", tag = "matchmaking",
    security(("bearer" = [])), params(("match_id" = Uuid, Path, description = "The match")),
    request_body = Answer,
    responses(
        (status = 200, description = "How the match stands now", body = Proposal),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`matchmaking.unknown_proposal`", body = ErrorBody),
        (status = 409, description = "`matchmaking.proposal_over`", body = ErrorBody),
        (status = 422, description = "The body cannot be", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn answer(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(match_id): Path<Uuid>,
    Json(Answer { accept }): Json<Answer>,
) -> ApiResult<Json<Proposal>> {
    note(&state, match_id, caller.player_id, accept).await?;
    let proposal = load(state.db(), match_id, caller.player_id).await?;
    Ok(Json(proposal.ok_or(MatchmakingError::UnknownProposal)?))
}

async fn note(
    state: &Matchmaking,
    match_id: Uuid,
    player_id: Uuid,
    accept: bool,
) -> Result<(), MatchmakingError> {
    let now = state.now().await?;
    let mut tx = state.db().begin().await?;
    let found = sqlx::query!(
        "select p.state, p.queue, p.answer_by, p.win_chance
         from match_proposal p join match_answer a using (match_id)
         where match_id = $1 and player_id = $2 for update of p",
        match_id,
        player_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(MatchmakingError::UnknownProposal)?;
    if found.state != "asking" || found.answer_by <= now {
        // At once, not when the connection is used again: cleaning up passes by what is locked.
        tx.rollback().await?;
        return Err(MatchmakingError::ProposalOver);
    }
    sqlx::query!(
        "update match_answer set accepted = $3 where match_id = $1 and player_id = $2",
        match_id,
        player_id,
        accept
    )
    .execute(&mut *tx)
    .await?;
    if accept {
        let missing = sqlx::query_scalar!(
            r#"select count(*) as "count!" from match_answer
             where match_id = $1 and accepted is not true"#,
            match_id
        )
        .fetch_one(&mut *tx)
        .await?;
        if missing == 0 {
            // A queue that is no more: everybody has to queue anew, elsewhere.
            match state.settings.queue(&found.queue) {
                Some(queue) => {
                    matcher::begin(&mut tx, queue, match_id, found.win_chance, now).await?;
                }
                None => fail(&mut tx, match_id, &[], "the queue was closed").await?,
            }
        }
    } else {
        let declined = tickets_of(&mut tx, match_id, player_id).await?;
        let why = "a player of the ticket declined the ready check";
        fail(&mut tx, match_id, &declined, why).await?;
        pause::begin(&mut tx, &state.settings.pace.decline, &declined, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn tickets_of(
    db: &mut PgConnection,
    match_id: Uuid,
    player_id: Uuid,
) -> Result<Vec<Uuid>, MatchmakingError> {
    let tickets = sqlx::query_scalar!(
        "select ticket_id from ticket join ticket_player using (ticket_id)
         where match_id = $1 and player_id = $2",
        match_id,
        player_id
    )
    .fetch_all(db)
    .await?;
    Ok(tickets)
}

/// How a match stands, for one of its players; `None` for anybody else.
pub(crate) async fn load(
    db: &PgPool,
    match_id: Uuid,
    player_id: Uuid,
) -> Result<Option<Proposal>, MatchmakingError> {
    let row = sqlx::query!(
        r#"select p.state, p.answer_by, p.win_chance, p.battle_id, own.accepted as your_answer,
            (select count(*) from match_answer where match_id = $1) as "players!",
            (select count(*) from match_answer where match_id = $1 and accepted) as "accepted!"
         from match_proposal p join match_answer own using (match_id)
         where p.match_id = $1 and own.player_id = $2"#,
        match_id,
        player_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Proposal {
        match_id,
        state: row.state,
        answer_by: row.answer_by,
        players: row.players,
        accepted: row.accepted,
        your_answer: row.your_answer,
        win_chance: f64::from(row.win_chance),
        battle_id: row.battle_id,
    }))
}

/// Ends a locked match: the tickets in `failed` end, the others wait on.
pub(crate) async fn fail(
    db: &mut PgConnection,
    match_id: Uuid,
    failed: &[Uuid],
    why: &str,
) -> Result<(), MatchmakingError> {
    sqlx::query!("update match_proposal set state = 'failed' where match_id = $1", match_id)
        .execute(&mut *db)
        .await?;
    ending::end(&mut *db, failed, "cancelled", why).await?;
    sqlx::query!(
        "with back as (
            update ticket set state = 'waiting', match_id = null,
                why = 'another player was not ready; you keep your place'
            where match_id = $1 and state = 'proposed' returning ticket_id
        )
        update ticket_player set team = null from back
        where ticket_player.ticket_id = back.ticket_id",
        match_id
    )
    .execute(db)
    .await?;
    metrics::counter!("sortie_matchmaking_proposals_total", "event" => "failed").increment(1);
    Ok(())
}

/// Ends matches whose time is over; gives how many. Several nodes share them out.
pub(crate) async fn fail_late(
    db: &mut PgConnection,
    rule: &Decline,
    now: OffsetDateTime,
) -> Result<usize, MatchmakingError> {
    let late = sqlx::query_scalar!(
        "select match_id from match_proposal where state = 'asking' and answer_by <= $1
         order by answer_by limit 100 for update skip locked",
        now
    )
    .fetch_all(&mut *db)
    .await?;
    for &match_id in &late {
        let silent = sqlx::query_scalar!(
            "select distinct ticket_id from ticket join ticket_player using (ticket_id)
                join match_answer using (match_id, player_id)
             where match_id = $1 and accepted is not true",
            match_id
        )
        .fetch_all(&mut *db)
        .await?;
        let why = "a player of the ticket did not answer the ready check in time";
        fail(&mut *db, match_id, &silent, why).await?;
        pause::begin(&mut *db, rule, &silent, now).await?;
    }
    Ok(late.len())
}
