//! Many connections that do nothing.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use sqlx::{ConnectOptions, PgPool};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::process::serve;
use crate::rest::Api;
use crate::slow::{connect, memory, read_to_end};

/// At each listener.
const IDLE: usize = 1_000;

/// From one address; at most 256 are let in.
const PER_ADDRESS: usize = 250;

const CLOSED_WITHIN: Duration = Duration::from_secs(60);

const SERVED_WITHIN: Duration = Duration::from_secs(5);

const MEMORY_MAX: usize = 256 << 20;

/// Connections from several addresses, which begin with something.
async fn crowd(to: &Value, count: usize, first: u8, beginning: &[u8]) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for number in 0..count {
        let address = [127, 0, first, 1 + u8::try_from(number / PER_ADDRESS).unwrap()];
        let mut stream = connect(to, address).await.unwrap();
        // Who is turned away at once reads it, at the latest.
        drop(stream.write_all(beginning).await);
        streams.push(stream);
    }
    streams
}

/// Until all are closed.
async fn closed(streams: Vec<TcpStream>) {
    for mut stream in streams {
        read_to_end(&mut stream).await;
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn thousands_of_idle_connections_are_closed_and_keep_nobody_out(db: PgPool) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let url = db.connect_options().to_url_lossy().to_string();
    let folder = tempfile::tempdir().unwrap();
    let (node, ready) = serve(&url, folder.path(), &[]).await;
    let before = memory(node.id(), "VmRSS");
    let mut idle = Vec::new();
    // One call each, and then nothing: kept alive is not kept for ever.
    let call = b"GET /v1/nowhere HTTP/1.1\r\nhost: here\r\n\r\n";
    for (first, listener, beginning) in
        [(1, "rest", &call[..]), (2, "chat", b""), (3, "admin", b"GET"), (4, "grpc", b"PRI")]
    {
        idle.extend(crowd(&ready[listener], IDLE, first, beginning).await);
    }
    let began = Instant::now();
    for path in ["/v1/openapi.json", "/v1/leaderboards/conquest"] {
        let answer = Api::at(&ready["rest"]).get(path).await;
        assert!(answer.status == 200 && answer.took < SERVED_WITHIN, "{answer:?}");
    }
    assert_eq!(Api::at(&ready["ops"]).get("/readyz").await.status, 200);
    timeout(CLOSED_WITHIN, closed(idle)).await.expect("all are closed");

    // One address has so many; another is let in nevertheless.
    let many = crowd(&ready["rest"], PER_ADDRESS, 9, b"").await;
    let more = crowd(&ready["rest"], PER_ADDRESS, 9, b"").await;
    timeout(SERVED_WITHIN, turned_away(more)).await.expect("no address has more than 256");
    assert_eq!(Api::at(&ready["rest"]).get("/v1/openapi.json").await.status, 200);
    drop(many);
    let grown = memory(node.id(), "VmHWM").saturating_sub(before);
    assert!(grown < MEMORY_MAX, "{grown} bytes more after {:?}", began.elapsed());
    assert_eq!(node.errors(), Vec::<String>::new(), "idle clients are no error");
}

/// Until those beyond the limit are closed: 6 of them find room.
async fn turned_away(mut streams: Vec<TcpStream>) {
    closed(streams.split_off(6)).await;
}
