//! The operations listener: `/metrics`, `/healthz`, `/readyz` over HTTP, on a thread of its own.
//!
//! It is meant for loopback or a private network. Slow or many connections cannot hold it up:
//! headers have five seconds, and there are at most [`CONNECTIONS_MAX`] connections.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, oneshot};

use crate::health::Health;
use crate::metrics::PrometheusHandle;
use crate::process;

/// Connections served at a time; more wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 64;

const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

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
    metrics: PrometheusHandle,
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
        let listener = TcpListener::bind(addr).with_context(|| {
            format!("cannot listen at {addr} for metrics and health; choose another with --ops")
        })?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = router(Shared { health, metrics });
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, router) => {}
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
        .with_state(shared)
}

async fn show_metrics(State(shared): State<Shared>) -> String {
    shared.metrics.run_upkeep();
    shared.metrics.render() + &process::render()
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

async fn accept(listener: TcpListener, router: Router) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the operations listener cannot start"),
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, mostly: waiting is all that helps.
                tracing::debug!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever a client does wrong is its own affair.
            drop(tokio::time::timeout(CONNECTION_TIMEOUT, connection).await);
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn ask(addr: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(addr).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
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
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let recorder = crate::metrics::recorder().unwrap();
        let error = OpsListener::start(addr, Health::default(), recorder).unwrap_err();
        assert!(error.to_string().contains(&addr.to_string()));
    }
}
