//! Nodes on free ports, a Redis of one's own, and a client that keeps answers and events apart.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sortie_chat::{Rates, Settings, service};
use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::bus::seal::Seal;
use sortie_control::bus::{Bus, Rate, redis};
use sortie_control::clock::Clock;
use sortie_control::http::{HttpOptions, serve};
use sortie_control::service::{Stopper, stop};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// So much that no test meets it.
pub(crate) const PLENTY: Rate = Rate { burst: 1_000_000, per_s: 1_000_000.0 };

pub(crate) fn settings() -> Settings {
    let rates = Rates {
        say: PLENTY,
        edit: PLENTY,
        join: PLENTY,
        history: PLENTY,
        report: PLENTY,
        mute: PLENTY,
        presence: PLENTY,
        frames: PLENTY,
    };
    Settings {
        rates,
        refresh_every: Duration::from_millis(100),
        presence_every: Duration::from_millis(100),
        ..Settings::default()
    }
}

pub(crate) struct Node {
    pub app: AppState,
    pub address: SocketAddr,
    stopper: Stopper,
}

impl Node {
    pub(crate) async fn start(app: &AppState, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stopper, mut asked) = stop();
        let service = service(app, settings, &asked);
        for job in service.jobs {
            tokio::spawn(job.work);
        }
        let (router, _) = service.routes.split_for_parts();
        let options = HttpOptions { calls: None, ..HttpOptions::default() };
        let stopped = async move { asked.asked().await };
        tokio::spawn(serve(listener, router, app.bus.clone(), options, stopped));
        Self { app: app.clone(), address, stopper }
    }

    pub(crate) fn stop(&self) {
        self.stopper.stop();
    }

    pub(crate) async fn player(&self, name: &str) -> Client {
        let player = sortie_testing::player(&self.app.db, name).await;
        self.client(player).await
    }

    pub(crate) async fn client(&self, player: Uuid) -> Client {
        self.try_client(player).await.expect("the upgrade is done")
    }

    pub(crate) async fn try_client(&self, player: Uuid) -> tungstenite::Result<Client> {
        let token = sortie_testing::login(&self.app, player).await;
        let mut client = self.connect(&[("authorization", &format!("Bearer {token}"))]).await?;
        client.player = player;
        Ok(client)
    }

    pub(crate) async fn connect(
        &self,
        headers: &[(&'static str, &str)],
    ) -> tungstenite::Result<Client> {
        let mut request = format!("ws://{}/v1/chat", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await?;
        let (events, player) = (VecDeque::new(), Uuid::nil());
        Ok(Client { socket, events, early: Vec::new(), cid: 0, player })
    }
}

pub(crate) struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub player: Uuid,
    events: VecDeque<Value>,
    /// Answers that came before they were asked for.
    early: Vec<Value>,
    cid: u64,
}

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Asks, and does not wait; gives the cid.
    pub(crate) async fn start(&mut self, mut request: Value) -> u64 {
        self.cid += 1;
        request["cid"] = self.cid.into();
        self.send(&request.to_string()).await;
        self.cid
    }

    pub(crate) async fn frame(&mut self) -> Value {
        loop {
            let frame = timeout(SOON, self.socket.next()).await.expect("a frame comes");
            match frame.expect("the socket is open").expect("the socket works") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    pub(crate) async fn answer(&mut self, cid: u64) -> Value {
        loop {
            let frame = self.frame().await;
            if frame.get("cid").is_none() && frame["type"] != "error" {
                self.events.push_back(frame);
            } else {
                assert_eq!(frame["cid"], cid, "{frame}");
                return frame;
            }
        }
    }

    /// An answer, whatever their order.
    pub(crate) async fn any_answer(&mut self, cid: u64) -> Value {
        loop {
            if let Some(at) = self.early.iter().position(|answer| answer["cid"] == cid) {
                return self.early.swap_remove(at);
            }
            let frame = self.frame().await;
            if frame.get("cid").is_none() && frame["type"] != "error" {
                self.events.push_back(frame);
            } else {
                self.early.push(frame);
            }
        }
    }

    pub(crate) async fn ask(&mut self, request: Value) -> Value {
        let cid = self.start(request).await;
        self.answer(cid).await
    }

    /// Asks for something that is done.
    pub(crate) async fn ok(&mut self, request: Value) -> Value {
        let answer = self.ask(request.clone()).await;
        assert_eq!(answer["type"], "ok", "{request}: {answer}");
        answer
    }

    /// Asks for something that is refused; gives the code.
    pub(crate) async fn refused(&mut self, request: Value) -> String {
        let answer = self.ask(request).await;
        assert_eq!(answer["type"], "error", "{answer}");
        answer["code"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn join(&mut self, channel: &Value) {
        self.ok(json!({ "type": "join", "channel": channel })).await;
    }

    pub(crate) async fn say(&mut self, channel: &Value, text: &str) -> Value {
        let answer = self.ok(json!({ "type": "say", "channel": channel, "text": text })).await;
        answer["message"].clone()
    }

    pub(crate) async fn event(&mut self) -> Value {
        match self.events.pop_front() {
            Some(event) => event,
            None => self.frame().await,
        }
    }

    /// The text of the next message.
    pub(crate) async fn hear(&mut self) -> String {
        let event = self.event().await;
        assert_eq!(event["type"], "message", "{event}");
        event["message"]["text"].as_str().unwrap().to_owned()
    }

    /// Nothing more has come than was read: whatever was sent before a pong has come before it.
    pub(crate) async fn assert_quiet(&mut self) {
        self.ok(json!({ "type": "ping" })).await;
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    /// Reads to the end; gives the close code.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match timeout(SOON, self.socket.next()).await.expect("the socket is closed") {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Close(None))) => panic!("closed without a code"),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("closed without a code: {error}"),
                None => panic!("closed without a code"),
            }
        }
    }
}

pub(crate) fn global() -> Value {
    json!({ "kind": "global" })
}

pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !is_so().await {
        assert!(Instant::now() < until, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A Redis of its own on a socket in a folder of its own; ends with the test.
pub(crate) struct Redis {
    /// Of the deployment that it belongs to.
    seal: Seal,
    child: Child,
    folder: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::new(&AccessKeys::generate(), &Clock::default());
        let redis = Self { seal, child: spawn(&folder), folder };
        redis.wait_until_there().await;
        redis
    }

    pub(crate) async fn bus(&self) -> Bus {
        let url = format!("redis+unix://{}/redis.sock", self.folder.path().display());
        redis::connect(&url, redis::PREFIX, self.seal.clone()).await.unwrap()
    }

    async fn wait_until_there(&self) {
        let socket = self.folder.path().join("redis.sock");
        let connects = async || tokio::net::UnixStream::connect(&socket).await.is_ok();
        eventually("Redis listens", connects).await;
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.folder);
        self.wait_until_there().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Ended already, in the tests that kill it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(folder: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
        .arg(folder.path().join("redis.sock"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is not installed: run `infra/dev/install`")
}
