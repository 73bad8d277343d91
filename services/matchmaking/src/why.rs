//! `GET /v1/matchmaking/tickets/{ticket_id}/why`: why am I still waiting, in words and numbers.

use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::who::Caller;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::settings::Queue;
use crate::state::Matchmaking;
use crate::ticket::{self, Ticket};
use crate::view::QueueView;

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(why))
}

/// Why a ticket has no battle to play yet.
#[derive(Debug, Serialize, ToSchema)]
struct Why {
    ticket_id: Uuid,
    state: String,
    /// Since it was made, seconds.
    waited_s: f64,
    /// The most important one first.
    reasons: Vec<Reason>,
}

/// One reason.
#[derive(Debug, Serialize, ToSchema)]
struct Reason {
    /// Stable: `too_few_players`, `window_narrow`, `party_too_large_for_rest`, `next_pass`,
    /// `came_back`, `ready_check`, `no_server`, `server_starts`, `ready_to_join`, `ended`,
    /// `queue_closed`.
    code: &'static str,
    /// For people; may change.
    text: String,
    /// The figures in the text.
    numbers: Value,
}

/// Why you are still waiting
#[utoipa::path(get, path = "/v1/matchmaking/tickets/{ticket_id}/why", tag = "matchmaking",
    security(("bearer" = [])), params(("ticket_id" = Uuid, Path, description = "The ticket")),
    responses(
        (status = 200, description = "The reasons", body = Why),
        (status = 400, description = "Not an id", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`matchmaking.unknown_ticket`", body = ErrorBody),
        (status = 503, description = "The database is away", body = ErrorBody),
    ))]
async fn why(
    State(state): State<Matchmaking>,
    caller: Caller,
    Path(ticket_id): Path<Uuid>,
) -> ApiResult<Json<Why>> {
    let ticket = ticket::poll(&state, ticket_id, caller.player_id).await?;
    let waited_s = (state.now().await? - ticket.created_at).as_seconds_f64().max(0.0);
    let reasons = reasons(&state, &ticket, waited_s).await?;
    Ok(Json(Why { ticket_id, state: ticket.state, waited_s, reasons }))
}

async fn reasons(
    state: &Matchmaking,
    ticket: &Ticket,
    waited_s: f64,
) -> Result<Vec<Reason>, MatchmakingError> {
    match (ticket.state.as_str(), ticket.battle_id) {
        ("waiting", _) => {
            let Some(queue) = state.settings.queue(&ticket.queue) else {
                let text = "The queue is closed; cancel the ticket and choose another.".to_owned();
                return Ok(vec![Reason { code: "queue_closed", text, numbers: json!({}) }]);
            };
            let view = state.views.of(state.db(), &state.settings, queue).await?;
            let mut reasons = waiting(queue, &view, ticket, waited_s);
            if !ticket.why.is_empty() {
                let text = ticket.why.clone();
                reasons.push(Reason { code: "came_back", text, numbers: json!({}) });
            }
            Ok(reasons)
        }
        ("proposed", _) => Ok(vec![asked(ticket)]),
        ("matched", Some(battle_id)) => Ok(vec![placed(state, battle_id).await?]),
        _ => {
            let text = format!("The ticket is {}: {}.", ticket.state, ticket.why);
            Ok(vec![Reason { code: "ended", text, numbers: json!({}) }])
        }
    }
}

/// What a ticket in the queue lacks.
fn waiting(queue: &Queue, view: &QueueView, ticket: &Ticket, waited_s: f64) -> Vec<Reason> {
    let own = ticket.players.len() as u32;
    let near = view.players_within(ticket.rating, ticket.window).max(own);
    let all = view.players().max(own);
    let (needed, fewest) = (queue.team_needed(waited_s) * 2, queue.team_min * 2);
    let patience_s = f64::from(queue.window.patience_s);
    let fewest_in_s = (patience_s - waited_s).max(0.0).ceil();
    let window_grows = ticket.window < queue.window.widest && queue.window.per_s > 0.0;
    let mut reasons = Vec::new();
    if all < needed {
        let mut text = format!("{all} players wait in this queue; a match needs {needed} now");
        if fewest < needed {
            text += &format!(" and {fewest} in {fewest_in_s} s");
        }
        let numbers = json!({ "players_waiting": all, "players_needed": needed,
            "players_needed_least": fewest, "least_in_s": fewest_in_s });
        reasons.push(Reason { code: "too_few_players", text: text + ".", numbers });
    } else if near < needed {
        let mut text = format!(
            "{near} of {all} players are within your rating window of {:.1} ± {:.1}; a match \
             needs {needed} now",
            ticket.rating, ticket.window
        );
        if window_grows {
            text += &format!("; the window grows by {:.1} a second", queue.window.per_s);
        }
        let numbers = json!({ "players_in_window": near, "players_waiting": all,
            "players_needed": needed, "players_needed_least": fewest, "rating": ticket.rating,
            "window": ticket.window, "window_grows_per_s": queue.window.per_s,
            "window_widest": queue.window.widest });
        reasons.push(Reason { code: "window_narrow", text: text + ".", numbers });
    } else if own > 1 && near - own < own {
        let text = format!(
            "Your party of {own} needs as many opponents; only {} others are within your window.",
            near - own
        );
        let numbers = json!({ "party": own, "others_in_window": near - own });
        reasons.push(Reason { code: "party_too_large_for_rest", text, numbers });
    } else {
        let position = ticket.position.unwrap_or(1);
        let text = format!(
            "Enough players are near: {near} of {needed}. You are number {position} by age, and \
             should be in a match of the next looks at the queue, if teams can be made whose \
             chance to win is within {:.2} of one half.",
            queue.window.unfair(waited_s)
        );
        let numbers = json!({ "players_in_window": near, "players_needed": needed,
            "position": position, "unfair": queue.window.unfair(waited_s) });
        reasons.push(Reason { code: "next_pass", text, numbers });
    }
    reasons
}

fn asked(ticket: &Ticket) -> Reason {
    let numbers = json!(ticket.proposal);
    let text = "A match was found and asks its players whether they are there.".to_owned();
    Reason { code: "ready_check", text, numbers }
}

/// What a matched ticket's battle waits for.
async fn placed(state: &Matchmaking, battle_id: Uuid) -> Result<Reason, MatchmakingError> {
    let row = sqlx::query!(
        r#"select state, asked_at, (select count(*) from battle other
            where other.state = 'asked' and other.asked_at < battle.asked_at) as "before!"
         from battle where battle_id = $1"#,
        battle_id
    )
    .fetch_optional(state.db())
    .await?
    .ok_or(MatchmakingError::UnknownBattle)?;
    let since_s = (state.now().await? - row.asked_at).as_seconds_f64().max(0.0);
    let numbers = json!({ "battle_id": battle_id, "asked_s_ago": since_s,
        "battles_before": row.before });
    let (code, text) = match row.state.as_str() {
        "asked" => (
            "no_server",
            format!(
                "The battle waits for a battle server with room; {} wait before it.",
                row.before
            ),
        ),
        "allocated" => ("server_starts", "A battle server is opening the battle.".to_owned()),
        "running" => ("ready_to_join", "The battle is running: join it.".to_owned()),
        over => ("ended", format!("The battle is {over}.")),
    };
    Ok(Reason { code, text, numbers })
}
