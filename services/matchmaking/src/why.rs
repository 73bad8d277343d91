//! `GET /v1/matchmaking/tickets/{ticket_id}/why`: why am I still waiting, in words and numbers.

use axum::extract::State;
use serde::Serialize;
use sortie_battles::state::BattleState;
use sortie_control::error::{ApiResult, ErrorBody};
use sortie_control::json::{Json, Path};
use sortie_control::vocabulary::TicketState;
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
    #[schema(value_type = TicketState)]
    state: String,
    /// Since it was made, seconds.
    waited_s: f64,
    /// The most important one first.
    reasons: Vec<Reason>,
}

/// One reason.
#[derive(Debug, Serialize, ToSchema)]
struct Reason {
    /// What it is.
    code: Code,
    /// For people; may change.
    text: String,
    /// The figures in the text.
    numbers: Numbers,
}

/// What a reason is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReasonCode)]
enum Code {
    /// So many wait, so many are needed now, so few after so many seconds.
    TooFewPlayers,
    /// Enough wait, but not near enough in rating.
    WindowNarrow,
    /// Your party has not as many opponents near.
    PartyTooLargeForRest,
    /// Enough are near; the next looks at the queue should take you.
    NextPass,
    /// A match failed because of somebody else; you keep your place.
    CameBack,
    /// A match asks whether you are there.
    ReadyCheck,
    /// Matched: no battle server has room yet.
    NoServer,
    /// Matched: a battle server opens the battle.
    ServerStarts,
    /// Matched: the battle runs.
    ReadyToJoin,
    /// The ticket is over, or its battle is.
    Ended,
    /// The queue is over.
    QueueClosed,
}

/// Figures of a reason; those that its text has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = ReasonNumbers)]
struct Numbers {
    /// Players who wait in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    players_waiting: Option<u32>,
    /// Of these, within your window.
    #[serde(skip_serializing_if = "Option::is_none")]
    players_in_window: Option<u32>,
    /// Players that a match needs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    players_needed: Option<u32>,
    /// Fewest players that a match will ever need here.
    #[serde(skip_serializing_if = "Option::is_none")]
    players_needed_least: Option<u32>,
    /// In how many seconds that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    least_in_s: Option<f64>,
    /// Your rating, or your party's.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<f64>,
    /// How far another's may be from it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<f64>,
    /// How fast the window grows, a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_grows_per_s: Option<f64>,
    /// How wide it gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_widest: Option<f64>,
    /// Players of your party.
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<u32>,
    /// Others within your window.
    #[serde(skip_serializing_if = "Option::is_none")]
    others_in_window: Option<u32>,
    /// Your place in the queue by age.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    /// How far from one half the chance to win may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    unfair: Option<f64>,
    /// Players of the match that asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    players: Option<i64>,
    /// Of these, who said yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<i64>,
    /// Seconds since the battle was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_s_ago: Option<f64>,
    /// Battles that wait for a server before yours.
    #[serde(skip_serializing_if = "Option::is_none")]
    battles_before: Option<i64>,
}

impl Reason {
    /// One that its text says whole.
    fn plain(code: Code, text: String) -> Self {
        Self { code, text, numbers: Numbers::default() }
    }
}

/// Why you are still waiting
#[utoipa::path(get, operation_id = "explain_ticket",
    path = "/v1/matchmaking/tickets/{ticket_id}/why", tag = "matchmaking",
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
                return Ok(vec![Reason::plain(Code::QueueClosed, text)]);
            };
            let view = state.views.of(state.db(), &state.settings, queue).await?;
            let mut reasons = waiting(queue, &view, ticket, waited_s);
            if !ticket.why.is_empty() {
                reasons.push(Reason::plain(Code::CameBack, ticket.why.clone()));
            }
            Ok(reasons)
        }
        ("proposed", _) => Ok(vec![asked(ticket)]),
        ("matched", Some(battle_id)) => Ok(vec![placed(state, battle_id).await?]),
        _ => {
            let text = format!("The ticket is {}: {}.", ticket.state, ticket.why);
            Ok(vec![Reason::plain(Code::Ended, text)])
        }
    }
}

fn wait(players: u32) -> String {
    if players == 1 { "1 player waits".to_owned() } else { format!("{players} players wait") }
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
        let mut text = format!("{} in this queue; a match needs {needed} now", wait(all));
        if fewest < needed {
            text += &format!(" and {fewest} in {fewest_in_s} s");
        }
        text += &format!("; this queue has {all}");
        let numbers = Numbers {
            players_waiting: Some(all),
            players_needed: Some(needed),
            players_needed_least: Some(fewest),
            least_in_s: Some(fewest_in_s),
            ..Numbers::default()
        };
        reasons.push(Reason { code: Code::TooFewPlayers, text: text + ".", numbers });
    } else if near < needed {
        let mut text = format!(
            "{near} of {all} players are within your rating window of {:.1} ± {:.1}; a match \
             needs {needed} now",
            ticket.rating, ticket.window
        );
        if window_grows {
            text += &format!("; the window grows by {:.1} a second", queue.window.per_s);
        }
        let numbers = Numbers {
            players_in_window: Some(near),
            players_waiting: Some(all),
            players_needed: Some(needed),
            players_needed_least: Some(fewest),
            rating: Some(ticket.rating),
            window: Some(ticket.window),
            window_grows_per_s: Some(queue.window.per_s),
            window_widest: Some(queue.window.widest),
            ..Numbers::default()
        };
        reasons.push(Reason { code: Code::WindowNarrow, text: text + ".", numbers });
    } else if own > 1 && near - own < own {
        let text = format!(
            "Your party of {own} needs as many opponents; only {} others are within your window.",
            near - own
        );
        let others_in_window = Some(near - own);
        let numbers = Numbers { party: Some(own), others_in_window, ..Numbers::default() };
        reasons.push(Reason { code: Code::PartyTooLargeForRest, text, numbers });
    } else {
        let position = ticket.position.unwrap_or(1);
        let text = format!(
            "Enough players are near: {near} of {needed}. You are number {position} by age, and \
             should be in a match of the next looks at the queue, if teams can be made whose \
             chance to win is within {:.2} of one half.",
            queue.window.unfair(waited_s)
        );
        let numbers = Numbers {
            players_in_window: Some(near),
            players_needed: Some(needed),
            position: Some(position),
            unfair: Some(queue.window.unfair(waited_s)),
            ..Numbers::default()
        };
        reasons.push(Reason { code: Code::NextPass, text, numbers });
    }
    reasons
}

fn asked(ticket: &Ticket) -> Reason {
    let (players, accepted) =
        ticket.proposal.as_ref().map(|asked| (asked.players, asked.accepted)).unzip();
    let text = "A match was found and asks its players whether they are there.".to_owned();
    let numbers = Numbers { players, accepted, ..Numbers::default() };
    Reason { code: Code::ReadyCheck, text, numbers }
}

/// What a matched ticket's battle waits for.
async fn placed(state: &Matchmaking, battle_id: Uuid) -> Result<Reason, MatchmakingError> {
    let row = sqlx::query!(
        r#"select state, asked_at, (select count(*) from battle other
            where battle_is_asked(other.state) and other.asked_at < battle.asked_at) as "before!"
         from battle where battle_id = $1"#,
        battle_id
    )
    .fetch_optional(state.db())
    .await?
    .ok_or(MatchmakingError::UnknownBattle)?;
    let since_s = (state.now().await? - row.asked_at).as_seconds_f64().max(0.0);
    let numbers = Numbers {
        asked_s_ago: Some(since_s),
        battles_before: Some(row.before),
        ..Numbers::default()
    };
    let (code, text) = match BattleState::of_name(&row.state) {
        Some(BattleState::Asked) => (
            Code::NoServer,
            format!(
                "The battle waits for a battle server with room; {} wait before it.",
                row.before
            ),
        ),
        Some(BattleState::Allocated) => {
            (Code::ServerStarts, "A battle server is opening the battle.".to_owned())
        }
        Some(BattleState::Running) => {
            (Code::ReadyToJoin, "The battle is running: join it.".to_owned())
        }
        _ => (Code::Ended, format!("The battle is {}.", row.state)),
    };
    Ok(Reason { code, text, numbers })
}
