//! Who may read, say and change what.

use axum::http::{Method, StatusCode};
use serde_json::json;
use sortie_chat::service;
use sortie_control::app::AppState;
use sortie_control::service::stop;
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::{Node, eventually, global, settings};

async fn node(db: &PgPool) -> Node {
    Node::start(&AppState::local(db.clone()), settings()).await
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn authors_change_their_messages_and_moderators_any_with_an_audit_row(db: PgPool) {
    let node = node(&db).await;
    let (mut ann, mut bob) = (node.player("ann").await, node.player("bob").await);
    let staff = sortie_testing::player(&db, "mod").await;
    sortie_testing::grant(&db, staff, "moderator").await;
    let mut staff = node.client(staff).await;
    bob.join(&global()).await;
    ann.join(&global()).await;
    let message_id = ann.say(&global(), "helo").await["message_id"].clone();
    assert_eq!(bob.hear().await, "helo");
    let edit = json!({ "type": "edit", "message_id": message_id, "text": "hello" });
    assert_eq!(bob.refused(edit.clone()).await, "chat.not_author");
    assert_eq!(ann.ok(edit).await["message"]["text"], "hello");
    let event = bob.event().await;
    assert_eq!((&event["type"], &event["message"]["text"]), (&json!("edited"), &json!("hello")));
    let delete = json!({ "type": "delete", "message_id": message_id });
    assert_eq!(bob.refused(delete.clone()).await, "chat.not_author");
    staff.ok(delete.clone()).await;
    let expected = json!({ "type": "deleted", "channel": global(), "message_id": message_id });
    assert_eq!(bob.event().await, expected);
    assert_eq!(ann.refused(delete).await, "chat.no_message");
    let history = bob.ok(json!({ "type": "history", "channel": global() })).await;
    let last = &history["page"]["items"][0];
    assert_eq!((&last["text"], &last["is_deleted"]), (&json!(""), &json!(true)));
    let acts: Vec<String> =
        sqlx::query_scalar("select action from audit").fetch_all(&db).await.unwrap();
    assert_eq!(acts, ["chat.delete"], "only what was done to others");
    // The log is never changed: a text in it could not be erased with its author.
    let message_id = ann.say(&global(), "canary of ann").await["message_id"].clone();
    let edit = json!({ "type": "edit", "message_id": message_id, "text": "canary of staff" });
    staff.ok(edit).await;
    staff.ok(json!({ "type": "delete", "message_id": message_id })).await;
    let rows: Vec<String> =
        sqlx::query_scalar("select audit::text from audit").fetch_all(&db).await.unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| !row.contains("canary")), "{rows:?}");
    assert!(rows[1].contains("chars") && rows[1].contains(&ann.player.to_string()), "{rows:?}");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_muted_are_not_heard_and_reports_are_kept_once(db: PgPool) {
    let node = node(&db).await;
    let (mut ann, mut bob) = (node.player("ann").await, node.player("bob").await);
    for client in [&mut ann, &mut bob] {
        client.join(&global()).await;
    }
    let message = ann.say(&global(), "rude").await;
    assert_eq!(bob.hear().await, "rude");
    let report =
        json!({ "type": "report", "message_id": message["message_id"], "text": "was rude" });
    bob.ok(report.clone()).await;
    assert_eq!(bob.refused(report.clone()).await, "chat.reported_already");
    assert_eq!(ann.refused(report).await, "chat.yourself");
    let mute = json!({ "type": "mute", "player_id": ann.player });
    bob.ok(mute.clone()).await;
    bob.ok(mute.clone()).await;
    assert_eq!(ann.refused(mute).await, "chat.yourself");
    let nobody = json!({ "type": "mute", "player_id": Uuid::from_u128(1) });
    assert_eq!(bob.refused(nobody).await, "chat.no_player");
    ann.say(&global(), "ruder").await;
    bob.assert_quiet().await;
    let mut again = node.client(bob.player).await;
    again.join(&global()).await;
    ann.say(&global(), "rudest").await;
    for client in [&mut bob, &mut again] {
        client.assert_quiet().await;
    }
    bob.ok(json!({ "type": "unmute", "player_id": ann.player })).await;
    ann.say(&global(), "sorry").await;
    assert_eq!(bob.hear().await, "sorry");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn words_and_slow_mode_are_data(db: PgPool) {
    let node = node(&db).await;
    let mut ann = node.player("ann").await;
    ann.join(&global()).await;
    let words = "insert into chat_word values ('darn', 'mask'), ('foul', 'refuse')";
    sqlx::query(words).execute(&db).await.unwrap();
    let masked = async || ann.say(&global(), "oh Darn").await["text"] == "oh ****";
    eventually("the filter knows the words", masked).await;
    // Other letters, and letters between that nobody sees, do not help.
    for text in ["d\u{430}rn", "d\u{200b}a\u{ad}rn", "\u{202e}DARN", "ｄａｒｎ"] {
        assert_eq!(ann.say(&global(), text).await["text"], "****", "{}", text.escape_unicode());
    }
    assert_eq!(ann.say(&global(), "Darnell of Scunthorpe").await["text"], "Darnell of Scunthorpe");
    let foul = json!({ "type": "say", "channel": global(), "text": "Foul!" });
    assert_eq!(ann.refused(foul).await, "chat.word");
    let slow = "update chat_channel set slow_mode_s = 3600 where kind = 'global'";
    sqlx::query(slow).execute(&db).await.unwrap();
    let say = json!({ "type": "say", "channel": global(), "text": "again" });
    let slowed = async || {
        let answer = ann.ask(say.clone()).await;
        answer["code"] == "chat.slow_mode" && answer["retry_after_ms"].as_u64() > Some(3_000_000)
    };
    eventually("the channel is slow", slowed).await;
}

async fn battle(db: &PgPool, players: &[(Uuid, i16)]) -> Uuid {
    let battle = Uuid::now_v7();
    let make = "insert into battle (battle_id, mode, map, is_ranked, players_max)
        values ($1, 'conquest', 'm', false, 8)";
    sqlx::query(make).bind(battle).execute(db).await.unwrap();
    for (player, team) in players {
        let join = "insert into battle_player (battle_id, player_id, team) values ($1, $2, $3)";
        sqlx::query(join).bind(battle).bind(player).bind(team).execute(db).await.unwrap();
    }
    battle
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn channels_of_battles_and_parties_are_for_their_members(db: PgPool) {
    let node = node(&db).await;
    let (mut ann, mut bob) = (node.player("ann").await, node.player("bob").await);
    let battle = battle(&db, &[(ann.player, 0), (bob.player, 1)]).await;
    let party = Uuid::now_v7();
    let make = "insert into party (party_id, leader, code) values ($1, $2, 'ABCDEF')";
    sqlx::query(make).bind(party).bind(ann.player).execute(&db).await.unwrap();
    let enter = "insert into party_member (player_id, party_id) values ($1, $2)";
    sqlx::query(enter).bind(ann.player).bind(party).execute(&db).await.unwrap();
    let channel = |kind: &str, about: String| json!({ "kind": kind, "about": about });
    for (channel, may_bob) in [
        (channel("battle", battle.to_string()), true),
        (channel("team", format!("{battle}.0")), false),
        (channel("squad", format!("{battle}.0.3")), false),
        (channel("party", party.to_string()), false),
    ] {
        ann.join(&channel).await;
        let join = json!({ "type": "join", "channel": channel });
        let history = json!({ "type": "history", "channel": channel });
        if may_bob {
            bob.ok(join).await;
            ann.say(&channel, "for all").await;
            assert_eq!(bob.hear().await, "for all");
        } else {
            assert_eq!(bob.refused(join).await, "chat.no_access");
            assert_eq!(bob.refused(history).await, "chat.no_access");
            let say = json!({ "type": "say", "channel": channel, "text": "x" });
            assert_eq!(bob.refused(say).await, "chat.not_joined");
            let secret = ann.say(&channel, "not for bob").await["message_id"].clone();
            let report = json!({ "type": "report", "message_id": secret });
            assert_eq!(bob.refused(report).await, "chat.no_message");
        }
        ann.hear().await;
    }
    bob.assert_quiet().await;
    sqlx::query("delete from party_member").execute(&db).await.unwrap();
    let left = ann.event().await;
    assert_eq!((&left["type"], &left["channel"]["kind"]), (&json!("left"), &json!("party")));
    for bad in ["battle", "squad", "whisper"] {
        let join = json!({ "type": "join", "channel": channel(bad, "x".to_owned()) });
        assert_eq!(ann.refused(join).await, "chat.channel");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn history_comes_in_pages_over_rest_too(db: PgPool) {
    let app = AppState::local(db.clone());
    let node = Node::start(&app, settings()).await;
    let mut ann = node.player("ann").await;
    ann.join(&global()).await;
    for n in 0..5 {
        ann.say(&global(), &n.to_string()).await;
    }
    let (_stopper, stop) = stop();
    let (router, _) = service(&app, settings(), &stop).routes.split_for_parts();
    let token = sortie_testing::token(&app, ann.player);
    let mut path = "/v1/chat/channels/global/-/messages?limit=2".to_owned();
    let mut texts = Vec::new();
    loop {
        let (status, page) =
            sortie_testing::call(&router, Method::GET, &path, Some(&token), None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        for message in page["items"].as_array().unwrap() {
            texts.push(message["text"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/chat/channels/global/-/messages?limit=2&cursor={cursor}");
    }
    assert_eq!(texts, ["4", "3", "2", "1", "0"]);
    for (path, token, expected) in [
        ("/v1/chat/channels/global/-/messages", None, StatusCode::UNAUTHORIZED),
        (
            "/v1/chat/channels/global/-/messages?limit=0",
            Some(&token),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("/v1/chat/channels/global/x/messages", Some(&token), StatusCode::NOT_FOUND),
        ("/v1/chat/channels/none/-/messages", Some(&token), StatusCode::BAD_REQUEST),
        ("/v1/chat", Some(&token), StatusCode::BAD_REQUEST),
    ] {
        let token = token.map(String::as_str);
        let (status, body) = sortie_testing::call(&router, Method::GET, path, token, None).await;
        assert_eq!(status, expected, "{path} {body}");
    }
}
