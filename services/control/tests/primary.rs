//! A database that takes no writes any more, and a pooler that drops what sessions are started
//! with: a Postgres of its own, because both are settings of the whole of it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sortie_control::error::ApiError;
use sortie_control::store;
use sortie_private_postgres::PrivateCluster;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

const WITHIN: Duration = Duration::from_secs(5);
const WRITE: &str = "insert into flag (flag, value) values ('a.flag', 'true')
    on conflict (flag) do update set changed_at = now()";

fn data_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    dir
}

async fn connect(cluster: &PrivateCluster) -> PgConnection {
    cluster.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

/// All sessions take no writes from now on, also those that are there; or do again.
async fn set_read_only(admin: &mut PgConnection, is_on: bool) {
    let value = if is_on { "on" } else { "off" };
    let alter = format!("alter system set default_transaction_read_only = {value}");
    for statement in ["set default_transaction_read_only = off", &alter, "select pg_reload_conf()"]
    {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *admin).await.unwrap();
    }
}

async fn pid(db: &mut PgConnection) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(db).await.unwrap()
}

/// Waits for it, and gives how long that took.
async fn takes(what: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !what().await {
        assert!(began.elapsed() < WITHIN, "not within {WITHIN:?}");
        tokio::task::yield_now().await;
    }
    began.elapsed()
}

#[tokio::test]
async fn a_demoted_primary_is_503_and_its_connections_are_dropped() {
    let dir = data_dir();
    let cluster = PrivateCluster::start(dir.path()).await.unwrap();
    let db = store::pool(&cluster.url(), 4).unwrap();
    store::migrate(&db).await.unwrap();
    store::require_writable(&db).await.unwrap();
    let mut held = db.acquire().await.unwrap();
    let old = pid(&mut held).await;
    let mut admin = connect(&cluster).await;
    set_read_only(&mut admin, true).await;
    let write = async |db: &PgPool| sqlx::query(WRITE).execute(db).await.map_err(ApiError::from);
    takes(async || write(&db).await.is_err()).await;

    // On a connection that somebody has, and on another.
    takes(async || store::require_writable(&db).await.is_err()).await;
    let refused = sqlx::query(WRITE).execute(&mut *held).await.map_err(ApiError::from);
    for refused in [refused.unwrap_err(), write(&db).await.unwrap_err()] {
        let told = (refused.status(), refused.code());
        assert_eq!(told, (StatusCode::SERVICE_UNAVAILABLE, "store.unavailable"));
    }
    let why = store::require_writable(&db).await.unwrap_err().to_string();
    assert!(why.contains("takes no writes"), "{why}");
    drop(held);
    for _ in 0..8 {
        let mut next = db.acquire().await.unwrap();
        assert_ne!(pid(&mut next).await, old, "a connection to the old primary is used again");
    }

    set_read_only(&mut admin, false).await;
    let healed = takes(async || write(&db).await.is_ok()).await;
    println!("writes again after {healed:?}");
    store::require_writable(&db).await.unwrap();
    db.close().await;
}

/// Stands between: drops the startup option `options`, hands on all else.
async fn pooler(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(hand_on(client, socket.clone()));
        }
    });
    port
}

async fn hand_on(mut client: TcpStream, socket: PathBuf) -> std::io::Result<()> {
    let mut server = UnixStream::connect(socket).await?;
    loop {
        let mut message = vec![0; client.read_u32().await? as usize - 4];
        client.read_exact(&mut message).await?;
        // A request for TLS comes first: there is none.
        if message == 80_877_103_u32.to_be_bytes() {
            client.write_all(b"N").await?;
            continue;
        }
        let (version, texts) = message.split_at(4);
        let texts: Vec<&[u8]> = texts.split(|&byte| byte == 0).collect();
        let mut kept = version.to_vec();
        for pair in texts.chunks_exact(2).filter(|pair| !pair[0].is_empty()) {
            if pair[0] != b"options" {
                pair.iter().for_each(|text| kept.extend([text, &b"\0"[..]].concat()));
            }
        }
        kept.push(0);
        server.write_u32(kept.len() as u32 + 4).await?;
        server.write_all(&kept).await?;
        break;
    }
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

#[tokio::test]
async fn a_pooler_that_drops_our_settings_is_refused_in_words() {
    let dir = data_dir();
    let cluster = PrivateCluster::start(dir.path()).await.unwrap();
    let direct = store::pool(&cluster.url(), 2).unwrap();
    store::migrate(&direct).await.unwrap();
    store::require_direct(&direct).await.unwrap();
    let socket = dir.path().canonicalize().unwrap().join("postgres/.s.PGSQL.5432");
    let port = pooler(socket).await;
    let pooled = format!("postgres://sortie@127.0.0.1:{port}/sortie");
    let pooled = store::pool(&pooled, 2).unwrap();
    assert!(sqlx::query("select 1").execute(&pooled).await.is_err(), "nothing is done over it");
    let why = store::require_writable(&pooled).await.unwrap_err();
    assert!(why.is::<store::PoolerError>(), "{why:?}");
    let why = why.to_string();
    assert!(why.contains("statement_timeout is 0") && why.contains("session mode"), "{why}");
    direct.close().await;
}
