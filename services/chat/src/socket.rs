//! `GET /v1/chat`: a WebSocket, from the upgrade to the close.
//!
//! A socket is two halves: one reads requests and does them one by one, the other writes what the
//! bounded queue holds. A half that ends, or a reason to close, ends both.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sortie_control::address::ClientAddress;
use sortie_control::bus::local::LocalLimiter;
use sortie_control::error::{ApiError, ErrorBody};
use sortie_control::json::unknown_field;
use sortie_control::who::Caller;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::authority;
use crate::close::{self, Closing};
use crate::error::ChatError;
use crate::hub::{Counted, Hub};
use crate::line::{Line, Outgoing};
use crate::lock::lock;
use crate::member::Member;
use crate::request;
use crate::store;
use crate::store::Known;
use crate::wire::{Answer, Author, Done, FRAME_BYTES_MAX, Request, RequestBody};

/// Bytes that wait for the kernel to take them.
const WRITE_BUFFER_BYTES_MAX: usize = 64 << 10;

/// Frames in a row that are no requests.
const MALFORMED_MAX: u32 = 8;

/// Frames written before the socket is flushed.
const FLUSH_EVERY: usize = 32;

/// Time for the last frames and the goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn router(hub: Arc<Hub>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(connect)).with_state(hub)
}

/// Opens a chat socket; what is said on it is in docs/chat.md.
///
/// The access token comes as `authorization: Bearer TOKEN`, or (from browsers) in the first frame.
#[utoipa::path(
    get, operation_id = "open_chat",
    path = "/v1/chat", tag = "chat", security(("bearer" = []), ()),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "`chat.no_upgrade`", body = ErrorBody),
        (status = 401, description = "The token is worth nothing", body = ErrorBody),
        (status = 403, description = "`chat.banned`, `chat.origin`", body = ErrorBody),
        (status = 503, description = "`chat.full`, or the database is away", body = ErrorBody),
    )
)]
async fn connect(
    State(hub): State<Arc<Hub>>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|rejection| {
        let message = format!("this route is a WebSocket: {rejection}");
        ApiError::new(StatusCode::BAD_REQUEST, "chat.no_upgrade", message)
    })?;
    if !is_known_origin(&headers, &hub.settings.origins) {
        let message = "web pages of this origin may not connect";
        return Err(ApiError::forbidden("chat.origin", message));
    }
    let counted = hub.count(address)?;
    let entrant = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let caller = Caller::of_bearer(&hub.app, value.to_str().ok())?;
            Some(look_up(&hub, caller).await?)
        }
        None => None,
    };
    let upgrade = upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .read_buffer_size(FRAME_BYTES_MAX)
        .write_buffer_size(FRAME_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| live(hub, socket, entrant, counted)))
}

/// Browsers name the page that connects; others send nothing, and could send anything.
fn is_known_origin(headers: &HeaderMap, known: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_ours = || {
        let page = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        page.is_some() && page == host
    };
    known.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(origin)) || is_ours()
}

/// Who connects, as the database knows it.
struct Entrant {
    caller: Caller,
    known: Known,
}

async fn look_up(hub: &Hub, caller: Caller) -> Result<Entrant, ChatError> {
    standing(hub, caller.player_id).await?;
    let known = authority::of(&hub.app.db, caller.player_id).await?;
    Ok(Entrant { caller, known })
}

/// Whether a player may be here.
async fn standing(hub: &Hub, player: Uuid) -> Result<(), ChatError> {
    match store::standing(&hub.app.db, player).await? {
        Some(standing) if standing.is_banned || standing.is_out => Err(ChatError::Banned),
        Some(_) => Ok(()),
        None => Err(ChatError::NoPlayer),
    }
}

/// A socket's life.
async fn live(hub: Arc<Hub>, socket: WebSocket, entrant: Option<Entrant>, counted: Counted) {
    let (queue, queued) = mpsc::channel(hub.settings.queue.max(1));
    let (closing, mut closed) = watch::channel(None);
    let (owed, _) = watch::channel(0);
    let line = Line { queue, closing: Arc::new(closing), owed: Arc::new(owed) };
    let (sink, stream) = socket.split();
    // Mutes are known once the player is; until then nobody's words come here.
    let (known, member) = watch::channel(None);
    let writer = Writer { sink, queued, line: line.clone(), member: member.clone() };
    let writing = writer.run(closed.clone(), hub.settings.ping_every);
    let writing = hub.app.tasks.spawn("chat_socket_writer", writing);
    let mut reader = Reader { hub: Arc::clone(&hub), stream, line: line.clone(), malformed: 0 };
    let mut stop = hub.stop.clone();
    let why = tokio::select! {
        why = reader.run(entrant, known) => why,
        () = stop.closing() => close::GOING_AWAY,
        why = closed.wait_for(Option::is_some) => {
            why.ok().and_then(|why| *why).unwrap_or(close::GOODBYE)
        }
    };
    line.close(why);
    let member = member.borrow().clone();
    if let Some(member) = member {
        for channel in hub.exit(&member) {
            request::gone(&hub, member.player, channel).await;
        }
    }
    drop(writing.await);
    metrics::counter!("sortie_chat_closed_total", "why" => why.why).increment(1);
    drop((reader, counted));
}

type Announced = watch::Sender<Option<Arc<Member>>>;

/// The half that reads.
struct Reader {
    hub: Arc<Hub>,
    stream: SplitStream<WebSocket>,
    line: Line,
    malformed: u32,
}

impl Reader {
    /// Reads until there is a reason not to.
    async fn run(&mut self, entrant: Option<Entrant>, known: Announced) -> Closing {
        let entrant = match entrant {
            Some(entrant) => entrant,
            None => match self.hello().await {
                Ok(entrant) => entrant,
                Err(why) => return why,
            },
        };
        let member = Arc::new(Member {
            number: self.hub.next_number(),
            player: entrant.caller.player_id,
            session: entrant.caller.session_id,
            known: Mutex::new(entrant.known),
            rooms: Mutex::default(),
            line: self.line.clone(),
        });
        self.hub.enter(Arc::clone(&member));
        // A writer that has ended ends this soon, too.
        drop(known.send(Some(Arc::clone(&member))));
        // A change between looking up and entering would be heard by nobody.
        match self.look_again(&member).await {
            Ok(()) => self.requests(&member).await,
            Err(error) => closing_of(&error),
        }
    }

    async fn look_again(&self, member: &Member) -> Result<(), ChatError> {
        standing(&self.hub, member.player).await?;
        *lock(&member.known) = authority::of(&self.hub.app.db, member.player).await?;
        Ok(())
    }

    /// The player, from the first frame.
    async fn hello(&mut self) -> Result<Entrant, Closing> {
        let until = Instant::now() + self.hub.settings.hello_timeout;
        let text = loop {
            let frame = timeout_at(until, self.frame()).await.map_err(|_| close::NO_HELLO)??;
            if let Some(text) = frame {
                break text;
            }
        };
        let Ok(Request { cid, body: RequestBody::Hello { token } }) = serde_json::from_str(&text)
        else {
            return Err(close::NO_HELLO);
        };
        self.line.owe();
        let caller = Caller::of_token(&self.hub.app, &token).map_err(|_| close::BAD_TOKEN)?;
        let entrant = look_up(&self.hub, caller).await.map_err(|error| {
            self.line.answer(&Answer::error(Some(cid), &error));
            closing_of(&error)
        })?;
        let player = Author { player_id: caller.player_id, name: entrant.known.name.clone() };
        self.line.answer(&Answer::ok(cid, Done { player: Some(player), ..Done::default() }));
        Ok(entrant)
    }

    async fn requests(&mut self, member: &Arc<Member>) -> Closing {
        let silence_max = self.hub.settings.ping_every * 2;
        let (flood, rate) = (LocalLimiter::default(), self.hub.settings.rates.frames);
        loop {
            let frame = match timeout(silence_max, self.frame()).await {
                Ok(Ok(frame)) => frame,
                Ok(Err(why)) => return why,
                Err(_) => return close::SILENT,
            };
            if flood.take_at("", rate, Instant::now().into_std()).is_err() {
                return close::FLOOD;
            }
            let Some(text) = frame else { continue };
            self.line.owe();
            match serde_json::from_str::<Request>(&text) {
                Ok(request) => {
                    self.malformed = 0;
                    request::answer(&self.hub, member, request).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "a frame is no request");
                    self.malformed += 1;
                    if self.malformed >= MALFORMED_MAX {
                        return close::MALFORMED;
                    }
                    let refusal = unknown_field(&error);
                    let refusal = refusal.map_or(ChatError::Malformed, ChatError::UnknownField);
                    self.line.answer(&Answer::error(cid_of(&text), &refusal));
                }
            }
        }
    }

    /// The next text, or nothing: a sign of life.
    ///
    /// Once the library has read a peer's Close, it writes nothing but the answer to it: what came
    /// before must be answered by then, so nothing is read while an answer is owed.
    async fn frame(&mut self) -> Result<Option<Utf8Bytes>, Closing> {
        self.line.settled().await;
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(text)),
            // The answer to a ping is queued by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Binary(_))) => Err(close::BINARY),
            Some(Ok(Message::Close(_))) | None => Err(close::GOODBYE),
            Some(Err(error)) => {
                tracing::debug!(%error, "a socket failed");
                let is_too_big = error.to_string().contains("too long");
                Err(if is_too_big { close::TOO_BIG } else { close::GOODBYE })
            }
        }
    }
}

fn closing_of(error: &ChatError) -> Closing {
    match error {
        ChatError::Banned => close::BANNED,
        ChatError::NoPlayer => close::BAD_TOKEN,
        _ => close::UNAVAILABLE,
    }
}

/// The cid of something that is no request, if it has one.
fn cid_of(text: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(text).ok()?.get("cid")?.as_u64()
}

/// The half that writes: the queue, and at the end why it is the end.
struct Writer {
    sink: SplitSink<WebSocket, Message>,
    queued: mpsc::Receiver<Outgoing>,
    line: Line,
    member: watch::Receiver<Option<Arc<Member>>>,
}

impl Writer {
    async fn run(mut self, mut closed: watch::Receiver<Option<Closing>>, ping_every: Duration) {
        tokio::select! {
            biased;
            written = self.pump(ping_every) => if written.is_ok() { return },
            _ = closed.wait_for(Option::is_some) => {}
        }
        // When writing failed, the peer is gone or has said goodbye: the reader sees which.
        let why = closed.wait_for(Option::is_some).await.ok().and_then(|why| *why);
        let Some(why) = why else { return };
        // A peer that does not read is left after a while; one that is gone already is fine.
        drop(timeout(CLOSE_TIMEOUT, self.goodbye(why)).await);
    }

    async fn goodbye(&mut self, why: Closing) -> Result<(), axum::Error> {
        // Who is too slow for the queue does not get it now.
        while why != close::SLOW
            && let Ok(outgoing) = self.queued.try_recv()
        {
            // Who has said goodbye has its answers, and gets no events any more.
            if self.feed(outgoing).await.is_err() {
                break;
            }
        }
        let frame = CloseFrame { code: why.code, reason: Utf8Bytes::from_static(why.why) };
        // Refused after the peer's Close, whose answer the library has ready, with the peer's own
        // code; the end below writes it.
        drop(self.sink.send(Message::Close(Some(frame))).await);
        self.sink.close().await
    }

    async fn pump(&mut self, ping_every: Duration) -> Result<(), axum::Error> {
        let mut pings = tokio::time::interval_at(Instant::now() + ping_every, ping_every);
        loop {
            tokio::select! {
                first = self.queued.recv() => {
                    let Some(first) = first else { return Ok(()) };
                    let mut answers = usize::from(first.is_answer);
                    self.feed(first).await?;
                    for _ in 1..FLUSH_EVERY {
                        let Ok(next) = self.queued.try_recv() else { break };
                        answers += usize::from(next.is_answer);
                        self.feed(next).await?;
                    }
                    self.sink.flush().await?;
                    self.line.paid(answers);
                }
                _ = pings.tick() => self.sink.send(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    async fn feed(&mut self, outgoing: Outgoing) -> Result<(), axum::Error> {
        let Outgoing { text, author, .. } = outgoing;
        let is_muted =
            author.is_some() && self.member.borrow().as_ref().is_none_or(|it| it.has_muted(author));
        if is_muted { Ok(()) } else { self.sink.feed(Message::Text(text)).await }
    }
}
