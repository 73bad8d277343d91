//! Redis is killed beside two nodes, and comes back with nothing in it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgPool};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::chat::Socket;
use crate::common::process::{eventually, serve};
use crate::rest::Api;

/// On another node; nobody may talk much faster.
const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// A Redis of its own on a socket in a folder of its own.
pub(crate) struct Redis {
    child: Child,
    folder: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let redis = Self { child: spawn(folder.path()), folder };
        redis.wait_until_there().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}/redis.sock", self.folder.path().display())
    }

    /// Everything that it holds, as it would lie on its disk.
    pub(crate) async fn dump(&self) -> Vec<u8> {
        let mut stream = self.connect().await.unwrap();
        stream.write_all(b"SAVE\r\nQUIT\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("+OK"), "{answer}");
        std::fs::read(self.folder.path().join("dump.rdb")).unwrap()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn start_again(&mut self) {
        self.child = spawn(self.folder.path());
        self.wait_until_there().await;
    }

    async fn wait_until_there(&self) {
        eventually("Redis listens", || async { self.connect().await }).await;
    }

    async fn connect(&self) -> Option<UnixStream> {
        UnixStream::connect(self.folder.path().join("redis.sock")).await.ok()
    }

    /// Whether it has a key.
    async fn knows(&self, pattern: &str) -> bool {
        let mut stream = self.connect().await.unwrap();
        stream.write_all(format!("KEYS {pattern}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        !answer.starts_with("*0")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Ended already when the test fails in the middle.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--rdbcompression", "no"])
        .arg("--unixsocket")
        .arg(folder.join("redis.sock"))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is not installed: run `infra/dev/install redis`")
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_redis_nodes_go_on_by_themselves_and_find_it_again(db: PgPool) {
    let url = db.connect_options().to_url_lossy().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Redis::start().await;
    let bus = redis.url();
    let more = ["--redis-url", &bus, "--trusted-proxy", "127.0.0.1"];
    let (here, ready) = serve(&url, folder.path(), &more).await;
    let (there, elsewhere) = serve(&url, folder.path(), &more).await;
    let api = Api::at(&ready["rest"]);
    let (ann, ann_id) = api.sign_up("Ann", 1).await;
    let (bob, bob_id) = api.sign_up("Bob", 2).await;
    let (cid, cid_id) = api.sign_up("Cid", 3).await;
    rate(&db, &[&ann_id, &bob_id, &cid_id]).await;
    let mut ann_says = Socket::in_global(&ready["chat"], ann.token()).await;
    let mut bob_hears = Socket::in_global(&ready["chat"], bob.token()).await;
    let mut cid_hears = Socket::in_global(&elsewhere["chat"], cid.token()).await;

    let say_both_hear = async |ann: &mut Socket, bob: &mut Socket, cid: &mut Socket| {
        // Each node finds Redis at a time of its own; what is said before is heard on one node.
        for number in 0.. {
            let text = format!("hello {number}");
            let said = ann.say(&text).await;
            assert_eq!(said["type"], "ok", "{said}");
            bob.hear(&text).await;
            if timeout(HEARD_WITHIN, cid.hear(&text)).await.is_ok() {
                return;
            }
            assert!(number < 20, "the other node hears nothing");
        }
    };
    say_both_hear(&mut ann_says, &mut bob_hears, &mut cid_hears).await;
    let board = async || {
        let board = ann.get("/v1/leaderboards/conquest").await;
        assert_eq!(board.status, 200, "{board:?}");
        names(&board.body)
    };
    let order = ["Ann", "Bob", "Cid"];
    let filled =
        async || (board().await == order && redis.knows("sortie:board:*").await).then_some(());
    eventually("the leaderboard is in Redis", filled).await;

    redis.kill();
    assert_eq!(ann_says.say("by ourselves").await["type"], "ok");
    bob_hears.hear("by ourselves").await;
    assert_eq!(board().await, order, "from Postgres");
    let log_in = json!({ "login": "Bob", "password": "a long password of Bob" });
    let login = api.post("/v1/sessions", log_in).await;
    assert_eq!(login.status, 201, "{login:?}");
    let ticket = ann.post("/v1/matchmaking/tickets", json!({ "queue": "conquest" })).await;
    assert_eq!(ticket.status, 201, "{ticket:?}");
    let path = format!("/v1/matchmaking/tickets/{}", ticket.body["ticket_id"].as_str().unwrap());
    assert_eq!(ann.get(&path).await.body["state"], "waiting");
    assert_eq!(ann.call(Method::DELETE, &path, Value::Null).await.status / 100, 2);
    for node in [&ready, &elsewhere] {
        assert_eq!(Api::at(&node["ops"]).get("/readyz").await.status, 200, "calls succeed");
    }

    redis.start_again().await;
    say_both_hear(&mut ann_says, &mut bob_hears, &mut cid_hears).await;
    let filled =
        async || (board().await == order && redis.knows("sortie:board:*").await).then_some(());
    eventually("the leaderboard is in Redis again", filled).await;
    for node in [&here, &there] {
        assert_eq!(node.errors(), Vec::<String>::new(), "an outage is no error");
    }
}

/// Players with a rating, best first.
async fn rate(db: &PgPool, players: &[&str]) {
    for (place, player) in (0..).zip(players) {
        sqlx::query(
            "insert into rating (player_id, season_id, mode, rating, uncertainty, shown, battles,
                wins, played_at)
             select $1, season_id, 'conquest', 30, 2, 2000 - $2, 3, 2, now()
             from season where ends_at is null",
        )
        .bind(player.parse::<Uuid>().unwrap())
        .bind(place)
        .execute(db)
        .await
        .unwrap();
    }
}

fn names(board: &Value) -> Vec<String> {
    let rows = board["items"].as_array().unwrap().iter();
    rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}
