//! Everybody of a match has to say that they are there.

use crate::support::{Node, queue};
use serde_json::json;
use sortie_control::store::MIGRATOR;
use sortie_matchmaking::Queue;
use sqlx::PgPool;
use uuid::Uuid;

fn asking() -> Queue {
    Queue { ready_check_s: Some(10), team_max: 1, players_max: 2, ..queue("duel") }
}

/// Two players in a match that asks; their tickets, and where to answer.
async fn proposed(node: &Node) -> ([Uuid; 2], [String; 2], String) {
    let players = node.players(["Ada", "Bob"]).await;
    let tickets = [node.wait_in(players[0], "duel").await, node.wait_in(players[1], "duel").await];
    assert_eq!(node.pass().await.matches, 1);
    let ticket = node.ticket(players[0], &tickets[0]).await;
    assert_eq!(ticket["state"], "proposed");
    assert_eq!(
        (&ticket["proposal"]["players"], &ticket["proposal"]["accepted"]),
        (&json!(2), &json!(0))
    );
    let match_id = ticket["proposal"]["match_id"].as_str().unwrap();
    (players, tickets, format!("/v1/matchmaking/proposals/{match_id}/answer"))
}

fn say(accept: bool) -> Option<serde_json::Value> {
    Some(json!({ "accept": accept }))
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_battle_is_made_when_all_are_there(db: PgPool) {
    let node = Node::new(&db, vec![asking()]);
    let ([ada, bob], [first, second], answer) = proposed(&node).await;
    let half = node.ok(ada, "POST", &answer, say(true)).await;
    assert_eq!((&half["state"], &half["accepted"]), (&json!("asking"), &json!(1)));
    assert_eq!(node.count("select count(*) from battle").await, 0);
    let whole = node.ok(bob, "POST", &answer, say(true)).await;
    assert_eq!(whole["state"], "accepted");
    for (player, ticket) in [(ada, first), (bob, second)] {
        let ticket = node.ticket(player, &ticket).await;
        assert_eq!(
            (&ticket["state"], &ticket["battle_id"]),
            (&json!("matched"), &whole["battle_id"])
        );
    }
    assert_eq!(node.count("select count(*) from battle_player").await, 2);
    assert_eq!(node.count("select count(*) from ticket_open").await, 0);
    let late = node.refused(ada, "POST", &answer, say(false)).await;
    assert_eq!(late, (409, "matchmaking.proposal_over".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn who_says_no_is_out_and_the_other_keeps_the_place(db: PgPool) {
    let node = Node::new(&db, vec![asking()]);
    let ([ada, bob], [first, second], answer) = proposed(&node).await;
    let before = node.ticket(bob, &second).await["created_at"].clone();
    node.ok(ada, "POST", &answer, say(false)).await;
    let out = node.ticket(ada, &first).await;
    assert_eq!(out["state"], "cancelled");
    assert!(out["why"].as_str().unwrap().contains("declined"), "{out}");
    let kept = node.ticket(bob, &second).await;
    assert_eq!((&kept["state"], &kept["created_at"]), (&json!("waiting"), &before));
    // A newcomer is behind, and the next match is made with both.
    let [eve] = node.players(["Eve"]).await;
    node.wait_in(eve, "duel").await;
    assert_eq!(node.pass().await.matched, 2);
    assert_eq!(node.ticket(bob, &second).await["state"], "proposed");
    node.wait_in(ada, "duel").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn who_says_nothing_is_dropped_when_the_time_is_over(db: PgPool) {
    let node = Node::new(&db, vec![asking()]);
    let ([ada, bob], [first, second], answer) = proposed(&node).await;
    node.ok(ada, "POST", &answer, say(true)).await;
    node.wait_s(9);
    node.clean_up().await;
    assert_eq!(node.ticket(ada, &first).await["state"], "proposed");
    node.wait_s(1);
    let late = node.refused(bob, "POST", &answer, say(true)).await;
    assert_eq!(late, (409, "matchmaking.proposal_over".to_owned()));
    node.clean_up().await;
    assert_eq!(node.ticket(ada, &first).await["state"], "waiting");
    let silent = node.ticket(bob, &second).await;
    assert_eq!(silent["state"], "cancelled");
    assert!(silent["why"].as_str().unwrap().contains("did not answer"), "{silent}");
    assert_eq!(node.count("select count(*) from ticket_open").await, 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn cancelling_the_ticket_is_an_answer_too(db: PgPool) {
    let node = Node::new(&db, vec![asking()]);
    let ([ada, bob], [first, second], answer) = proposed(&node).await;
    let path = format!("/v1/matchmaking/tickets/{first}");
    node.ok(ada, "DELETE", &path, None).await;
    assert_eq!(node.ticket(bob, &second).await["state"], "waiting");
    let over = node.refused(bob, "POST", &answer, say(true)).await;
    assert_eq!(over, (409, "matchmaking.proposal_over".to_owned()));
    let [eve] = node.players(["Eve"]).await;
    let strange = node.refused(eve, "POST", &answer, say(true)).await;
    assert_eq!(strange, (404, "matchmaking.unknown_proposal".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn two_who_accept_at_once_make_one_battle(db: PgPool) {
    let node = Node::new(&db, vec![asking()]);
    let ([ada, bob], _, answer) = proposed(&node).await;
    let (a, b) = tokio::join!(
        node.call(ada, "POST", &answer, say(true)),
        node.call(bob, "POST", &answer, say(true))
    );
    assert!(a.0.is_success() && b.0.is_success(), "{a:?} {b:?}");
    assert_eq!(node.count("select count(*) from battle").await, 1);
    assert_eq!(node.count("select count(*) from battle_player").await, 2);
}

/// Waits until somebody waits for a lock in this database.
async fn until_somebody_waits(db: &PgPool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(db)
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "nobody waits for a lock");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_ticket_that_is_cancelled_while_a_match_takes_it_takes_the_match_with_it(db: PgPool) {
    let node = Node::new(&db, vec![asking()]);
    let [ada, bob] = node.players(["Ada", "Bob"]).await;
    let (first, second) = (node.wait_in(ada, "duel").await, node.wait_in(bob, "duel").await);
    // A matcher that has taken both tickets, and is not done yet.
    let mut matcher = db.begin().await.unwrap();
    sqlx::raw_sql(
        "insert into match_proposal (match_id, queue, answer_by, win_chance)
             values ('00000000-0000-7000-8000-000000000009', 'duel', now() + interval '1 h', 0.5);
         update ticket set state = 'proposed', match_id = '00000000-0000-7000-8000-000000000009'",
    )
    .execute(&mut *matcher)
    .await
    .unwrap();
    let path = format!("/v1/matchmaking/tickets/{first}");
    let cancelling = node.ok(ada, "DELETE", &path, None);
    let finishing = async {
        until_somebody_waits(&db).await;
        matcher.commit().await.unwrap();
    };
    tokio::join!(cancelling, finishing);
    assert_eq!(node.ticket(ada, &first).await["state"], "cancelled");
    assert_eq!(node.ticket(bob, &second).await["state"], "waiting", "nobody is asked in vain");
    let asking = "select count(*) from match_proposal where state = 'asking'";
    assert_eq!(node.count(asking).await, 0);
}
