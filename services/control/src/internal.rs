//! The gRPC listeners and their limits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use axum::middleware;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

pub use crate::fleet_door::{FleetCaller, FleetDoor, SharedSecret, identity_hash};
use crate::gate::{self, Gate};
use crate::watched::watch_rpc;

/// Largest message that a service reads; set it on every service with
/// `max_decoding_message_size`.
pub const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// How long a call may take until its answer begins.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

const STREAMS_MAX: u32 = 64;

/// HTTP/2 begins with so many bytes; until then nobody else looks after the connection.
const PREFACE_BYTES: usize = 24;

/// Time for them.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `routes` until `stop` resolves; what is open then may take as long as a call may. Not
/// longer: streams of health and reflection end only when their clients want it.
///
/// Connections are counted as those of HTTP are. One that says nothing at first is closed, and so
/// is one that does not answer pings later. Proxies that are trusted may connect any number of
/// times.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    trusted_proxies: Vec<IpAddr>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let (sender, accepted) = mpsc::channel(1);
    let accepting = async move {
        let gate = Gate::new(gate::CONNECTIONS_MAX, gate::PER_ADDRESS_MAX, trusted_proxies);
        loop {
            let (stream, _) = tokio::select! {
                next = gate.next(&listener) => next,
                () = sender.closed() => break,
            };
            let stream = stream.with_greeting(PREFACE_BYTES, PREFACE_TIMEOUT);
            if sender.send(Ok::<_, std::convert::Infallible>(stream)).await.is_err() {
                break;
            }
        }
        drop(listener);
        // What is open has its time.
        std::future::pending().await
    };
    let (stopped, is_stopped) = oneshot::channel::<()>();
    let stop = async move {
        stop.await;
        drop(stopped);
    };
    let overdue = async {
        // An error: it was dropped, which is what tells.
        drop(is_stopped.await);
        tokio::time::sleep(CALL_TIMEOUT).await;
    };
    let serving = Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .concurrency_limit_per_connection(STREAMS_MAX as usize)
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .add_routes(routes.into_axum_router().layer(middleware::from_fn(watch_rpc)).into())
        .serve_with_incoming_shutdown(ReceiverStream::new(accepted), stop);
    tokio::select! {
        served = serving => served.context("the gRPC listener failed"),
        () = accepting => Ok(()),
        () = overdue => {
            tracing::info!("streams that were still open are left");
            Ok(())
        }
    }
}

/// Binds a listener; port 0 takes a free one.
///
/// # Errors
/// The address cannot be listened at; `flag` is what to change.
pub async fn bind(addr: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr)
        .await
        .with_context(|| format!("cannot listen at {addr}; choose another address with {flag}"))
}
