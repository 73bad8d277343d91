//! Bad input and bad manners: refused, bounded, and closed with a code.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use serde_json::json;
use sortie_chat::Settings;
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::revoked::{self, Revocation};
use sqlx::PgPool;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use crate::harness::{Node, eventually, global, settings};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_token_comes_with_the_upgrade_or_in_the_first_frame_in_time(db: PgPool) {
    let quick = Settings { hello_timeout: Duration::from_millis(300), ..settings() };
    let node = Node::start(&AppState::local(db.clone()), quick).await;
    let player = sortie_testing::player(&db, "ann").await;
    let token = sortie_testing::login(&node.app, player).await;
    let mut ann = node.connect(&[]).await.unwrap();
    let hello = ann.ok(json!({ "type": "hello", "token": token })).await;
    assert_eq!(hello["player"], json!({ "player_id": player, "name": "ann" }));
    ann.join(&global()).await;
    for (first, code) in [
        (Some(r#"{"type":"hello","token":"x"}"#), 4004),
        (Some(r#"{"type":"ping"}"#), 4002),
        (Some("garbage"), 4002),
        (None, 4002),
    ] {
        let mut stranger = node.connect(&[]).await.unwrap();
        if let Some(first) = first {
            stranger.send(first).await;
        }
        assert_eq!(stranger.closed().await, code, "{first:?}");
    }
    let refused = node.connect(&[("authorization", "Bearer x")]).await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 401));
    let foreign = node.connect(&[("origin", "https://evil.example")]).await;
    assert!(matches!(foreign, Err(Error::Http(answer)) if answer.status() == 403));
    let own = format!("http://{}", node.address);
    node.connect(&[("origin", &own)]).await.unwrap();
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn garbage_is_answered_and_then_closed(db: PgPool) {
    let node = Node::start(&AppState::local(db), settings()).await;
    let mut ann = node.player("ann").await;
    for (garbage, cid) in [
        ("", json!(null)),
        ("{", json!(null)),
        ("[1]", json!(null)),
        (r#"{"cid":7,"type":"fly"}"#, json!(7)),
        (r#"{"cid":8,"type":"say"}"#, json!(8)),
        (r#"{"cid":9,"type":"ping","pong":true}"#, json!(9)),
        (r#"{"cid":"x","type":"ping"}"#, json!(null)),
    ] {
        ann.send(garbage).await;
        let answer = ann.frame().await;
        assert_eq!(answer["code"], "chat.malformed", "{garbage}");
        assert_eq!(answer["cid"], cid);
    }
    ann.ok(json!({ "type": "ping" })).await;
    ann.join(&global()).await;
    let zalgo = format!("a{}", "\u{301}".repeat(5));
    let tower = "x\n".repeat(10) + "x";
    for text in
        ["", " ", "a\u{0}b", "\u{202e}\u{200b}", "\u{3164}", &zalgo, &tower, &"x".repeat(501)]
    {
        let say = json!({ "type": "say", "channel": global(), "text": text });
        assert_eq!(ann.refused(say).await, "chat.text");
    }
    for _ in 0..8 {
        ann.send("garbage").await;
    }
    assert_eq!(ann.closed().await, 4000);
    let mut bob = node.player("bob").await;
    bob.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(bob.closed().await, 1003);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn oversized_frames_close_the_socket(db: PgPool) {
    let node = Node::start(&AppState::local(db), settings()).await;
    let mut ann = node.player("ann").await;
    let ping = |bytes: usize| {
        let bare = r#"{"cid":1,"type":"ping"}"#.len();
        format!(r#"{{"cid":1,"type":"ping"{}}}"#, " ".repeat(bytes - bare))
    };
    ann.send(&ping(4_096)).await;
    assert_eq!(ann.answer(1).await["type"], "ok");
    ann.send(&ping(4_097)).await;
    assert_eq!(ann.closed().await, 1009);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn floods_are_refused_by_kind_and_closed_as_a_whole(db: PgPool) {
    let mut limited = settings();
    limited.rates.say = Rate::per(3, Duration::from_secs(3_600));
    limited.rates.frames = Rate::per(50, Duration::from_secs(3_600));
    let node = Node::start(&AppState::local(db), limited).await;
    let mut ann = node.player("ann").await;
    ann.join(&global()).await;
    for n in 0..3 {
        ann.say(&global(), &n.to_string()).await;
    }
    let say = json!({ "type": "say", "channel": global(), "text": "x" });
    let answer = ann.ask(say.clone()).await;
    assert_eq!(answer["code"], "chat.rate_limited");
    assert!(answer["retry_after_ms"].as_u64() > Some(1_000_000), "{answer}");
    let mut again = node.client(ann.player).await;
    again.join(&global()).await;
    assert_eq!(again.refused(say).await, "chat.rate_limited", "the player's, not the socket's");
    for _ in 0..50 {
        again.start(json!({ "type": "ping" })).await;
    }
    assert_eq!(again.closed().await, 4029);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_slow_reader_is_closed_and_the_others_go_on(db: PgPool) {
    let node = Node::start(&AppState::local(db.clone()), settings()).await;
    let (mut slow, mut ann) = (node.player("slow").await, node.player("ann").await);
    for client in [&mut slow, &mut ann] {
        client.join(&global()).await;
    }
    // As from another node: much more than the kernel keeps for one who does not read.
    let channel = Uuid::parse_str("00000000-0000-7000-8000-000000000001").unwrap();
    let text = "🙂".repeat(500);
    for _ in 0..400 {
        let changes: Vec<_> = (0..20)
            .map(|_| {
                let line = json!({
                    "message_id": Uuid::now_v7(), "author": ann.player, "name": "ann",
                    "text": text, "said_at": "2026-01-01T00:00:00Z", "edited_at": null,
                    "is_deleted": false,
                });
                json!({ "place": ["global", ""], "change": { "said": line } })
            })
            .collect();
        let parcel = json!({ "node": Uuid::from_u128(1), "changes": changes });
        let body = Bytes::from(parcel.to_string());
        node.app.bus.topics.publish(&format!("chat/{channel}"), body).await.unwrap();
        for _ in 0..20 {
            ann.hear().await;
        }
    }
    assert_eq!(slow.closed().await, 4008);
    ann.say(&global(), "still here").await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_oldest_of_too_many_sockets_is_closed(db: PgPool) {
    let two = Settings { per_player_max: 2, ..settings() };
    let node = Node::start(&AppState::local(db), two).await;
    let mut first = node.player("ann").await;
    let mut second = node.client(first.player).await;
    let _third = node.client(first.player).await;
    assert_eq!(first.closed().await, 4009);
    second.ok(json!({ "type": "ping" })).await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_revocation_closes_within_a_second(db: PgPool) {
    let calm = Settings { refresh_every: Duration::from_secs(3_600), ..settings() };
    let node = Node::start(&AppState::local(db), calm).await;
    for (scope, code) in [("login", 4001), ("chat", 4003)] {
        let mut ann = node.player(&format!("ann {scope}")).await;
        let mut bob = node.player(&format!("bob {scope}")).await;
        ann.ok(json!({ "type": "ping" })).await;
        let revocation = Revocation {
            player_id: ann.player,
            session_id: None,
            scope: scope.to_owned(),
            why: "banned".to_owned(),
        };
        let since = Instant::now();
        revoked::tell(&node.app.bus, &revocation).await.unwrap();
        let closed = timeout(Duration::from_secs(1), ann.closed()).await;
        assert_eq!(closed.expect("closed within a second"), code);
        assert!(since.elapsed() < Duration::from_secs(1));
        bob.ok(json!({ "type": "ping" })).await;
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn bans_keep_out_and_are_found_without_the_bus(db: PgPool) {
    let node = Node::start(&AppState::local(db.clone()), settings()).await;
    let mut ann = node.player("ann").await;
    ann.ok(json!({ "type": "ping" })).await;
    let ban = "insert into ban (ban_id, player_id, scope, reason) values ($1, $2, 'chat', 'rude')";
    sqlx::query(ban).bind(Uuid::now_v7()).bind(ann.player).execute(&db).await.unwrap();
    assert_eq!(ann.closed().await, 4003);
    let refused = node.try_client(ann.player).await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 403));
    let mut later = node.connect(&[]).await.unwrap();
    let token = sortie_testing::login(&node.app, ann.player).await;
    let hello = json!({ "type": "hello", "token": token });
    assert_eq!(later.refused(hello).await, "chat.banned");
    assert_eq!(later.closed().await, 4003);
    sqlx::query("update ban set lifted_at = now()").execute(&db).await.unwrap();
    eventually("the ban is lifted", async || node.try_client(ann.player).await.is_ok()).await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn sockets_of_logins_that_are_gone_are_found_without_the_bus(db: PgPool) {
    let node = Node::start(&AppState::local(db.clone()), settings()).await;
    for (name, end) in [
        ("ann", "delete from personal.login_session where player_id = $1"),
        ("bob", "update personal.login_session set revoked_at = now() where player_id = $1"),
        ("cat", "update personal.login_session set expires_at = now() where player_id = $1"),
    ] {
        let mut client = node.player(name).await;
        client.ok(json!({ "type": "ping" })).await;
        sqlx::query(end).bind(client.player).execute(&db).await.unwrap();
        assert_eq!(client.closed().await, 4001, "{name}");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_node_that_stops_says_goodbye(db: PgPool) {
    let node = Node::start(&AppState::local(db), settings()).await;
    let mut ann = node.player("ann").await;
    ann.ok(json!({ "type": "ping" })).await;
    node.stop();
    assert_eq!(ann.closed().await, 1001);
}
