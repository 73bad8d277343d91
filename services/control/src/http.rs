//! The listener of REST and WebSockets.
//!
//! axum's own `serve` has no timer, so that a client that sends its headers a byte a minute holds
//! a connection for good; here headers have ten seconds and whole bodies thirty, connections are
//! counted, in all and by address, bodies are bounded, a client that does not read is left, and
//! every call has a token bucket by its client's address.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Extension, Router};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sortie_kit::http::{self as rules, Unlawful};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tower_http::catch_panic::CatchPanicLayer;

use crate::address::{ClientAddress, client_address, network};
use crate::bus::{Bus, Rate};
use crate::cors;
use crate::error::ApiError;
use crate::gate::{self, Gate, Guarded};
use crate::request;
use crate::watched;

/// Limits of a listener.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Connections at a time; more wait in the kernel's queue.
    pub connections_max: usize,
    /// Connections at a time from one address; proxies that are trusted have no such limit.
    pub per_address_max: usize,
    /// Time for the headers of a request.
    pub header_timeout: Duration,
    /// Time for a whole body, from when the route begins to read it.
    pub body_timeout: Duration,
    /// Bytes of a body; routes that take more say so.
    pub body_bytes_max: usize,
    /// Calls by one address; `None`: no limit.
    pub calls: Option<Rate>,
    /// Whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Web pages that may call, as `https://play.example`; `*`: all. None: only those of the host.
    pub origins: Vec<String>,
    /// How long calls may go on when the listener stops.
    pub grace: Duration,
}

/// Players that the limits by address are made for, unless the operator says otherwise: a family, a
/// small school class.
pub const PLAYERS_PER_ADDRESS: u32 = 16;

/// How many times as much an address may do that so many players share: a LAN party behind one
/// router. Fewer than [`PLAYERS_PER_ADDRESS`] change nothing.
pub fn crowd(players: u32) -> f64 {
    (f64::from(players) / f64::from(PLAYERS_PER_ADDRESS)).max(1.0)
}

impl HttpOptions {
    /// With limits by address for so many players.
    #[must_use]
    pub fn for_players(self, players: u32) -> Self {
        let factor = crowd(players);
        let per_address_max = (self.per_address_max as f64 * factor).ceil() as usize;
        let calls = self.calls.map(|calls| calls.times(factor));
        Self { per_address_max, calls, ..self }
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connections_max: gate::CONNECTIONS_MAX,
            per_address_max: gate::PER_ADDRESS_MAX,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            body_bytes_max: 64 << 10,
            calls: Some(Rate { burst: 200, per_s: 50.0 }),
            trusted_proxies: Vec::new(),
            origins: Vec::new(),
            grace: Duration::from_secs(5),
        }
    }
}

#[derive(Clone)]
struct Shared {
    options: Arc<HttpOptions>,
    bus: Bus,
}

/// Adds what every listener needs: request ids, limits, errors in our shape, panics as 500.
fn with_limits(router: Router, shared: Shared) -> Router {
    let cors = cors::layer(&shared.options.origins);
    let limited = router
        .fallback(|| async { ApiError::not_found("request.no_route", "there is no such route") })
        .method_not_allowed_fallback(|| async {
            let message = "the route does not know this method";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "request.method", message)
        })
        .layer(DefaultBodyLimit::max(shared.options.body_bytes_max))
        .layer(middleware::map_request_with_state(shared.options.body_timeout, time_body))
        // The panic itself is in the log.
        .layer(CatchPanicLayer::custom(|_| {
            let message = "something went wrong on our side";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
        }))
        .layer(middleware::from_fn(lawful))
        .layer(middleware::from_fn_with_state(shared, admit));
    // Outside of all that may refuse: a web page may read why.
    let open = match cors {
        Some(cors) => limited.layer(cors),
        None => limited,
    };
    open.layer(middleware::from_fn(watched::watch_call))
        .layer(middleware::from_fn(request::give_id))
        .layer(middleware::map_response(rules::discreet))
}

/// Refuses what no listener takes: [`sortie_kit::http`] says what that is.
async fn lawful(request: Request, next: Next) -> Response {
    match rules::check(&request) {
        Ok(()) => next.run(request).await,
        Err(fault) => {
            let code = match fault {
                Unlawful::Host => "request.host",
                Unlawful::Headers => "request.headers_too_large",
                Unlawful::Target => "request.target_too_long",
            };
            let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
            (close, ApiError::new(fault.status(), code, fault.to_string())).into_response()
        }
    }
}

/// Finds the client's address and takes a token from its bucket.
async fn admit(
    State(shared): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let forwarded = request.headers().get_all("x-forwarded-for").iter();
    let forwarded: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).collect();
    let forwarded = forwarded.join(",");
    let address = client_address(peer, &forwarded, &shared.options.trusted_proxies);
    request.extensions_mut().insert(ClientAddress(address));
    if let Some(rate) = shared.options.calls {
        let bucket = format!("calls/{}", network(address));
        if let Err(wait) = shared.bus.limiter.take(&bucket, rate).await {
            return ApiError::too_many(wait).into_response();
        }
    }
    next.run(request).await
}

#[derive(Clone, Copy)]
struct Peer(IpAddr);

/// Serves `router` until `stop` resolves, then lets open calls finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bus: Bus,
    options: HttpOptions,
    stop: impl Future<Output = ()>,
) {
    let gate = Gate::new(
        options.connections_max,
        options.per_address_max,
        options.trusted_proxies.clone(),
    );
    let grace = options.grace;
    let shared = Shared { options: Arc::new(options), bus };
    let router = with_limits(router, shared.clone());
    let (closing, closed) = tokio::sync::watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = gate.next(&listener) => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        let options = Arc::clone(&shared.options);
        connections.spawn(serve_one(stream, peer, router.clone(), options, closed.clone()));
    }
    drop(listener);
    // Receivers are held by the connections; without any, nobody needs to know.
    let _ = closing.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    drop(tokio::time::timeout(grace, all).await);
}

async fn serve_one(
    stream: Guarded,
    peer: SocketAddr,
    router: Router,
    options: Arc<HttpOptions>,
    mut closed: tokio::sync::watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router.layer(Extension(Peer(peer.ip()))));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        // Whatever a client does wrong is its own affair.
        ended = &mut connection => drop(ended),
        () = told(&mut closed) => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

/// Resolves when the listener closes; what is told may not be held over the wait.
async fn told(closed: &mut tokio::sync::watch::Receiver<bool>) {
    drop(closed.wait_for(|closed| *closed).await);
}

/// Gives the body of a request a time.
async fn time_body(State(time): State<Duration>, request: Request) -> Request {
    request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(TimedBody { body, time, timer: None })
    })
}

/// A body did not come in its time: 408.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body of the request did not come in time")]
pub struct BodyTooSlow;

/// A body that fails when it takes too long as a whole: with a time from part to part, a body
/// could come a byte at a time for days.
struct TimedBody {
    body: Body,
    time: Duration,
    /// Runs from when the body is asked for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let time = this.time;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(BodyTooSlow.into())));
        }
        let frame = Pin::new(&mut this.body).poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// What a listener answers to these bytes, until it closes.
    async fn answer(bytes: &[u8]) -> String {
        answer_with(HttpOptions::default(), bytes).await
    }

    async fn answer_with(options: HttpOptions, bytes: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = get(|| async { ([(header::CACHE_CONTROL, "max-age=60")], "kept") });
        let router = Router::new().route("/", get(|| async { "here" })).route("/kept", kept);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let server = tokio::spawn(serve(listener, router, Bus::local(), options, stopped));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let mut answer = Vec::new();
        // The listener may close while there is more to be written.
        let write = async { drop(writing.write_all(bytes).await) };
        let read = async { drop(reading.read_to_end(&mut answer).await) };
        tokio::join!(write, read);
        drop(stop);
        server.await.unwrap();
        String::from_utf8(answer).unwrap().to_lowercase()
    }

    #[tokio::test]
    async fn a_request_has_one_host() {
        let call = |hosts: &str| format!("GET / HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        for lawful in
            ["host: a.example\r\n", "host: a.example:80\r\n", "host: [::1]:80\r\n", "host:\r\n"]
        {
            let answer = answer(call(lawful).as_bytes()).await;
            assert!(answer.starts_with("http/1.1 200"), "{lawful}: {answer}");
        }
        for unlawful in [
            "",
            "host: a.example\r\nhost: b.example\r\n",
            "host: a.example\r\nhost: a.example\r\n",
            "host: a b\r\n",
            "host: user@a.example\r\n",
        ] {
            let answer = answer(call(unlawful).as_bytes()).await;
            assert!(answer.starts_with("http/1.1 400"), "{unlawful}: {answer}");
            assert!(answer.contains("request.host"), "{answer}");
        }
        let answer = answer(b"GET / HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("http/1.0 200"), "{answer}");
    }

    #[tokio::test]
    async fn headers_have_sixty_four_kib() {
        for (kib, status) in [(60, "200"), (65, "431"), (100, "431"), (127, "431"), (1_000, "431")]
        {
            let many: String =
                (0..kib).map(|at| format!("x-{at:04}: {}\r\n", "y".repeat(1_016))).collect();
            // Few headers, or hyper's own bound of a hundred would be met first.
            let few = format!("x-one: {}\r\n", "y".repeat(kib << 10));
            for headers in [few, many] {
                if headers.lines().count() > 90 {
                    continue;
                }
                let call =
                    format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}connection: close\r\n\r\n");
                let answer = answer(call.as_bytes()).await;
                // Who goes on writing when it is refused may see the connection break instead.
                let is_cut = answer.is_empty() && kib > 64;
                assert!(
                    answer.starts_with(&format!("http/1.1 {status}")) || is_cut,
                    "{kib} {answer}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_target_that_is_too_long_is_refused_in_our_words() {
        for (bytes, status) in [(8 << 10, "404"), (9 << 10, "414"), (40 << 10, "414")] {
            let target = format!("/{}", "x".repeat(bytes - 1));
            let call = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            let answer = answer(call.as_bytes()).await;
            assert!(answer.starts_with(&format!("http/1.1 {status}")), "{bytes} {answer}");
            assert_eq!(answer.contains("request.target_too_long"), status == "414", "{answer}");
        }
    }

    #[tokio::test]
    async fn nobody_on_the_way_keeps_an_answer() {
        for path in ["/", "/nowhere", "/kept"] {
            let call = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            let answer = answer(call.as_bytes()).await;
            assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
            let caching = if path == "/kept" { "max-age=60" } else { "no-store" };
            assert!(answer.contains(&format!("cache-control: {caching}")), "{answer}");
        }
        let answer = answer(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
        assert!(answer.contains("no-store"), "{answer}");
    }

    #[tokio::test]
    async fn a_listed_web_page_may_read_why_it_is_refused() {
        let call = |start: &str, origin: &str| {
            let rest = "host: a\r\nconnection: close\r\naccess-control-request-method: PUT";
            format!("{start} HTTP/1.1\r\n{rest}\r\norigin: {origin}\r\n\r\n")
        };
        let options = || HttpOptions {
            origins: vec!["https://play.example".to_owned()],
            calls: Some(Rate { burst: 0, per_s: 1e-3 }),
            ..HttpOptions::default()
        };
        for (start, status) in [("OPTIONS /", "200"), ("GET /", "429")] {
            let known = call(start, "https://play.example");
            let known = answer_with(options(), known.as_bytes()).await;
            assert!(known.starts_with(&format!("http/1.1 {status}")), "{known}");
            assert!(known.contains("access-control-allow-origin: https://play.example"), "{known}");
            let foreign = call(start, "https://evil.example");
            let foreign = answer_with(options(), foreign.as_bytes()).await;
            assert!(!foreign.contains("access-control-allow-origin"), "{foreign}");
        }
        let off = call("OPTIONS /", "https://play.example");
        let off = answer(off.as_bytes()).await;
        assert!(off.starts_with("http/1.1 405") && !off.contains("access-control"), "{off}");
    }
}
