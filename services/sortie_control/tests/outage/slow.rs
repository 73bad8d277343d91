//! Clients that are slow or send too much are ended in bounded time and memory, while others are
//! served.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sortie_rpc::game::v1::ListBattlesRequest;
use sortie_rpc::game::v1::game_client::GameClient;
use sqlx::{ConnectOptions, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::common::process::serve;
use crate::rest::Api;

/// Nobody is kept longer: the longest limit is 30 s, and other tests may have the cores.
const ENDED_WITHIN: Duration = Duration::from_secs(90);

/// A good client's call, while all others misbehave.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// What all of it may cost.
const MEMORY_MAX: usize = 256 << 20;

/// Between two bytes of a slow client.
const BYTE_EVERY: Duration = Duration::from_millis(200);

/// Of a refused body, what the client can be rid of: buffers of two kernels hold most of it.
const TAKEN_MAX: usize = 64 << 20;

/// A connection from another address of this machine.
pub(crate) async fn connect(to: &Value, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to.as_str().unwrap().parse().unwrap()).await
}

/// Reads to the end, whether that is orderly or not.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let (mut all, mut part) = (Vec::new(), [0; 4_096]);
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        all.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// A figure of a process in bytes.
pub(crate) fn memory(process: u32, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib: usize = line.unwrap().trim_end_matches(" kB").trim().parse().unwrap();
    kib << 10
}

/// Sends, then a byte at a time until the other side ends it; gives what it said.
async fn dribble(mut stream: TcpStream, beginning: String) -> String {
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let writing = async {
        let mut bytes = interval(BYTE_EVERY);
        loop {
            bytes.tick().await;
            if writer.write_all(b"a").await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    tokio::select! {
        // A reset is an end, too.
        _ = reader.read_to_end(&mut answer) => {}
        () = writing => {}
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends without an end; gives what was answered, and how much went out.
async fn pour(mut stream: TcpStream, beginning: &str, part: &[u8]) -> (String, usize) {
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let mut sent = 0;
    while sent < TAKEN_MAX && stream.write_all(part).await.is_ok() {
        sent += part.len();
    }
    (read_to_end(&mut stream).await, sent)
}

/// Asks again and again and reads nothing, until the other side has enough.
async fn ask_and_never_read(mut stream: TcpStream) {
    let call = b"GET /v1/openapi.json HTTP/1.1\r\nhost: here\r\n\r\n";
    while stream.write_all(call).await.is_ok() {}
}

/// Takes the first bytes of HTTP/2, and is silent.
async fn be_silent(mut stream: TcpStream, beginning: &[u8]) {
    stream.write_all(beginning).await.unwrap();
    read_to_end(&mut stream).await;
}

const SIGN_IN: &str =
    "POST /v1/sessions HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n";

const UPGRADE: &str = "GET /v1/chat HTTP/1.1\r\nhost: here\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The client's preface of HTTP/2, and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn slow_and_endless_clients_are_ended_and_others_are_served(db: PgPool) {
    let url = db.connect_options().to_url_lossy().to_string();
    let folder = tempfile::tempdir().unwrap();
    let (node, ready) = serve(&url, folder.path(), &[]).await;
    let before = memory(node.id(), "VmRSS");
    let mut bad = JoinSet::new();
    let mut last = 1;
    // Each from an address of its own: limits by address are not what ends them.
    let mut from = || {
        last += 1;
        [127, 0, 0, last]
    };
    for listener in ["rest", "chat", "admin"] {
        let (to, slow, large, deaf) = (ready[listener].clone(), from(), from(), from());
        let at = to.clone();
        bad.spawn(async move {
            let stream = connect(&at, slow).await.unwrap();
            let answer = dribble(stream, "GET / HTTP/1.1\r\nx-slow: ".to_owned()).await;
            assert!(answer.is_empty() || answer.contains(" 408 "), "{answer}");
        });
        let at = to.clone();
        bad.spawn(async move {
            let stream = connect(&at, large).await.unwrap();
            let (answer, _) = pour(stream, "GET / HTTP/1.1\r\nx-large: ", &[b'a'; 64 << 10]).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        });
        if listener == "rest" {
            bad.spawn(async move { ask_and_never_read(connect(&to, deaf).await.unwrap()).await });
        }
    }
    for listener in ["grpc", "fleet"] {
        for beginning in [&b""[..], &PREFACE[..10], PREFACE] {
            let (to, from) = (ready[listener].clone(), from());
            bad.spawn(async move {
                be_silent(connect(&to, from).await.unwrap(), beginning).await;
            });
        }
    }
    let (to, address) = (ready["rest"].clone(), from());
    bad.spawn(async move {
        let beginning = format!("{SIGN_IN}content-length: 60000\r\n\r\n\"");
        let answer = dribble(connect(&to, address).await.unwrap(), beginning).await;
        let code = "request.too_slow";
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains(code), "{answer}");
    });
    let part = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    let endless = [
        ("content-length: 10737418240", vec![b' '; 64 << 10]),
        ("transfer-encoding: chunked", part),
    ];
    for (length, part) in endless {
        let (to, from) = (ready["rest"].clone(), from());
        bad.spawn(async move {
            let stream = connect(&to, from).await.unwrap();
            let (answer, sent) = pour(stream, &format!("{SIGN_IN}{length}\r\n\r\n"), &part).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{length}: {answer}");
            assert!(answer.contains("request.too_large") && sent < TAKEN_MAX, "{sent}: {answer}");
        });
    }
    // A socket that does not say who it is, and a frame of 10 GB.
    for frame in [&b""[..], b"\x81\xff\0\0\0\x02\x80\0\0\0\0\0\0\0aaaa"] {
        let (to, from) = (ready["chat"].clone(), from());
        bad.spawn(async move {
            let mut stream = connect(&to, from).await.unwrap();
            stream.write_all(UPGRADE.as_bytes()).await.unwrap();
            stream.write_all(frame).await.unwrap();
            let answer = read_to_end(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        });
    }
    let address = format!("http://{}", ready["grpc"].as_str().unwrap());
    bad.spawn(async move {
        let mut client = GameClient::connect(address).await.unwrap();
        let request = ListBattlesRequest { cursor: "a".repeat(8 << 20), ..Default::default() };
        let refused = client.list_battles(request).await.unwrap_err();
        let code = refused.code();
        assert!(matches!(code, tonic::Code::OutOfRange | tonic::Code::Unknown), "{refused}");
    });

    let api = Api::at(&ready["rest"]);
    let good = async {
        let mut calls = interval(Duration::from_millis(500));
        loop {
            calls.tick().await;
            let log_in = json!({ "login": "nobody", "password": "a long password" });
            let answers =
                [api.get("/v1/openapi.json").await, api.post("/v1/sessions", log_in).await];
            for (answer, status) in answers.iter().zip([200, 401]) {
                // Whoever tries one login too often is told to wait.
                assert!(answer.status == status || answer.status == 429, "{answer:?}");
                assert!(answer.took < SERVED_WITHIN, "{:?}", answer.took);
            }
        }
    };
    let began = Instant::now();
    let all = async {
        while let Some(ended) = bad.join_next().await {
            ended.unwrap();
        }
    };
    tokio::select! {
        ended = timeout(ENDED_WITHIN, all) => ended.expect("every bad client is ended"),
        () = good => {}
    }
    let grown = memory(node.id(), "VmHWM").saturating_sub(before);
    assert!(grown < MEMORY_MAX, "{grown} bytes more after {:?}", began.elapsed());
    assert_eq!(node.errors(), Vec::<String>::new(), "rude clients are no error");
}
