//! Postgres away: errors with a code, sockets stay, and it recovers by itself.

use std::str::FromStr;
use std::time::Duration;

use serde_json::json;
use sortie_control::app::AppState;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgPool};

use crate::harness::{Node, eventually, global, settings};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_postgres_sockets_stay_and_go_on_when_it_is_back(db: PgPool) {
    let options: PgConnectOptions = (*db.connect_options()).clone();
    let name = options.get_database().unwrap().to_owned();
    let url = std::env::var("DATABASE_URL").unwrap();
    let server = PgConnectOptions::from_str(&url).unwrap().database("postgres");
    let mut server = server.connect().await.unwrap();
    let own = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(1));
    let node = Node::start(&AppState::local(own.connect_lazy_with(options)), settings()).await;
    let mut ann = node.player("ann").await;
    ann.join(&global()).await;
    ann.say(&global(), "before").await;
    assert_eq!(ann.hear().await, "before");
    let away = format!("alter database \"{name}\" allow_connections false");
    sqlx::query(AssertSqlSafe(away)).execute(&mut server).await.unwrap();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    sqlx::query(end).bind(&name).execute(&mut server).await.unwrap();
    let say = json!({ "type": "say", "channel": global(), "text": "lost" });
    assert_eq!(ann.refused(say).await, "chat.unavailable");
    let history = json!({ "type": "history", "channel": global() });
    assert_eq!(ann.refused(history).await, "chat.unavailable");
    ann.ok(json!({ "type": "ping" })).await;
    let back = format!("alter database \"{name}\" allow_connections true");
    sqlx::query(AssertSqlSafe(back)).execute(&mut server).await.unwrap();
    let say = json!({ "type": "say", "channel": global(), "text": "after" });
    let is_back = async || ann.ask(say.clone()).await["type"] == "ok";
    eventually("chat is back", is_back).await;
    assert_eq!(ann.hear().await, "after");
}
