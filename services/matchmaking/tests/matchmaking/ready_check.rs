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
    // Declining costs a pause.
    let queue = Some(json!({ "queue": "duel" }));
    let paused = node.refused(ada, "POST", "/v1/matchmaking/tickets", queue).await;
    assert_eq!(paused, (429, "matchmaking.paused".to_owned()));
    node.wait_s(15);
    node.wait_in(ada, "duel").await;
}

/// Seconds that a player has to wait before it may queue, as the API tells in both places.
async fn pause_s(node: &Node, player: Uuid, leader: Uuid) -> i64 {
    let queue = Some(json!({ "queue": "duel" }));
    let (status, refused) = node.call(leader, "POST", "/v1/matchmaking/tickets", queue).await;
    assert_eq!((status.as_u16(), &refused["error"]["code"]), (429, &json!("matchmaking.paused")));
    let until = |text: &serde_json::Value| {
        let format = &time::format_description::well_known::Rfc3339;
        time::OffsetDateTime::parse(text.as_str().unwrap(), format).unwrap()
    };
    let mine = node.ok(player, "GET", "/v1/matchmaking/mine", None).await;
    let details = &refused["error"]["details"];
    assert_eq!(details["declines"], mine["pause"]["declines"], "{mine}");
    let wait = until(&mine["pause"]["until"]) - node.settings.clock.now(node.db()).await.unwrap();
    assert!(until(&details["until"]) >= until(&mine["pause"]["until"]));
    wait.whole_milliseconds() as i64 / 1_000 + 1
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn declining_again_and_again_costs_more_and_more(db: PgPool) {
    let node = Node::new(&db, vec![asking()]);
    let [ada] = node.players(["Ada"]).await;
    let mut pauses = Vec::new();
    for round in 0..9 {
        let name = format!("Opponent {round}");
        let opponent = sortie_testing::player(&db, &name).await;
        let tickets = [node.wait_in(ada, "duel").await, node.wait_in(opponent, "duel").await];
        assert_eq!(node.pass().await.matches, 1);
        let ticket = node.ticket(ada, &tickets[0]).await;
        let match_id = ticket["proposal"]["match_id"].as_str().unwrap();
        let answer = format!("/v1/matchmaking/proposals/{match_id}/answer");
        match round % 3 {
            0 => drop(node.ok(ada, "POST", &answer, say(false)).await),
            1 => {
                // Silence, while the other one is there.
                node.ok(opponent, "POST", &answer, say(true)).await;
                node.wait_s(10);
                node.clean_up().await;
            }
            _ => {
                let path = format!("/v1/matchmaking/tickets/{}", tickets[0]);
                node.ok(ada, "DELETE", &path, None).await;
            }
        }
        let over = node.ticket(opponent, &tickets[1]).await;
        assert_eq!(over["state"], "waiting", "whoever was there waits on");
        node.ok(opponent, "DELETE", &format!("/v1/matchmaking/tickets/{}", tickets[1]), None).await;
        let mine = node.ok(opponent, "GET", "/v1/matchmaking/mine", None).await;
        assert!(mine["pause"].is_null(), "{mine}");
        let pause = pause_s(&node, ada, ada).await;
        pauses.push(pause);
        node.wait_s(pause);
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 900, 900, 900]);
    // An hour without one, and it begins anew.
    node.wait_s(3_601);
    let ([_, bob], _, answer) = {
        let tickets = [node.wait_in(ada, "duel").await];
        let bob = sortie_testing::player(&db, "Bob").await;
        node.wait_in(bob, "duel").await;
        node.pass().await;
        let ticket = node.ticket(ada, &tickets[0]).await;
        let match_id = ticket["proposal"]["match_id"].as_str().unwrap().to_owned();
        ([ada, bob], tickets, format!("/v1/matchmaking/proposals/{match_id}/answer"))
    };
    node.ok(bob, "POST", &answer, say(false)).await;
    assert_eq!(pause_s(&node, bob, bob).await, 15);
    let mine = node.ok(ada, "GET", "/v1/matchmaking/mine", None).await;
    assert!(mine["pause"].is_null(), "{mine}");
}

/// Ada with Bob and Eve with Joe, at a queue that asks two pairs.
async fn two_pairs(db: &PgPool) -> (Node, [Uuid; 4]) {
    let pairs = Queue {
        ready_check_s: Some(10),
        team_max: 2,
        players_max: 4,
        team_min: 2,
        ..queue("duel")
    };
    let node = Node::new(db, vec![pairs]);
    let players = node.players(["Ada", "Bob", "Eve", "Joe"]).await;
    node.party(&players[..2]).await;
    node.party(&players[2..]).await;
    (node, players)
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_party_pauses_together_and_its_members_do_not_lose_it_by_leaving(db: PgPool) {
    let (node, [ada, bob, eve, joe]) = two_pairs(&db).await;
    let (first, second) = (node.wait_in(ada, "duel").await, node.wait_in(eve, "duel").await);
    assert_eq!(node.pass().await.matches, 1);
    let ticket = node.ticket(bob, &first).await;
    let match_id = ticket["proposal"]["match_id"].as_str().unwrap();
    let answer = format!("/v1/matchmaking/proposals/{match_id}/answer");
    node.ok(bob, "POST", &answer, say(false)).await;
    assert_eq!(node.ticket(eve, &second).await["state"], "waiting");
    // The leader is told of the pause, and so is each member alone.
    assert_eq!(pause_s(&node, ada, ada).await, 15);
    node.ok(bob, "POST", "/v1/parties/leave", None).await;
    for player in [ada, bob] {
        assert_eq!(pause_s(&node, player, player).await, 15);
    }
    // In another party, it takes that party along.
    node.ok(eve, "DELETE", &format!("/v1/matchmaking/tickets/{second}"), None).await;
    node.ok(joe, "POST", "/v1/parties/leave", None).await;
    node.ok(eve, "POST", "/v1/parties/leave", None).await;
    node.party(&[eve, bob]).await;
    assert_eq!(pause_s(&node, bob, eve).await, 15);
    node.wait_s(15);
    node.wait_in(eve, "duel").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn leaving_the_party_while_a_match_asks_is_an_answer_too(db: PgPool) {
    let (node, [ada, bob, eve, joe]) = two_pairs(&db).await;
    node.wait_in(ada, "duel").await;
    let kept = node.wait_in(eve, "duel").await;
    assert_eq!(node.pass().await.matches, 1);
    node.ok(bob, "POST", "/v1/parties/leave", None).await;
    assert_eq!(node.ticket(eve, &kept).await["state"], "waiting");
    for player in [ada, bob] {
        assert_eq!(pause_s(&node, player, player).await, 15);
    }
    // Whoever leaves a party that only waits has kept nobody waiting.
    node.ok(joe, "POST", "/v1/parties/leave", None).await;
    let mine = node.ok(joe, "GET", "/v1/matchmaking/mine", None).await;
    assert!(mine["pause"].is_null(), "{mine}");
}

/// An account that is made to be erased is no way out of a match either.
#[sqlx::test(migrator = "MIGRATOR")]
async fn erasing_a_member_while_a_match_asks_is_an_answer_too(db: PgPool) {
    let (node, [ada, bob, eve, _]) = two_pairs(&db).await;
    node.wait_in(ada, "duel").await;
    let kept = node.wait_in(eve, "duel").await;
    assert_eq!(node.pass().await.matches, 1);
    let mut tx = db.begin().await.unwrap();
    sortie_matchmaking::erase(&mut tx, bob).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(node.ticket(eve, &kept).await["state"], "waiting");
    assert_eq!(pause_s(&node, ada, ada).await, 15);
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
