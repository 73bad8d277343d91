//! C14: who declines a match waits before it may queue again.
//! Goes to services/matchmaking/tests, with Postgres.

mod support;

use serde_json::json;
use sortie_control::store::MIGRATOR;
use sortie_matchmaking::Queue;
use sqlx::PgPool;
use support::{Node, queue};

#[sqlx::test(migrator = "MIGRATOR")]
async fn declining_costs_something(db: PgPool) {
    let asks = Queue { ready_check_s: Some(10), team_max: 1, players_max: 2, ..queue("duel") };
    let node = Node::new(&db, vec![asks]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let ticket = node.wait_in(ada, "duel").await;
    node.wait_in(bob, "duel").await;
    assert_eq!(node.pass().await.matches, 1);
    let ticket = node.ticket(ada, &ticket).await;
    let answer = ticket["proposal"]["match_id"].as_str().unwrap();
    let answer = format!("/v1/matchmaking/proposals/{answer}/answer");
    node.ok(ada, "POST", &answer, Some(json!({ "accept": false }))).await;
    let again = Some(json!({ "queue": "duel" }));
    let (status, _) = node.call(ada, "POST", "/v1/matchmaking/tickets", again).await;
    assert!(status.as_u16() == 429, "C14: queueing right after declining is {status}");
}
