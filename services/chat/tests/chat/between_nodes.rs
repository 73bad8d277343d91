//! What one says the others hear, in order, once, wherever they are.

use serde_json::json;
use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::bus::Bus;
use sqlx::PgPool;

use crate::harness::{Node, Redis, eventually, global, settings};

async fn two_nodes(db: &PgPool, redis: &Redis) -> (Node, Node) {
    let keys = AccessKeys::generate();
    let first = AppState::new(db.clone(), redis.bus().await, keys.clone());
    let second = AppState::new(db.clone(), redis.bus().await, keys);
    (Node::start(&first, settings()).await, Node::start(&second, settings()).await)
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn on_two_nodes_all_is_heard_in_order_and_once(db: PgPool) {
    let redis = Redis::start().await;
    let (first, second) = two_nodes(&db, &redis).await;
    all_is_heard(&first, &second).await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn on_one_node_without_redis_all_is_heard_in_order_and_once(db: PgPool) {
    let app = AppState::new(db, Bus::local(), AccessKeys::generate());
    let node = Node::start(&app, settings()).await;
    all_is_heard(&node, &node).await;
}

async fn all_is_heard(first: &Node, second: &Node) {
    const EACH: usize = 50;
    let mut ann = first.player("ann").await;
    let mut bob = second.player("bob").await;
    for client in [&mut ann, &mut bob] {
        client.join(&global()).await;
    }
    for n in 0..EACH {
        for (client, name) in [(&mut ann, "ann"), (&mut bob, "bob")] {
            let text = format!("{name} {n}");
            let say = json!({ "type": "say", "channel": global(), "text": text });
            client.start(say).await;
        }
    }
    let mut ids = Vec::new();
    for client in [&mut ann, &mut bob] {
        for cid in 2..2 + EACH as u64 {
            assert_eq!(client.answer(cid).await["type"], "ok");
        }
        let mut heard = Vec::new();
        for _ in 0..2 * EACH {
            heard.push(client.hear().await);
        }
        for name in ["ann", "bob"] {
            let own: Vec<_> = heard.iter().filter(|text| text.starts_with(name)).collect();
            let expected: Vec<_> = (0..EACH).map(|n| format!("{name} {n}")).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>());
        }
        client.assert_quiet().await;
        let page = json!({ "type": "history", "channel": global(), "limit": 100 });
        let page = client.ok(page).await["page"].clone();
        ids.push(page["items"].as_array().unwrap().clone());
    }
    assert_eq!(ids[0].len(), 2 * EACH);
    assert_eq!(ids[0], ids[1], "the same history everywhere");
    // Whispers need no joining, and reach all sockets of both.
    let (to_bob, to_ann) = (
        json!({ "kind": "whisper", "about": bob.player.to_string() }),
        json!({ "kind": "whisper", "about": ann.player.to_string() }),
    );
    ann.say(&to_bob, "psst").await;
    let heard = bob.event().await;
    assert_eq!(heard["message"]["channel"], to_ann, "{heard}");
    assert_eq!(ann.event().await["message"]["channel"], to_bob);
    // Who is there is known everywhere.
    let presence = ann.ok(json!({ "type": "presence", "channel": global() })).await;
    let names = &presence["presence"]["players"];
    assert_eq!((names[0]["name"].as_str(), names[1]["name"].as_str()), (Some("ann"), Some("bob")));
    bob.ok(json!({ "type": "leave", "channel": global() })).await;
    ann.say(&global(), "bob does not hear this").await;
    ann.hear().await;
    bob.assert_quiet().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_a_node_stores_in_its_last_moments_is_heard_on_the_others(db: PgPool) {
    let keys = AccessKeys::generate();
    let app = AppState::new(db.clone(), Bus::local(), keys);
    let first = Node::start(&app, settings()).await;
    let second = Node::start(&app, settings()).await;
    let (mut ann, mut bob) = (first.player("ann").await, second.player("bob").await);
    for client in [&mut ann, &mut bob] {
        client.join(&global()).await;
    }
    // Nothing can be stored while this is held.
    let mut held = db.begin().await.unwrap();
    sqlx::query("lock table chat_message in share mode").execute(&mut *held).await.unwrap();
    ann.start(json!({ "type": "say", "channel": global(), "text": "last words" })).await;
    let waits = "select count(*) from pg_locks where not granted
        and relation = 'chat_message'::regclass";
    let is_waiting =
        async || sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut *held).await.unwrap() > 0;
    eventually("the message waits to be stored", is_waiting).await;
    first.stop();
    assert_eq!(ann.closed().await, 1001, "the stop has come through");
    held.commit().await.unwrap();
    assert_eq!(bob.hear().await, "last words");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_is_said_while_redis_is_away_is_heard_when_it_is_back(db: PgPool) {
    let mut redis = Redis::start().await;
    let (first, second) = two_nodes(&db, &redis).await;
    let mut ann = first.player("ann").await;
    let mut near = first.player("near").await;
    let mut far = second.player("far").await;
    for client in [&mut ann, &mut near, &mut far] {
        client.join(&global()).await;
    }
    ann.say(&global(), "before").await;
    redis.kill();
    let taken_back = ann.say(&global(), "taken back").await;
    for n in 0..20 {
        ann.say(&global(), &format!("meanwhile {n}")).await;
    }
    let message_id = &taken_back["message_id"];
    ann.ok(json!({ "type": "delete", "message_id": message_id })).await;
    let whisper = json!({ "kind": "whisper", "about": far.player.to_string() });
    ann.say(&whisper, "a whisper").await;
    assert_eq!(near.hear().await, "before");
    assert_eq!(near.hear().await, "taken back", "the own node goes on");
    redis.restart().await;
    // Then again and again until it is heard: the first may fall into the gap, too.
    let (mut heard, mut whispers) = (Vec::new(), 0);
    ann.say(&global(), "after").await;
    while heard.len() < 22 || whispers < 1 {
        let event = far.event().await;
        if event["type"] != "message" {
            continue;
        }
        let text = event["message"]["text"].as_str().unwrap().to_owned();
        if event["message"]["channel"]["kind"] == "whisper" {
            whispers += 1;
        } else {
            heard.push(text);
        }
    }
    let mut expected = vec!["before".to_owned()];
    expected.extend((0..20).map(|n| format!("meanwhile {n}")));
    expected.push("after".to_owned());
    heard.sort();
    expected.sort();
    assert_eq!(heard, expected, "each once, and nothing that was taken back");
}
