//! A player's chat socket.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::common::process::SOON;

pub(crate) struct Socket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    cid: u64,
    heard: Vec<String>,
}

impl Socket {
    pub(crate) async fn open(chat: &Value, token: &str) -> tungstenite::Result<Self> {
        let url = format!("ws://{}/v1/chat", chat.as_str().unwrap());
        let mut request = url.into_client_request()?;
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (socket, _) = connect_async(request).await?;
        Ok(Self { socket, cid: 0, heard: Vec::new() })
    }

    /// In the channel that everybody is in.
    pub(crate) async fn in_global(chat: &Value, token: &str) -> Self {
        let mut socket = Self::open(chat, token).await.expect("the upgrade is done");
        let join = json!({ "type": "join", "channel": { "kind": "global" } });
        assert_eq!(socket.ask(join).await["type"], "ok");
        socket
    }

    async fn frame(&mut self) -> Value {
        loop {
            let frame = timeout(SOON, self.socket.next()).await.expect("a frame comes");
            match frame.expect("the socket is open").expect("the socket works") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn note(&mut self, frame: &Value) {
        if let Some(text) = frame["message"]["text"].as_str().filter(|_| frame["cid"].is_null()) {
            self.heard.push(text.to_owned());
        }
    }

    /// Asks; gives the answer.
    pub(crate) async fn ask(&mut self, mut request: Value) -> Value {
        self.cid += 1;
        request["cid"] = self.cid.into();
        self.socket.send(Message::text(request.to_string())).await.unwrap();
        loop {
            let frame = self.frame().await;
            self.note(&frame);
            if frame["cid"] == self.cid {
                return frame;
            }
        }
    }

    pub(crate) async fn say(&mut self, text: &str) -> Value {
        let channel = json!({ "kind": "global" });
        self.ask(json!({ "type": "say", "channel": channel, "text": text })).await
    }

    /// Waits until it was heard.
    pub(crate) async fn hear(&mut self, text: &str) {
        while !self.heard.iter().any(|heard| heard == text) {
            let frame = self.frame().await;
            self.note(&frame);
        }
    }
}
