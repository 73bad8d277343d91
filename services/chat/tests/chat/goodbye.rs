//! A client that says goodbye: what it asked before is answered, and so is the goodbye.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sqlx::PgPool;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::{Node, SOON, global, settings};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_came_before_a_close_is_answered_and_so_is_the_close(db: PgPool) {
    let node = Node::start(&AppState::local(db), settings()).await;
    for round in 0..4 {
        let mut ann = node.player(&format!("ann{round}")).await;
        let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        for (cid, mut request) in [
            (1, json!({ "type": "join", "channel": global() })),
            (2, json!({ "type": "presence", "channel": global() })),
            (3, json!({ "type": "say", "channel": global(), "text": "bye" })),
        ] {
            request["cid"] = cid.into();
            ann.socket.feed(Message::text(request.to_string())).await.unwrap();
        }
        ann.socket.feed(Message::Close(Some(goodbye))).await.unwrap();
        ann.socket.flush().await.unwrap();
        let (mut answered, mut code) = (Vec::new(), None);
        while let Some(frame) = timeout(SOON, ann.socket.next()).await.expect("the socket ends") {
            match frame.expect("it ends in order") {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    answered.extend(frame["cid"].as_u64());
                    assert_ne!(frame["type"], "error", "{frame}");
                }
                Message::Close(frame) => code = frame.map(|frame| u16::from(frame.code)),
                _ => {}
            }
        }
        assert_eq!((answered, code), (vec![1, 2, 3], Some(1000)), "round {round}");
    }
}
