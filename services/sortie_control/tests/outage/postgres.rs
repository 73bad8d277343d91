//! Postgres is away for a minute in the middle of battles: first it hangs, then it is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sortie_private_postgres::PrivateCluster;
use sortie_rpc::game::v1::ListBattlesRequest;
use sortie_rpc::game::v1::game_client::GameClient;
use sqlx::PgPool;
use tonic::metadata::MetadataValue;

use crate::chat::Socket;
use crate::common::control;
use crate::common::process::{Process, eventually, folder, serve};
use crate::rest::{ANSWER_WITHIN, Answer, Api, Call};

/// How long Postgres is away.
const AWAY: Duration = Duration::from_secs(60);

/// Of this, how long it takes calls and does not answer.
const HANGS: Duration = Duration::from_secs(10);

/// After so long the node says that it is not ready.
const NOTICED: Duration = Duration::from_secs(8);

/// Battles are under way for so long when it goes.
const BEFORE_TICKS: f64 = 3.0 * HZ;

/// Between two looks.
const ROUND: Duration = Duration::from_secs(1);

const HZ: f64 = 60.0;

/// Of the ticks that are due. Clocks of two processes are read at different moments.
const TICKS_SHARE_MIN: f64 = 0.9;

/// Queues, and how long their battles last, seconds: one ends while Postgres is away, the other
/// goes on when it is back.
const QUEUES: [(&str, f64); 2] = [("short", 45.0), ("long", 100.0)];

const PLAYERS: usize = 4;

/// A battle that is fought.
struct Fight {
    seconds: f64,
    battle_id: String,
    data: PathBuf,
    server: Process,
    ops: Api,
    bots: Process,
    leader: Api,
}

impl Fight {
    fn ticks(&self) -> f64 {
        self.seconds * HZ
    }

    fn report(&self) -> Option<Value> {
        self.server.event("report")
    }

    /// Names of files in a folder of the spool.
    fn spooled(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.data.join("spool").join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".result")).collect()
    }
}

/// A battle server that waits for a battle.
struct Server {
    process: Process,
    address: String,
    ops: Api,
    data: PathBuf,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_without_postgres_costs_no_tick_and_no_result() {
    let folder = folder();
    let data = folder.path().join("data");
    let cluster = PrivateCluster::start(&data).await.unwrap();
    let url = cluster.url();
    assert_eq!(control(&["migrate", "up", "--database-url", &url]).code, 0);
    let queues = folder.path().join("queues.toml");
    fs::write(&queues, QUEUES.map(queue).concat()).unwrap();
    let more = ["--queues", queues.to_str().unwrap(), "--trusted-proxy", "127.0.0.1"];
    let (node, ready) = serve(&url, &folder.path().join("node"), &more).await;
    let api = Api::at(&ready["rest"]);
    let mut servers = Vec::new();
    for (name, _) in QUEUES {
        servers.push(server(name, &ready, folder.path()).await);
    }
    let mut fights = Vec::new();
    for (index, (name, seconds)) in QUEUES.into_iter().enumerate() {
        fights.push(fight(&api, name, seconds, index * PLAYERS, &mut servers).await);
    }
    let mut socket = Socket::in_global(&ready["chat"], fights[0].leader.token()).await;
    assert_eq!(socket.say("before").await["type"], "ok");
    for fight in &fights {
        let under_way = async || {
            let ticks = fight.ops.metric("sortie_ticks_total").await;
            (ticks > BEFORE_TICKS && clients(fight).await == PLAYERS as f64).then_some(())
        };
        eventually("everybody fights", under_way).await;
    }
    let caller = fights[0].leader.clone();
    let battle = fights[0].battle_id.clone();
    all_answer(&caller, &ready, &calls(&battle, 0)).await;

    let mut cluster = Some(cluster);
    let mut frozen = freeze(&data.join("postgres"));
    let began = Instant::now();
    let mut before = Vec::new();
    for fight in &fights {
        before.push((Instant::now(), fight.ops.metric("sortie_ticks_total").await));
    }
    let mut pace = tokio::time::interval(ROUND);
    let mut round = 0;
    while began.elapsed() < AWAY {
        pace.tick().await;
        round += 1;
        if began.elapsed() > HANGS
            && let Some(cluster) = cluster.take()
        {
            frozen.kill();
            tokio::task::spawn_blocking(move || drop(cluster)).await.unwrap();
        }
        let caller = caller.from(format!("10.2.0.{round}"));
        all_are_unavailable(&caller, &ready, &calls(&battle, round)).await;
        assert_eq!(socket.say("lost").await["code"], "chat.unavailable");
        let readiness = Api::at(&ready["ops"]).get("/readyz").await;
        assert!(began.elapsed() < NOTICED || readiness.status == 503, "{readiness:?}");
        for (fight, (since, ticks)) in fights.iter().zip(&before) {
            // The counter is read later than the clock.
            let due = since.elapsed().as_secs_f64() * HZ * TICKS_SHARE_MIN;
            let clients = clients(fight).await;
            let now = fight.ops.metric("sortie_ticks_total").await;
            if now < fight.ticks() {
                let ticks = now - ticks;
                assert!(ticks >= due, "{ticks} of {due} ticks in {:?}", since.elapsed());
                assert_eq!(clients, PLAYERS as f64, "everybody is still there");
            }
        }
    }
    assert!(fights[0].report().is_some(), "a battle ended meanwhile");
    assert_eq!(fights[0].spooled("").len(), 1, "its result waits");
    assert!(fights[1].report().is_none(), "the other goes on");

    let _cluster = PrivateCluster::start(&data).await.unwrap();
    let is_ready =
        async || (Api::at(&ready["ops"]).get("/readyz").await.status == 200).then_some(());
    eventually("the node is ready again", is_ready).await;
    all_answer(&caller, &ready, &calls(&battle, 0)).await;
    assert_eq!(socket.say("after").await["type"], "ok", "the same socket goes on");
    let db = PgPool::connect(&url).await.unwrap();
    for fight in &mut fights {
        has_its_result(&db, fight).await;
    }
    for process in fights.iter().map(|fight| &fight.server).chain([&node]) {
        assert_eq!(process.errors(), Vec::<String>::new(), "an outage is no error");
    }
    let gone: i64 = sqlx::query_scalar("select count(*) from battle_server where epoch <> 1")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(gone, 0, "no server was called gone for what it could not help");
    db.close().await;
}

/// A battle is as if nothing had been.
async fn has_its_result(db: &PgPool, fight: &mut Fight) {
    let report = fight.server.wait_for("report").await;
    let ticks = report["ticks"].as_f64().unwrap();
    assert_eq!((ticks, report["last_tick"].as_f64()), (fight.ticks(), Some(ticks)), "{report}");
    assert_eq!(report["joins"], PLAYERS);
    assert_eq!((&report["clients_lost"], &report["resumes"]), (&json!(0), &json!(0)), "{report}");
    let id: uuid::Uuid = fight.battle_id.parse().unwrap();
    let is_finished = async || {
        let state: String = sqlx::query_scalar("select state from battle where battle_id = $1")
            .bind(id)
            .fetch_one(db)
            .await
            .unwrap();
        (state == "finished").then_some(())
    };
    eventually("the result is stored", is_finished).await;
    let is_empty = async || fight.spooled("").is_empty().then_some(());
    eventually("nothing waits", is_empty).await;
    assert_eq!(fight.spooled("refused").len() + fight.spooled("torn").len(), 0);
    let count = async |what: &'static str| -> i64 {
        sqlx::query_scalar(what).bind(id).fetch_one(db).await.unwrap()
    };
    let told = "select count(*) from outbox
        where topic = 'battle.finished' and body->>'battle_id' = $1::uuid::text";
    assert_eq!(count(told).await, 1, "exactly once");
    let ranked = "select count(*) from rating_change where battle_id = $1 and reason = 'ranked'";
    assert_eq!(count(ranked).await, PLAYERS as i64);
    assert_eq!(fight.bots.ended().await, Some(0));
    let played: Vec<Value> = fight.bots.told();
    assert_eq!(played.len(), PLAYERS);
    assert!(played.iter().all(|bot| bot["played"] == true), "{played:?}");
}

async fn clients(fight: &Fight) -> f64 {
    fight.ops.metric("sortie_clients").await
}

fn queue((name, seconds): (&str, f64)) -> String {
    format!(
        "[[queue]]\nname = '{name}'\nmode = 'conquest'\nmap = 'ridge'\nis_ranked = true\n\
         team_min = {half}\nteam_max = {half}\nplayers_max = {PLAYERS}\nduration_s = {seconds}\n",
        half = PLAYERS / 2
    )
}

async fn server(name: &str, ready: &Value, folder: &Path) -> Server {
    let data = folder.join(name);
    let secret = folder.join("node/keys/fleet-secret");
    let fleet = format!("http://{}", ready["fleet"].as_str().unwrap());
    let process = Process::sortie(&[
        "battle",
        "--control-plane",
        &fleet,
        "--fleet-secret-file",
        secret.to_str().unwrap(),
        "--name",
        name,
        "--data-dir",
        data.to_str().unwrap(),
        "--listen=127.0.0.1:0",
        "--ops=127.0.0.1:0",
        "--end-with-stdin",
    ]);
    let ready = process.wait_for("ready").await;
    let address = ready["address"].as_str().unwrap().to_owned();
    Server { address, ops: Api::at(&ready["ops"]), data, process }
}

/// Players sign up, queue, are matched, and bots fight for them.
async fn fight(
    api: &Api,
    queue: &str,
    seconds: f64,
    first: usize,
    servers: &mut Vec<Server>,
) -> Fight {
    let mut players = Vec::new();
    for number in first..first + PLAYERS {
        players.push(api.sign_up(&format!("fighter {number}"), number + 1).await.0);
    }
    let mut tickets = Vec::new();
    for player in &players {
        let body = json!({ "queue": queue });
        let ticket = player.post("/v1/matchmaking/tickets", body).await;
        assert_eq!(ticket.status, 201, "{ticket:?}");
        tickets.push(ticket.body["ticket_id"].as_str().unwrap().to_owned());
    }
    let path = format!("/v1/matchmaking/tickets/{}", tickets[0]);
    let matched =
        async || players[0].get(&path).await.body["battle_id"].as_str().map(str::to_owned);
    let battle_id = eventually("a match", matched).await;
    let mut arguments = Vec::new();
    let mut server = Value::Null;
    for player in &players {
        let join = format!("/v1/battles/{battle_id}/join");
        let admitted = async || {
            let answer = player.post(&join, Value::Null).await;
            (answer.status == 200).then_some(answer.body)
        };
        server = eventually("admission", admitted).await;
        arguments.push(format!("--join-ticket={}", server["join_ticket"].as_str().unwrap()));
    }
    let address = server["address"].as_str().unwrap();
    let mut command = vec!["bot", "--server", address, "--fingerprint"];
    command.push(server["fingerprint"].as_str().unwrap());
    command.extend(arguments.iter().map(String::as_str));
    let bots = Process::sortie(&command);
    let at = servers.iter().position(|server| server.address == address).unwrap();
    let Server { process, ops, data, .. } = servers.swap_remove(at);
    let leader = players.swap_remove(0);
    Fight { seconds, battle_id, data, server: process, ops, bots, leader }
}

/// Calls that need the database, over all services of REST.
fn calls(battle_id: &str, round: usize) -> Vec<Call> {
    let (name, password) = (format!("late {round}"), "a long password");
    let email = format!("late.{round}@example.org");
    let sign_up = json!({ "name": name, "email": email, "password": password });
    let log_in = json!({ "login": name, "password": password });
    let refresh = json!({ "refresh_token": "a".repeat(64) });
    let get = |path: &str| (Method::GET, path.to_owned(), Value::Null);
    let post = |path: &str, body: Value| (Method::POST, path.to_owned(), body);
    vec![
        post("/v1/accounts", sign_up),
        post("/v1/sessions", log_in),
        post("/v1/sessions/refresh", refresh),
        get("/v1/me"),
        get("/v1/parties/mine"),
        post("/v1/matchmaking/tickets", json!({ "queue": "short" })),
        post(&format!("/v1/battles/{battle_id}/join"), Value::Null),
        get("/v1/leaderboards/conquest"),
        get("/v1/battles"),
        get(&format!("/v1/battles/{battle_id}")),
    ]
}

async fn answers(caller: &Api, ready: &Value, calls: &[Call]) -> Vec<(String, Answer)> {
    let admin = caller.also_at(&ready["admin"]);
    let users = (Method::GET, "/v1/admin/users".to_owned(), Value::Null);
    let all = calls.iter().map(|call| (caller, call)).chain([(&admin, &users)]);
    let all = all.map(async |(api, (method, path, body))| {
        let answer = api.call(method.clone(), path, body.clone()).await;
        (format!("{method} {path}"), answer)
    });
    futures_util::future::join_all(all).await
}

/// Nothing is away.
async fn all_answer(caller: &Api, ready: &Value, calls: &[Call]) {
    for (call, answer) in answers(caller, ready, calls).await {
        assert!(answer.status < 500, "{call}: {answer:?}");
    }
    assert_ne!(list_battles(caller, ready).await, tonic::Code::Unavailable);
}

/// Every route says that the database is away, and none takes long to say it.
async fn all_are_unavailable(caller: &Api, ready: &Value, calls: &[Call]) {
    for (call, answer) in answers(caller, ready, calls).await {
        assert_eq!(answer.status, 503, "{call}: {answer:?}");
        assert!(answer.code().ends_with("unavailable"), "{call}: {answer:?}");
        assert!(answer.has_retry_after && answer.took < ANSWER_WITHIN, "{call}: {answer:?}");
    }
    assert_eq!(list_battles(caller, ready).await, tonic::Code::Unavailable);
}

async fn list_battles(caller: &Api, ready: &Value) -> tonic::Code {
    let address = format!("http://{}", ready["grpc"].as_str().unwrap());
    let mut client = GameClient::connect(address).await.unwrap();
    let mut request = tonic::Request::new(ListBattlesRequest::default());
    let bearer: MetadataValue<_> = format!("Bearer {}", caller.token()).parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let answer = tokio::time::timeout(ANSWER_WITHIN, client.list_battles(request)).await.unwrap();
    answer.map_or_else(|status| status.code(), |_| tonic::Code::Ok)
}

/// A Postgres that stands still: its processes.
struct Frozen(Vec<Pid>);

impl Frozen {
    /// As when its machine dies.
    fn kill(&mut self) {
        for pid in self.0.drain(..) {
            // Those of a test that failed are gone, some of them.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Stops all processes of a Postgres where they are: it takes connections and answers nobody.
fn freeze(folder: &Path) -> Frozen {
    let file = fs::read_to_string(folder.join("postmaster.pid")).unwrap();
    let server = file.lines().next().unwrap().trim();
    let pid = |number: &str| Pid::from_raw(number.parse().ok()?);
    let mut all = Frozen(vec![pid(server).unwrap()]);
    // Once it stands still it makes no more.
    kill_process(all.0[0], Signal::STOP).unwrap();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(status) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // NUMBER (NAME) STATE PARENT …
        let parent = status.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        if parent == Some(server) {
            all.0.extend(entry.file_name().to_str().and_then(pid));
        }
    }
    for pid in &all.0[1..] {
        // Some come and go.
        let _ = kill_process(*pid, Signal::STOP);
    }
    all
}
