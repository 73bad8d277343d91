//! B11: a chat socket speaks in the player's new name within a second of the change.
//! Goes to services/chat/tests, with Postgres.
#![allow(dead_code, reason = "of the harness a part is used")]

#[path = "chat/harness.rs"]
mod harness;

use std::time::{Duration, Instant};

use harness::{Node, global, settings};
use sortie_chat::Settings;
use sortie_control::plane::Plane;
use sqlx::PgPool;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_new_name_is_spoken_under(db: PgPool) {
    // Nothing is read again by the clock.
    let refresh_every = Duration::from_secs(86_400);
    let settings = Settings { refresh_every, ..settings() };
    let node = Node::start(&Plane::local(db.clone()), settings).await;
    let mut ann = node.player("Ann").await;
    ann.join(&global()).await;
    let rename = "update player set name = 'Renamed' where player_id = $1";
    sqlx::query(rename).bind(ann.player).execute(&db).await.unwrap();
    let since = Instant::now();
    loop {
        let message = ann.say(&global(), "hello").await;
        if message["author"]["name"] == "Renamed" {
            break;
        }
        let late = since.elapsed() > Duration::from_secs(1);
        assert!(!late, "B11: after a second still as {}", message["author"]["name"]);
    }
}
