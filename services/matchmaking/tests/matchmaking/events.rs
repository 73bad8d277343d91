//! A ticket as a stream: what it says, how many there may be, and when it ends.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use sortie_control::store::MIGRATOR;
use sortie_matchmaking::Settings;
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{Node, queue};

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

/// What a stream says, an event or a comment at a time.
struct Events {
    body: Pin<Box<dyn Stream<Item = Result<Bytes, axum::Error>> + Send>>,
    read: String,
}

impl Events {
    async fn open(node: &Node, player: Uuid, ticket: &str) -> Self {
        let token = sortie_testing::token(&node.app, player);
        Self::open_as(node, &token, &format!("{}/events", path(ticket))).await.unwrap()
    }

    /// Status and code where it is refused.
    async fn open_as(node: &Node, token: &str, path: &str) -> Result<Self, (u16, String)> {
        let answer = node.get(token, path).await;
        let status = answer.status();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let body = answer.into_body();
        if !status.is_success() {
            let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let code = body["error"]["code"].as_str().unwrap();
            return Err((status.as_u16(), code.to_owned()));
        }
        assert_eq!(kind, "text/event-stream");
        Ok(Self { body: Box::pin(body.into_data_stream()), read: String::new() })
    }

    /// The next event or comment, whole; `None`: the stream has ended.
    async fn next(&mut self) -> Option<String> {
        let told = async {
            loop {
                if let Some((told, rest)) = self.read.split_once("\n\n") {
                    let (told, rest) = (told.to_owned(), rest.to_owned());
                    self.read = rest;
                    return Some(told);
                }
                let bytes = self.body.next().await?.unwrap();
                self.read += std::str::from_utf8(&bytes).unwrap();
            }
        };
        tokio::time::timeout(SOON, told).await.expect("in time")
    }

    /// The ticket of the next event; comments before it are passed by.
    async fn ticket(&mut self) -> Value {
        loop {
            let told = self.next().await.expect("the stream goes on");
            if told.starts_with(':') {
                continue;
            }
            let data = told.strip_prefix("event: ticket\ndata: ").expect(&told);
            return serde_json::from_str(data).unwrap();
        }
    }

    /// Comments may come before the end, and nothing else.
    async fn ends(&mut self) {
        while let Some(told) = self.next().await {
            assert!(told.starts_with(':'), "{told}");
        }
    }
}

fn path(ticket: &str) -> String {
    format!("/v1/matchmaking/tickets/{ticket}")
}

/// A node that looks at watched tickets all the time, and has a stream say something as often.
fn watching(db: &PgPool, change: impl FnOnce(&mut Settings)) -> Node {
    let asking = sortie_matchmaking::Queue {
        ready_check_s: Some(60),
        team_max: 1,
        players_max: 2,
        ..queue("duel")
    };
    Node::with_watch(db, vec![asking], |settings| {
        settings.pace.look_period = Duration::from_millis(5);
        settings.pace.stream_beat = Duration::from_millis(5);
        change(settings);
    })
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_stream_tells_of_every_change_and_ends_with_the_ticket(db: PgPool) {
    let node = watching(&db, |_| {});
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let ticket = node.wait_in(ada, "duel").await;
    let mut events = Events::open(&node, ada, &ticket).await;
    let first = events.ticket().await;
    assert_eq!((&first["state"], &first["position"]), (&json!("waiting"), &json!(1)));
    let beat = events.next().await.expect("it goes on");
    assert_eq!(beat, ": still here", "nothing has happened");

    node.wait_in(bob, "duel").await;
    assert_eq!(node.pass().await.matches, 1);
    let asked = events.ticket().await;
    assert_eq!((&asked["state"], &asked["proposal"]["accepted"]), (&json!("proposed"), &json!(0)));
    let match_id = asked["proposal"]["match_id"].as_str().unwrap().to_owned();
    let answer = format!("/v1/matchmaking/proposals/{match_id}/answer");
    let yes = || Some(json!({ "accept": true }));
    node.ok(bob, "POST", &answer, yes()).await;
    assert_eq!(events.ticket().await["proposal"]["accepted"], 1, "another one is there");
    node.ok(ada, "POST", &answer, yes()).await;
    let last = events.ticket().await;
    assert_eq!(last["state"], "matched");
    assert!(last["battle_id"].is_string());
    events.ends().await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_ticket_that_is_watched_does_not_run_out(db: PgPool) {
    let node = watching(&db, |_| {});
    let [ada] = node.players(["Ada"]).await;
    let ticket = node.wait_in(ada, "duel").await;
    let mut events = Events::open(&node, ada, &ticket).await;
    events.ticket().await;
    for _ in 0..6 {
        node.wait_s(16);
        // What is said after the clock was put ahead was read after it, too, but for one beat.
        for _ in 0..2 {
            events.next().await.expect("it goes on");
        }
        node.clean_up().await;
    }
    assert_eq!(node.count("select count(*) from ticket where state = 'waiting'").await, 1);
    drop(events);
    node.wait_s(31);
    node.clean_up().await;
    assert_eq!(node.count("select count(*) from ticket where state = 'expired'").await, 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_ticket_that_ends_by_another_node_ends_the_stream(db: PgPool) {
    let (node, other) = (watching(&db, |_| {}), Node::new(&db, vec![queue("duel")]));
    let [ada] = node.players(["Ada"]).await;
    let ticket = node.wait_in(ada, "duel").await;
    let mut events = Events::open(&node, ada, &ticket).await;
    events.ticket().await;
    other.ok(ada, "DELETE", &path(&ticket), None).await;
    assert_eq!(events.ticket().await["state"], "cancelled");
    events.ends().await;
    // Of one that has ended there is one thing to tell.
    let mut late = Events::open(&node, ada, &ticket).await;
    assert_eq!(late.ticket().await["state"], "cancelled");
    late.ends().await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_database_that_is_away_ends_no_stream_and_a_node_that_closes_does(db: PgPool) {
    let (node, other) = (watching(&db, |_| {}), Node::new(&db, vec![queue("duel")]));
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let ticket = node.wait_in(ada, "duel").await;
    let mut events = Events::open(&node, ada, &ticket).await;
    events.ticket().await;
    sqlx::query("alter table ticket rename to ticket_away").execute(&db).await.unwrap();
    for _ in 0..5 {
        assert_eq!(events.next().await.as_deref(), Some(": still here"));
    }
    sqlx::query("alter table ticket_away rename to ticket").execute(&db).await.unwrap();
    other.ok(ada, "DELETE", &path(&ticket), None).await;
    assert_eq!(events.ticket().await["state"], "cancelled");
    events.ends().await;

    let ticket = node.wait_in(bob, "duel").await;
    let mut events = Events::open(&node, bob, &ticket).await;
    events.ticket().await;
    // Jobs go on: the stream ends for the calls' sake.
    node.stopper.close();
    events.ends().await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn streams_are_bounded_and_give_their_places_back(db: PgPool) {
    let node = watching(&db, |settings| settings.pace.streams_max = 3);
    let players = node.players(["Ada", "Bob", "Eve"]).await;
    let mut tickets = Vec::new();
    for player in players {
        tickets.push(node.wait_in(player, "duel").await);
    }
    let [ada, bob, eve] = players;
    let open = async |player: Uuid, ticket: &str| {
        let token = sortie_testing::token(&node.app, player);
        Events::open_as(&node, &token, &format!("{}/events", path(ticket))).await
    };
    let first = open(ada, &tickets[0]).await.ok().unwrap();
    let second = open(ada, &tickets[0]).await.ok().unwrap();
    let refused = open(ada, &tickets[0]).await.err().unwrap();
    assert_eq!(refused, (429, "matchmaking.too_many_streams".to_owned()));
    let third = open(bob, &tickets[1]).await.ok().unwrap();
    let refused = open(eve, &tickets[2]).await.err().unwrap();
    assert_eq!(refused, (503, "matchmaking.streams_full".to_owned()));
    drop((first, third));
    let _again = open(eve, &tickets[2]).await.ok().unwrap();
    let _more = open(ada, &tickets[0]).await.ok().unwrap();
    drop(second);
    let refused = open(eve, &tickets[0]).await.err().unwrap();
    assert_eq!(refused, (404, "matchmaking.unknown_ticket".to_owned()), "another's");
    let token = sortie_testing::token(&node.app, ada);
    for for_s in [0, 301] {
        let path = format!("{}/events?for_s={for_s}", path(&tickets[0]));
        let refused = Events::open_as(&node, &token, &path).await.err().unwrap();
        assert_eq!(refused, (422, "request.fields".to_owned()));
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_login_that_has_ended_hears_no_more_and_a_time_that_is_over_ends_it(db: PgPool) {
    let node = watching(&db, |_| {});
    let [ada] = node.players(["Ada"]).await;
    let ticket = node.wait_in(ada, "duel").await;
    let path = format!("{}/events", path(&ticket));
    let token = sortie_testing::token(&node.app, ada);
    let mut heard = Events::open_as(&node, &token, &path).await.ok().unwrap();
    heard.ticket().await;
    let path_for_s = format!("{path}?for_s=1");
    let mut short = Events::open_as(&node, &token, &path_for_s).await.ok().unwrap();
    short.ticket().await;
    short.ends().await;
    // The access token is good for minutes: the stream, which reads the clock, ends with it.
    node.app.clock.advance(time::Duration::hours(1));
    heard.ends().await;
    let state = node.count("select count(*) from ticket where state = 'waiting'").await;
    assert_eq!(state, 1, "the ticket goes on");
}
