//! After an erasure a player's name and address are nowhere: not in the tables, not in Postgres'
//! log, not in Redis, not in the node's log or in its folder.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::json;
use sortie_private_postgres::PrivateCluster;
use sqlx::PgPool;

use crate::common::control;
use crate::common::process::{folder, serve};
use crate::redis::Redis;
use crate::rest::Api;

/// The name has the first in it, the address the second.
const CANARIES: [&str; 2] = ["canary", "474747"];

fn canary_in(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    CANARIES.into_iter().find(|canary| text.contains(canary))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Rows of all tables with a canary in them.
async fn rows(db: &PgPool) -> Vec<String> {
    let tables = "select format('%I.%I', table_schema, table_name) from information_schema.tables
        where table_schema in ('public', 'personal') and table_type = 'BASE TABLE'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(db).await.unwrap();
    let mut found = Vec::new();
    for table in tables {
        let all = sqlx::AssertSqlSafe(format!("select row(t)::text from {table} t"));
        let all: Vec<String> = sqlx::query_scalar(all).fetch_all(db).await.unwrap();
        let hit = all.into_iter().filter(|row| canary_in(row.as_bytes()).is_some());
        found.extend(hit.map(|row| format!("{table}: {row}")));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_player_is_in_no_table_log_bus_or_file() {
    let folder = folder();
    let data = folder.path().join("data");
    let cluster = PrivateCluster::start(&data).await.unwrap();
    let url = cluster.url();
    assert_eq!(control(&["migrate", "up", "--database-url", &url]).code, 0);
    let redis = Redis::start().await;
    let node_data = folder.path().join("node");
    let more = ["--redis-url", &redis.url(), "--trusted-proxy", "127.0.0.1", "--log", "info"];
    let (node, ready) = serve(&url, &node_data, &more).await;
    let everybody = Api::at(&ready["rest"]);
    let (ada, player_id) = everybody.sign_up("CanaryAda", 474_747).await;

    // Constraints are broken, paths are guessed, queues are waited in.
    for (name, email) in [("CanaryAda", "1@example.org"), ("Eve", "474747@example.org")] {
        let body = json!({ "name": name, "email": email, "password": "a long password of Eve" });
        let answer = everybody.post("/v1/accounts", body).await;
        assert_eq!(answer.status, 409, "{answer:?}");
    }
    assert_eq!(ada.get("/v1/players/canary").await.status, 400);
    assert_eq!(ada.get("/canary/474747?canary=474747").await.status, 404);
    let about = json!({ "about": "I am the canary" });
    assert!(ada.call(Method::PATCH, "/v1/me", about).await.status < 300);
    let room = json!({ "name": "canary's room", "mode": "walk", "map": "ridge", "players_max": 8 });
    let made = ada.post("/v1/rooms", room).await;
    assert!(made.status < 300, "{made:?}");
    assert!(ada.get("/v1/leaderboards/global").await.status < 300);

    let db = PgPool::connect(&url).await.unwrap();
    assert!(rows(&db).await.len() >= 3, "the test can see what it looks for");
    let password = json!({ "password": "a long password of CanaryAda" });
    let erased = ada.call(Method::DELETE, "/v1/me", password).await;
    assert_eq!(erased.status, 204, "{erased:?}");

    assert_eq!(rows(&db).await, Vec::<String>::new());
    let still: bool =
        sqlx::query_scalar("select erased_at is not null from player where player_id::text = $1")
            .bind(&player_id)
            .fetch_one(&db)
            .await
            .unwrap();
    assert!(still, "the id is all that is left");
    let log = fs::read_to_string(data.join("postgres.log")).unwrap();
    assert_eq!(canary_in(log.as_bytes()), None, "{log}");
    assert_eq!(canary_in(&redis.dump().await), None, "in Redis");
    let metrics = Api::at(&ready["ops"]).get("/metrics").await;
    assert_eq!(canary_in(metrics.body.as_str().unwrap().as_bytes()), None);
    let told = node.log().join("\n");
    assert!(told.contains("sortie_access") && told.contains("/v1/players/{player_id}"), "{told}");
    assert_eq!(canary_in(told.as_bytes()), None, "{told}");
    let mut all = Vec::new();
    files(&node_data, &mut all);
    assert!(!all.is_empty());
    for file in all {
        assert_eq!(canary_in(&fs::read(&file).unwrap()), None, "{}", file.display());
    }
    assert_eq!(node.errors(), Vec::<String>::new());
    // Every metric of a node says what it is.
    let shown = Api::at(&ready["ops"]).get("/metrics").await.body;
    let lines = || shown.as_str().unwrap_or_default().lines();
    let typed = lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let mute: Vec<&str> = typed
        .filter(|name| !lines().any(|line| line.starts_with(&format!("# HELP {name} "))))
        .collect();
    assert_eq!(mute, Vec::<&str>::new(), "metrics without a help text");
}
