//! Nodes whose clocks are wrong: what is said has one order, and what is kept stays.

use serde_json::json;
use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::bus::Bus;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use crate::harness::{Node, global, settings};

/// Two nodes half a minute apart.
async fn nodes(db: &PgPool) -> [Node; 2] {
    let (bus, access) = (Bus::local(), AccessKeys::generate());
    let node = async |seconds| {
        let app = AppState::new(db.clone(), bus.clone(), access.clone());
        app.clock.set_machine_ahead(Duration::seconds(seconds));
        Node::start(&app, settings()).await
    };
    [node(15).await, node(-15).await]
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_is_said_has_one_order_whatever_the_nodes_clocks_say(db: PgPool) {
    let [early, late] = nodes(&db).await;
    let (mut ann, mut bob) = (early.player("Ann").await, late.player("Bob").await);
    for client in [&mut ann, &mut bob] {
        client.join(&global()).await;
    }
    let mut said = Vec::new();
    for number in 0..20 {
        let (speaker, listener) =
            if number % 2 == 0 { (&mut ann, &mut bob) } else { (&mut bob, &mut ann) };
        let text = number.to_string();
        let message = speaker.say(&global(), &text).await;
        assert_eq!(listener.hear().await, text);
        // The speaker hears it, too.
        assert_eq!(speaker.hear().await, text);
        let said_at = message["said_at"].as_str().unwrap();
        let format = &time::format_description::well_known::Rfc3339;
        let off = OffsetDateTime::parse(said_at, format).unwrap() - OffsetDateTime::now_utc();
        assert!(off.abs() < Duration::seconds(5), "by the database's clock: {off}");
        said.push(text);
    }
    let page = ann.ok(json!({ "type": "history", "channel": global(), "limit": 20 })).await;
    let mut read: Vec<String> = Vec::new();
    for message in page["page"]["items"].as_array().unwrap() {
        read.insert(0, message["text"].as_str().unwrap().to_owned());
    }
    assert_eq!(read, said);
}
