//! B8: whoever has a seat in a queue's battle cannot open a room beside it.
//! Goes to services/matchmaking/tests, with Postgres.

mod support;

use serde_json::json;
use sortie_control::store::MIGRATOR;
use sortie_matchmaking::Queue;
use sqlx::PgPool;
use support::{Node, queue};

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_player_is_in_one_place(db: PgPool) {
    let duel = Queue { team_max: 1, players_max: 2, ..queue("duel") };
    let node = Node::new(&db, vec![duel]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    node.wait_in(ada, "duel").await;
    node.wait_in(bob, "duel").await;
    assert_eq!(node.pass().await.matches, 1);
    let room = json!({ "name": "Beside it", "mode": "conquest", "map": "ridge", "players_max": 4,
        "is_public": true, "duration_s": 300 });
    let (status, _) = node.call(ada, "POST", "/v1/rooms", Some(room)).await;
    assert!(!status.is_success(), "B8: a room beside a seat in a battle is {status}");
}
