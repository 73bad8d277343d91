//! `GET /v1/matchmaking/tickets/{ticket_id}/events`: a ticket as a stream of events (Server-Sent
//! Events, as the HTML standard defines them), so that nobody has to ask again and again.
//!
//! Each change is an event `ticket` whose data is the whole ticket; the first one comes at once.
//! When nothing happens, a comment says that the stream is alive. It ends with the ticket; before,
//! when the caller's login is over, when its time is, or when the node stops: then the client opens
//! another, and has lost nothing. While it is open, the ticket does not run out.

#![allow(unused_qualifications, reason = "utoipa's macro repeats the path of a parameter")]

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use sortie_control::error::{ApiError, ApiResult, ErrorBody};
use sortie_control::json::{Path, Query};
use sortie_control::who::Caller;
use tokio::time::{Instant, sleep_until};
use utoipa::openapi::RefOr;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::MatchmakingError;
use crate::state::Matchmaking;
use crate::ticket::{self, Ticket};
use crate::watch::Seat;

pub(crate) fn routes() -> OpenApiRouter<Matchmaking> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Longest time of a stream: as long as an access token is good.
const STREAM_S_MAX: u32 = 300;

/// Proxies that gather answers would keep events back.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// How long.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Seconds after which the stream ends at the latest, 1 to 300.
    #[param(minimum = 1, maximum = 300, default = 300)]
    for_s: Option<u32>,
}

/// What is in the stream, for the OpenAPI document. Version 3.1 has no word for events: some
/// readers take a schema for that of the whole text, others for that of each event. So it bounds
/// neither.
struct TicketEvents;

impl PartialSchema for TicketEvents {
    fn schema() -> RefOr<Schema> {
        let ticket = json!({ "ticket": { "$ref": "#/components/schemas/Ticket" } });
        let events = ExtensionsBuilder::new().add("x-events", ticket).build();
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .description(Some("Server-Sent Events: `ticket`, with a `Ticket` as data."))
            .extensions(Some(events))
            .into()
    }
}

impl ToSchema for TicketEvents {}

/// Hear how your ticket stands: a stream of events that keeps it alive
///
/// Each event `ticket` has the whole ticket as its data. The first one comes at once, the others
/// when it has changed; comments between say that the stream is alive. It ends after the event that
/// says that the ticket has ended; before, come again. Two streams of a player at a time.
#[utoipa::path(get, operation_id = "watch_ticket",
    path = "/v1/matchmaking/tickets/{ticket_id}/events", tag = "matchmaking",
    security(("bearer" = [])),
    params(("ticket_id" = Uuid, Path, description = "The ticket"), EventsQuery),
    responses(
        (status = 200, description = "Events, until the ticket ends", body = TicketEvents,
            content_type = "text/event-stream", example = json!(concat!(
                "event: ticket\ndata: {\"state\":\"waiting\",\"position\":12}\n\n",
                ": still here\n\n",
                "event: ticket\ndata: {\"state\":\"matched\",\"position\":null}\n\n"))),
        (status = 400, description = "Not an id, or not a number", body = ErrorBody),
        (status = 401, description = "Not logged in", body = ErrorBody),
        (status = 404, description = "`matchmaking.unknown_ticket`", body = ErrorBody),
        (status = 422, description = "`request.fields`: for_s is 1 to 300", body = ErrorBody),
        (status = 429, description = "Too many calls, or `matchmaking.too_many_streams` of yours",
            body = ErrorBody),
        (status = 503, description = "`matchmaking.streams_full`: this node has no room for \
            another; or the database is away", body = ErrorBody),
    ))]
async fn events(
    State(state): State<Matchmaking>,
    caller: Caller,
    headers: HeaderMap,
    Path(ticket_id): Path<Uuid>,
    Query(query): Query<EventsQuery>,
) -> ApiResult<Response> {
    let for_s = query.for_s.unwrap_or(STREAM_S_MAX);
    if !(1..=STREAM_S_MAX).contains(&for_s) {
        return Err(ApiError::invalid("request.fields", "for_s is 1 to 300"));
    }
    state.limit("events", caller.player_id, 20).await?;
    // The seat first: what changes from here on wakes it.
    let seat = state.watches.take(ticket_id, caller.player_id)?;
    let first = ticket::poll(&state, ticket_id, caller.player_id).await?;
    let now = Instant::now();
    let telling = Telling {
        seat,
        ticket_id,
        caller,
        bearer: headers.get(header::AUTHORIZATION).cloned(),
        next: Some(first),
        said: Value::Null,
        beat_at: now,
        ends_at: now + Duration::from_secs(for_s.into()),
        is_over: false,
        state,
    };
    let events = stream::unfold(telling, |mut telling| async {
        let event = telling.next().await?;
        Some((Ok::<_, Infallible>(event), telling))
    });
    Ok(([UNBUFFERED], Sse::new(events)).into_response())
}

/// A stream that somebody reads.
struct Telling {
    state: Matchmaking,
    caller: Caller,
    /// What the caller showed; it has to be good for as long as the stream lives.
    bearer: Option<HeaderValue>,
    ticket_id: Uuid,
    seat: Seat,
    /// Read already.
    next: Option<Ticket>,
    /// What was told last.
    said: Value,
    /// Something is said then in any case.
    beat_at: Instant,
    ends_at: Instant,
    is_over: bool,
}

impl Telling {
    /// What is said next; `None`: the stream ends.
    async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        loop {
            let ticket = match self.next.take() {
                Some(ticket) => ticket,
                None => match self.read().await? {
                    Some(ticket) => ticket,
                    // Not to be read now: the client is told that the stream lives.
                    None if self.beat_at <= Instant::now() => return Some(self.beat()),
                    None => continue,
                },
            };
            let told = without_clocks(&ticket);
            let is_due = self.beat_at <= Instant::now();
            if told == self.said && !is_due {
                continue;
            }
            let beat = self.beat();
            if told == self.said {
                return Some(beat);
            }
            self.said = told;
            self.is_over = !ticket.is_open();
            let data = serde_json::to_string(&ticket).unwrap_or_default();
            return Some(Event::default().event("ticket").data(data));
        }
    }

    /// A comment; the next one is due a beat later.
    fn beat(&mut self) -> Event {
        self.beat_at = Instant::now() + self.state.settings.pace.stream_beat;
        Event::default().comment("still here")
    }

    /// Waits for a change or the next beat, and reads the ticket, which renews it. `None`: the
    /// stream ends; `Some(None)`: the ticket cannot be read at present.
    async fn read(&mut self) -> Option<Option<Ticket>> {
        let mut stop = self.state.stop.clone();
        tokio::select! {
            biased;
            () = stop.closing() => return None,
            () = sleep_until(self.ends_at) => return None,
            () = self.seat.changed() => {}
            () = sleep_until(self.beat_at) => {}
        }
        // Logged out or banned meanwhile, or the token is too old.
        let bearer = self.bearer.as_ref().and_then(|value| value.to_str().ok());
        Caller::of_bearer(&self.state.app, bearer).ok()?;
        match ticket::poll(&self.state, self.ticket_id, self.caller.player_id).await {
            Ok(ticket) => Some(Some(ticket)),
            Err(MatchmakingError::UnknownTicket) => None,
            Err(error) => {
                tracing::debug!(%error, "a watched ticket cannot be read");
                Some(None)
            }
        }
    }
}

/// A ticket as it is told, without what changes by itself all the time.
fn without_clocks(ticket: &Ticket) -> Value {
    let mut told = serde_json::to_value(ticket).unwrap_or_default();
    if let Some(fields) = told.as_object_mut() {
        fields.remove("expires_at");
        fields.remove("window");
    }
    told
}
