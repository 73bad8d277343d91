//! A message that is sent again, because its answer was lost, is said once.

use serde_json::{Value, json};
use sortie_control::app::AppState;
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::{Node, global, settings};

fn say(text: &str, client_id: Uuid) -> Value {
    json!({ "type": "say", "channel": global(), "text": text, "client_id": client_id })
}

/// The same message as `said`; Postgres keeps times in microseconds.
#[track_caller]
fn assert_same(answer: &Value, said: &Value) {
    let of = |message: &Value| (message["message_id"].clone(), message["text"].clone());
    assert_eq!(of(&answer["message"]), of(said), "{answer}");
}

async fn stored(db: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from chat_message").fetch_one(db).await.unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_message_that_is_sent_again_is_said_once(db: PgPool) {
    let node = Node::start(&AppState::local(db.clone()), settings()).await;
    let (mut ann, mut bob) = (node.player("ann").await, node.player("bob").await);
    for client in [&mut ann, &mut bob] {
        client.join(&global()).await;
    }
    let first = Uuid::new_v4();
    let said = ann.ok(say("hello", first)).await["message"].clone();
    // The socket broke before the answer came: the client does not know, and sends it again.
    let mut again = node.client(ann.player).await;
    again.join(&global()).await;
    for text in ["hello", "something else"] {
        assert_same(&again.ok(say(text, first)).await, &said);
    }
    assert_eq!(stored(&db).await, 1);
    assert_eq!(bob.hear().await, "hello");
    bob.assert_quiet().await;
    // Another number is another message, and so is the same one of somebody else, or none.
    again.ok(say("hello", Uuid::new_v4())).await;
    bob.ok(say("hello", first)).await;
    again.say(&global(), "hello").await;
    again.say(&global(), "hello").await;
    assert_eq!(stored(&db).await, 5);
    // Not in slow mode's way either: it is said already.
    let slow = "update chat_channel set slow_mode_s = 3600 where kind = 'global'";
    sqlx::query(slow).execute(&db).await.unwrap();
    assert_same(&again.ok(say("hello", first)).await, &said);
    // What was deleted meanwhile does not come back.
    again.ok(json!({ "type": "delete", "message_id": said["message_id"] })).await;
    let deleted = again.ok(say("hello", first)).await["message"].clone();
    assert_eq!((&deleted["text"], &deleted["is_deleted"]), (&json!(""), &json!(true)));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn sixty_four_at_once_are_one(db: PgPool) {
    let node = Node::start(&AppState::local(db.clone()), settings()).await;
    let (mut ann, mut bob) = (node.player("ann").await, node.player("bob").await);
    for client in [&mut ann, &mut bob] {
        client.join(&global()).await;
    }
    let client_id = Uuid::new_v4();
    let mut other = node.client(ann.player).await;
    other.join(&global()).await;
    let mut cids = Vec::new();
    for _ in 0..32 {
        cids.push((
            ann.start(say("once", client_id)).await,
            other.start(say("once", client_id)).await,
        ));
    }
    let mut ids = std::collections::HashSet::new();
    for (here, there) in cids {
        for answer in [ann.any_answer(here).await, other.any_answer(there).await] {
            assert_eq!(answer["type"], "ok", "{answer}");
            ids.insert(answer["message"]["message_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!((ids.len(), stored(&db).await), (1, 1));
    assert_eq!(bob.hear().await, "once");
    bob.assert_quiet().await;
}
