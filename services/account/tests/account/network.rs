//! What only a listener knows: addresses of clients, and who says so.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use sortie_account::settings::{Limits, Settings};
use sortie_control::bus::Rate;
use sortie_control::http::{HttpOptions, serve};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Api, Login, PASSWORD, is_refused, settings};

/// A wrong login over TCP with an `X-Forwarded-For`; gives the whole answer.
async fn guess(port: u16, forwarded: &str, login: &str) -> String {
    let body = format!(r#"{{"login":"{login}","password":"a wrong guess"}}"#);
    let request = format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
        content-type: application/json\r\nx-forwarded-for: {forwarded}\r\n\
        content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn status(answer: &str) -> u16 {
    answer.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Statuses of five guesses at different names, each with another forwarded address.
async fn five_guesses(db: PgPool, trusted_proxies: Vec<IpAddr>) -> (Vec<u16>, String) {
    let limits = Limits { logins: Some(Rate::per(3, Duration::from_secs(60))), ..Limits::NONE };
    let api = Api::with(db, Settings { limits, ..settings() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let options = HttpOptions { trusted_proxies, ..HttpOptions::default() };
    let stop = async { drop(ended.await) };
    let server = serve(listener, api.router.clone(), api.app.bus.clone(), options, stop);
    let server = tokio::spawn(server);
    let (mut statuses, mut last) = (Vec::new(), String::new());
    for at in 0..5 {
        last = guess(port, &format!("203.0.113.{at}"), &format!("Name {at}")).await;
        statuses.push(status(&last));
    }
    end.send(()).unwrap();
    server.await.unwrap();
    (statuses, last)
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_spoofed_forwarded_address_buys_no_guess(db: PgPool) {
    let (statuses, last) = five_guesses(db, Vec::new()).await;
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let lower = last.to_lowercase();
    let wait = lower.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((1..=60).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    assert!(last.contains("request.rate_limited"));
}

/// Sixty-four players behind one router: each signs up, logs in, and refreshes.
async fn party(db: PgPool, limits: Limits) -> u16 {
    let api = Api::with(db, Settings { limits, ..settings() });
    for at in 0..64 {
        let name = format!("Player {at}");
        let email = format!("p{at}@example.org");
        let body = json!({ "name": name, "email": email, "password": PASSWORD });
        let (status, body) = api.post("/v1/accounts", body).await;
        if status != StatusCode::CREATED {
            return status.as_u16();
        }
        let login = Login::of(&body);
        for (status, _) in [api.refresh(&login.refresh).await, api.log_in(&name, PASSWORD).await] {
            if !status.is_success() {
                return status.as_u16();
            }
        }
    }
    200
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_lan_party_gets_in_where_the_operator_expects_it(db: PgPool) {
    assert_eq!(party(db, Limits::default().for_players(64)).await, 200);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_lan_party_is_too_much_where_nobody_expects_it(db: PgPool) {
    assert_eq!(party(db, Limits::default()).await, 429);
    let many = HttpOptions::default().for_players(64);
    assert_eq!((many.per_address_max, many.calls.unwrap().burst), (1_024, 800));
    let few = HttpOptions::default().for_players(3);
    assert_eq!((few.per_address_max, few.calls.unwrap().burst), (256, 200));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_trusted_proxy_tells_clients_apart(db: PgPool) {
    let (statuses, _) = five_guesses(db, vec![IpAddr::from([127, 0, 0, 1])]).await;
    assert_eq!(statuses, [401; 5]);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_a_database_logins_are_refused_for_now(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    api.db.close().await;
    is_refused(api.log_in("Ada", "any password").await, 503, "store.unavailable");
    is_refused(api.refresh(&ada.refresh).await, 503, "store.unavailable");
    is_refused(api.me(&ada.access).await, 503, "store.unavailable");
}
