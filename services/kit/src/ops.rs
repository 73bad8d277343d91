//! The operations listener: `/metrics`, `/healthz`, `/readyz` over HTTP, on a thread of its own.
//!
//! It is meant for loopback or a private network. Whatever its clients do, health is told at once:
//! every connection is accepted when it comes, and beyond [`CONNECTIONS_MAX`] the oldest one is
//! dropped for it, which a client that asks and reads never is; metrics are rendered beside, once
//! for all who wait.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, oneshot};
use tokio::task::AbortHandle;

use crate::health::Health;
use crate::http;
use crate::metrics::PrometheusHandle;
use crate::process;

/// Connections served at a time.
pub const CONNECTIONS_MAX: usize = 256;

const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two times that recorded samples are sorted in.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Connections that may wait in the kernel for their turn: a burst beyond it would be asked to come
/// again a second later.
const BACKLOG: u32 = 1_024;

/// A running listener; it ends when this is dropped.
#[derive(Debug)]
pub struct OpsListener {
    addr: SocketAddr,
    /// Dropping it tells the thread to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    health: Health,
    metrics: Arc<Metrics>,
}

/// The metrics, and how they were when somebody asked last.
struct Metrics {
    source: PrometheusHandle,
    last: Mutex<(Instant, Bytes)>,
}

impl Metrics {
    fn new(source: PrometheusHandle) -> Self {
        Self { source, last: Mutex::new((Instant::now(), Bytes::new())) }
    }

    /// The metrics at some time after the call. All who wait while they are rendered share what is
    /// rendered next.
    async fn show(self: Arc<Self>) -> Bytes {
        let asked_at = Instant::now();
        let mut last = self.last.lock().await;
        if last.0 <= asked_at {
            let began_at = Instant::now();
            let source = self.source.clone();
            let render = move || {
                source.run_upkeep();
                source.render() + &process::render()
            };
            let text = tokio::task::spawn_blocking(render).await.unwrap_or_default();
            *last = (began_at, text.into());
        }
        last.1.clone()
    }
}

impl OpsListener {
    /// Listens at `addr`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub fn start(
        addr: SocketAddr,
        health: Health,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listened = {
            // Whoever starts this may be inside a runtime itself, where none may be waited for.
            let _inside = runtime.enter();
            listen(addr)
        };
        let listener = match listened {
            Ok(listener) => listener,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error).with_context(|| {
                    format!(
                        "cannot listen at {addr} for metrics and health; choose another with --ops"
                    )
                });
            }
        };
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Shared { health, metrics: Arc::new(Metrics::new(metrics.clone())) };
        let router = router(shared);
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, router) => {}
                    () = look_after(metrics) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("ops".into()).spawn(serve)?;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for OpsListener {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there.
            drop(thread.join());
        }
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(show_health))
        .route("/readyz", get(show_readiness))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is no such route\n") })
        .layer(middleware::from_fn(lawful))
        .layer(middleware::map_response(http::discreet))
        .with_state(shared)
}

async fn lawful(request: Request, next: Next) -> Response {
    match http::check(&request) {
        Ok(()) => next.run(request).await,
        Err(fault) => {
            (fault.status(), [(CONNECTION, "close")], format!("{fault}\n")).into_response()
        }
    }
}

async fn show_metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let text = shared.metrics.show().await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

async fn show_health(State(shared): State<Shared>) -> (StatusCode, String) {
    if shared.health.is_alive(Instant::now()) {
        (StatusCode::OK, "alive\n".into())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the main loop hangs\n".into())
    }
}

async fn show_readiness(State(shared): State<Shared>) -> (StatusCode, String) {
    let mut reasons = shared.health.not_ready();
    if !shared.health.is_alive(Instant::now()) {
        reasons.push("loop: the main loop hangs".into());
    }
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".into());
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
}

/// Sorts what was recorded into its histograms now and then: until then each sample is kept, and
/// nobody may ever ask for the metrics.
async fn look_after(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        let metrics = metrics.clone();
        // A panic in there was printed there.
        drop(tokio::task::spawn_blocking(move || metrics.run_upkeep()).await);
    }
}

fn listen(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As the standard library does: a server that is started anew gets its port back.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, router: Router) {
    // The oldest first.
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, mostly: giving some back is all that helps.
                tracing::debug!(%error, "cannot accept");
                open.drain(..).for_each(|connection| connection.abort());
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= CONNECTIONS_MAX
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let service = TowerToHyperService::new(router.clone());
        let serve = async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever a client does wrong is its own affair.
            drop(tokio::time::timeout(CONNECTION_TIMEOUT, connection).await);
        };
        open.push_back(tokio::spawn(serve).abort_handle());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn ask(addr: SocketAddr, path: &str) -> String {
        told(addr, &format!("GET {path} HTTP/1.0\r\n\r\n"))
    }

    /// What is answered to these words, until the listener closes.
    fn told(addr: SocketAddr, words: &str) -> String {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(words.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn health_readiness_and_metrics_are_served() {
        let health = Health::default();
        let recorder = crate::metrics::recorder().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let ops = OpsListener::start(listen, health.clone(), recorder).unwrap();
        metrics::counter!("sortie_test_total").increment(3);
        let metrics = ask(ops.addr(), "/metrics");
        assert!(metrics.contains("sortie_test_total 3"));
        assert!(metrics.contains("process_open_fds ") && metrics.contains("sortie_build_info{"));
        assert!(ask(ops.addr(), "/healthz").starts_with("HTTP/1.0 200"));
        assert!(ask(ops.addr(), "/readyz").starts_with("HTTP/1.0 200"));
        health.set_not_ready("journal", Some("disk full".into()));
        let answer = ask(ops.addr(), "/readyz");
        assert!(answer.starts_with("HTTP/1.0 503") && answer.contains("journal: disk full"));
        assert!(ask(ops.addr(), "/elsewhere").starts_with("HTTP/1.0 404"));
    }

    #[test]
    fn the_rules_of_all_listeners_are_kept() {
        let recorder = crate::metrics::recorder().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let ops = OpsListener::start(listen, Health::default(), recorder).unwrap();
        for path in ["/metrics", "/healthz", "/readyz", "/elsewhere"] {
            let answer = ask(ops.addr(), path).to_lowercase();
            assert!(answer.contains("\ncache-control: no-store\r"), "{answer}");
            assert!(answer.contains("\nx-content-type-options: nosniff\r"), "{answer}");
        }
        for hosts in ["", "host: a\r\nhost: b\r\n", "host: a b\r\n", "host: user@a\r\n"] {
            // Refused ones are the last on their connection, whatever they ask for.
            let answer = told(ops.addr(), &format!("GET /healthz HTTP/1.1\r\n{hosts}\r\n"));
            assert!(answer.starts_with("HTTP/1.1 400"), "{hosts}: {answer}");
            assert!(answer.contains("one Host header") && answer.contains("no-store"), "{answer}");
        }
    }

    /// Servers start it inside their runtime, where none may be waited for.
    #[tokio::test]
    async fn a_taken_address_is_an_error_and_no_panic() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = crate::metrics::recorder().unwrap();
        let started = OpsListener::start(taken.local_addr().unwrap(), Health::default(), recorder);
        let error = format!("{:#}", started.err().unwrap());
        assert!(error.contains("--ops") && error.contains("in use"), "{error}");
    }

    /// Clients that open a connection, say `words` and then neither speak nor read.
    fn stuck(addr: SocketAddr, count: usize, words: &str) -> Vec<TcpStream> {
        let open = |_| {
            let mut stream = TcpStream::connect(addr).unwrap();
            stream.write_all(words.as_bytes()).unwrap();
            stream
        };
        (0..count).map(open).collect()
    }

    #[test]
    fn health_is_told_whatever_others_do() {
        let recorder = crate::metrics::recorder().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let ops = OpsListener::start(listen, Health::default(), recorder).unwrap();
        for number in 0..2_000 {
            metrics::counter!("sortie_many_total", "number" => number.to_string()).increment(1);
        }
        // Silent ones, slow ones, and such that ask for much again and again and read none of it.
        let much = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(40);
        let mut held = Vec::new();
        for _ in 0..2 {
            held.extend(stuck(ops.addr(), 60, ""));
            held.extend(stuck(ops.addr(), 120, "GET /healthz HTTP/1.1\r\nHo"));
            held.extend(stuck(ops.addr(), 60, &much));
            let mut took: Vec<Duration> = (0..20)
                .map(|_| {
                    let asked = Instant::now();
                    assert!(ask(ops.addr(), "/healthz").starts_with("HTTP/1.0 200"));
                    asked.elapsed()
                })
                .collect();
            took.sort();
            // The machine may be busy with other tests for a moment.
            assert!(took[9] < Duration::from_millis(100), "{took:?}");
            assert!(took[19] < Duration::from_millis(1_500), "{took:?}");
        }
    }

    #[test]
    fn metrics_are_never_older_than_the_question() {
        let recorder = crate::metrics::recorder().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let ops = OpsListener::start(listen, Health::default(), recorder).unwrap();
        for number in 1..=20 {
            metrics::counter!("sortie_fresh_total").increment(1);
            let text = ask(ops.addr(), "/metrics");
            assert!(text.contains(&format!("sortie_fresh_total {number}\n")), "{text}");
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let recorder = crate::metrics::recorder().unwrap();
        let error = OpsListener::start(addr, Health::default(), recorder).unwrap_err();
        assert!(error.to_string().contains(&addr.to_string()));
    }
}
