//! Whose a seat in a battle is, and who gets it after its player left for good.

use crate::support::{Node, queue};
use serde_json::json;
use sortie_control::store::MIGRATOR;
use sortie_matchmaking::Queue;
use sqlx::PgPool;
use uuid::Uuid;

/// Two a side, and slots for two who come later.
fn pairs() -> Queue {
    Queue { team_min: 2, team_max: 2, players_max: 6, ..queue("pairs") }
}

/// A running battle of Ada, Bob, Eve and Joe.
async fn full_battle(node: &Node) -> ([Uuid; 4], String) {
    let players = node.players(["Ada", "Bob", "Eve", "Joe"]).await;
    let mut ticket = String::new();
    for player in players {
        ticket = node.wait_in(player, "pairs").await;
    }
    assert_eq!(node.pass().await.matched, 4);
    let battle_id = node.ticket(players[3], &ticket).await["battle_id"].clone();
    let battle_id = battle_id.as_str().unwrap().to_owned();
    node.run_battle(&battle_id).await;
    (players, battle_id)
}

/// As the fleet does when the battle's server says so.
async fn gone(node: &Node, player: Uuid) {
    sqlx::query("update battle_player set gone_at = now(), gone_tick = 9 where player_id = $1")
        .bind(player)
        .execute(node.db())
        .await
        .unwrap();
}

async fn seats(node: &Node) -> i64 {
    node.count("select count(*) from battle_player where gone_at is null").await
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_seat_of_a_player_who_left_for_good_is_filled_again(db: PgPool) {
    let node = Node::new(&db, vec![pairs()]);
    let ([ada, bob, ..], battle_id) = full_battle(&node).await;
    let [max, sue, zoe] = node.players(["Max", "Sue", "Zoe"]).await;
    let ticket = node.wait_in(max, "pairs").await;
    assert_eq!(node.pass().await.backfilled, 0, "every seat is somebody's");
    gone(&node, ada).await;
    assert_eq!(node.pass().await.backfilled, 1);
    assert_eq!(node.ticket(max, &ticket).await["battle_id"], battle_id.as_str());
    let sides = "select count(distinct team) from battle_player join player using (player_id)
        where name in ('Ada', 'Max')";
    assert_eq!(node.count(sides).await, 1, "it is the team that lacks a player");
    let join = format!("/v1/battles/{battle_id}/join");
    let taken = node.refused(ada, "POST", &join, None).await;
    assert_eq!(taken, (410, "battle.seat_taken".to_owned()));
    // Who has left takes no place: as often as it takes.
    gone(&node, bob).await;
    node.wait_in(sue, "pairs").await;
    assert_eq!(node.pass().await.backfilled, 1);
    gone(&node, sue).await;
    node.wait_in(zoe, "pairs").await;
    assert_eq!(node.pass().await.backfilled, 1);
    assert_eq!(seats(&node).await, 4);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_seat_of_a_player_who_does_not_come_is_filled_again(db: PgPool) {
    let node = Node::new(&db, vec![pairs()]);
    let ([ada, bob, eve, joe], battle_id) = full_battle(&node).await;
    let join = format!("/v1/battles/{battle_id}/join");
    for player in [ada, bob, eve] {
        node.ok(player, "POST", &join, None).await;
    }
    let [max] = node.players(["Max"]).await;
    let ticket = node.wait_in(max, "pairs").await;
    assert_eq!(node.pass().await.backfilled, 0, "Joe has time to come");
    let later = "update battle set started_at = started_at - interval '2 minutes'";
    sqlx::query(later).execute(&db).await.unwrap();
    assert_eq!(node.pass().await.backfilled, 0, "the ticket was good until just now");
    let later = "update ticket set expires_at = expires_at - interval '2 minutes'
        where state = 'matched'";
    sqlx::query(later).execute(&db).await.unwrap();
    assert_eq!(node.pass().await.backfilled, 1);
    assert_eq!(node.ticket(max, &ticket).await["battle_id"], battle_id.as_str());
    let gone = "select count(*) from battle_player join player using (player_id)
        where name = 'Joe' and gone_at is not null";
    assert_eq!((node.count(gone).await, seats(&node).await), (1, 4));
    let taken = node.refused(joe, "POST", &join, None).await;
    assert_eq!(taken, (410, "battle.seat_taken".to_owned()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn whoever_has_a_seat_in_a_live_battle_may_not_queue_again(db: PgPool) {
    let node = Node::new(&db, vec![pairs()]);
    let ([ada, bob, eve, joe], battle_id) = full_battle(&node).await;
    let again = Some(json!({ "queue": "pairs" }));
    let tickets = "/v1/matchmaking/tickets";
    let (status, body) = node.call(ada, "POST", tickets, again.clone()).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (409, &json!("matchmaking.in_battle")));
    let details = &body["error"]["details"];
    assert_eq!(details["battle_id"], battle_id.as_str());
    assert_eq!(details["player_id"], json!(ada));
    // Its server may just be telling that it is over.
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("try again in a second"), "{message}");
    assert_eq!(node.count("select count(*) from ticket_open").await, 0);
    node.ok(ada, "POST", &format!("/v1/battles/{battle_id}/join"), None).await;
    // Gone for good, gave it up, the server is away, the battle is over: all may queue.
    gone(&node, ada).await;
    node.wait_in(ada, "pairs").await;
    node.ok(bob, "POST", &format!("/v1/battles/{battle_id}/leave"), None).await;
    node.wait_in(bob, "pairs").await;
    let server = "update battle_server set state = 'gone'";
    sqlx::query(server).execute(&db).await.unwrap();
    node.wait_in(eve, "pairs").await;
    sqlx::query("update battle_server set state = 'ready'").execute(&db).await.unwrap();
    node.set_battle(&battle_id, "finished").await;
    node.wait_in(joe, "pairs").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn who_gives_up_a_seat_is_sent_off_and_may_have_it_back_while_it_is_free(db: PgPool) {
    let node = Node::new(&db, vec![pairs()]);
    let ([ada, ..], battle_id) = full_battle(&node).await;
    let (join, leave) =
        (format!("/v1/battles/{battle_id}/join"), format!("/v1/battles/{battle_id}/leave"));
    for _ in 0..2 {
        node.ok(ada, "POST", &leave, None).await;
    }
    let kicks = "select count(*) from server_order where kind = 'kick'";
    assert_eq!((node.count(kicks).await, seats(&node).await), (1, 3));
    node.ok(ada, "POST", &join, None).await;
    assert_eq!(seats(&node).await, 4);
    // Whoever waits for another battle decides first.
    node.ok(ada, "POST", &leave, None).await;
    let ticket = node.wait_in(ada, "pairs").await;
    let waits = node.refused(ada, "POST", &join, None).await;
    assert_eq!(waits, (409, "matchmaking.waiting".to_owned()));
    // Sent into it again, by the queue.
    assert_eq!(node.pass().await.backfilled, 1);
    assert_eq!(node.ticket(ada, &ticket).await["battle_id"], battle_id.as_str());
    assert_eq!(seats(&node).await, 4);
    let [stranger] = node.players(["Stranger"]).await;
    let refused = node.refused(stranger, "POST", &leave, None).await;
    assert_eq!(refused, (403, "battle.not_a_player".to_owned()));
    node.set_battle(&battle_id, "finished").await;
    let over = node.refused(ada, "POST", &leave, None).await;
    assert_eq!(over, (410, "battle.finished".to_owned()));
}
