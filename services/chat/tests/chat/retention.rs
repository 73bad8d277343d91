//! Old messages go; what was reported stays.

use std::time::Duration;

use serde_json::json;
use sortie_chat::forget_old;
use sortie_control::app::AppState;
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::{Node, global, settings};

const DAY: Duration = Duration::from_secs(86_400);

/// Makes a message look as if it had been said so many days ago; gives its new id.
async fn age(db: &PgPool, message: &str, days: i64) -> Uuid {
    let at = time::OffsetDateTime::now_utc() - time::Duration::days(days);
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, at.unix_timestamp() as u64, 0);
    let old = Uuid::new_v7(stamp);
    sqlx::query("update chat_message set message_id = $2, said_at = $3 where message_id = $1")
        .bind(message.parse::<Uuid>().unwrap())
        .bind(old)
        .bind(at)
        .execute(db)
        .await
        .unwrap();
    old
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn old_messages_are_deleted_and_reported_ones_stay(db: PgPool) {
    let node = Node::start(&AppState::local(db.clone()), settings()).await;
    let (mut ann, mut bob) = (node.player("Ann").await, node.player("Bob").await);
    for client in [&mut ann, &mut bob] {
        client.ask(json!({ "type": "join", "channel": global() })).await;
    }
    let mut ids = Vec::new();
    for (text, days) in [("old", 91), ("rude", 91), ("young", 89), ("new", 0)] {
        let said = ann.ask(json!({ "type": "say", "channel": global(), "text": text })).await;
        let id = said["message"]["message_id"].as_str().unwrap().to_owned();
        ids.push(age(&db, &id, days).await);
    }
    let report = json!({ "type": "report", "message_id": ids[1], "text": "see" });
    assert_eq!(bob.ask(report).await["type"], "ok");
    assert_eq!(forget_old(&db, 90 * DAY).await.unwrap(), 1);
    assert_eq!(forget_old(&db, 90 * DAY).await.unwrap(), 0);
    let left: Vec<String> = sqlx::query_scalar("select text from chat_message order by message_id")
        .fetch_all(&db)
        .await
        .unwrap();
    assert_eq!(left, ["rude", "young", "new"]);
    assert_eq!(forget_old(&db, Duration::MAX).await.unwrap(), 0);
    node.stop();
}
