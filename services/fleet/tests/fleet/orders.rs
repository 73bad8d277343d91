//! Orders: in their order, again until they are acknowledged, and by whom they are given.

use sortie_rpc::fleet::v1 as rpc;
use sortie_rpc::fleet::v1::order::What;
use sqlx::PgPool;
use tonic::Code;
use uuid::Uuid;

use crate::common::{
    Node, SECRET, Server, ask, enlist, quick, registration, state, status, until, until_state, with,
};

async fn open_orders(db: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from server_order where acknowledged_at is null")
        .fetch_one(db)
        .await
        .unwrap()
}

async fn say(db: &PgPool, server: &Server, text: &str) {
    sqlx::query("insert into server_order (server_id, kind, body) values ($1, 'message', $2)")
        .bind(server.uuid())
        .bind(serde_json::json!({ "battle_id": Uuid::nil(), "text": text }))
        .execute(db)
        .await
        .unwrap();
}

fn text(order: &rpc::Order) -> &str {
    match &order.what {
        Some(What::Message(say)) => &say.text,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn orders_come_again_after_a_reconnect_until_they_are_done(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    for number in 0..5 {
        say(&db, &server, &number.to_string()).await;
    }
    let mut line = server.serve().await;
    let mut last = 0;
    for number in 0..5 {
        let order = line.order().await;
        assert!(order.order_id > last);
        assert_eq!(text(&order), number.to_string());
        if number == 1 {
            let mut beat = server.beat();
            beat.order_done = order.order_id;
            line.send(beat).await;
        }
        last = order.order_id;
    }
    until("two are done", || async { open_orders(&db).await == 3 }).await;
    drop(line);
    let mut line = server.serve().await;
    for number in 2..5 {
        assert_eq!(text(&line.order().await), number.to_string());
    }
    let mut beat = server.beat();
    beat.order_done = last;
    line.send(beat).await;
    until("all are done", || async { open_orders(&db).await == 0 }).await;
    drop(line);
    // Nothing comes again: the next order is a new one.
    let mut line = server.serve().await;
    say(&db, &server, "new").await;
    assert_eq!(text(&line.order().await), "new");
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_notification_brings_an_order_before_the_next_look(db: PgPool) {
    let rare = std::time::Duration::from_secs(3_600);
    let settings = sortie_fleet::Settings { order_poll: rare, lease: rare, ..quick() };
    let node = Node::without_jobs(&db, settings).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    for number in 0..3 {
        say(&db, &server, &number.to_string()).await;
        assert_eq!(text(&line.order().await), number.to_string());
    }
    node.stop().await;
}

/// Numbers are given when a row is written, and rows are seen when they are committed: without
/// the lock in the trigger, a server that acknowledges a later number would never see the first.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn orders_are_seen_in_the_order_of_their_numbers(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let (db, server_id) = (db.clone(), server.uuid());
        writers.push(tokio::spawn(async move {
            for number in 0..10 {
                let mut tx = db.begin().await.unwrap();
                sqlx::query(
                    "insert into server_order (server_id, kind, body) values ($1, 'message', $2)",
                )
                .bind(server_id)
                .bind(serde_json::json!({
                    "battle_id": Uuid::nil(), "text": format!("{writer}/{number}")
                }))
                .execute(&mut *tx)
                .await
                .unwrap();
                // The others write in between, if they can.
                sqlx::query("select pg_sleep(0.002)").execute(&mut *tx).await.unwrap();
                tx.commit().await.unwrap();
            }
        }));
    }
    let mut line = server.serve().await;
    let mut last = 0;
    for _ in 0..80 {
        let order = line.order().await;
        assert!(order.order_id > last);
        last = order.order_id;
        let mut beat = server.beat();
        beat.order_done = last;
        line.send(beat).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    until("all are done", || async { open_orders(&db).await == 0 }).await;
    node.stop().await;
}

/// A newer node wrote it: it waits for one, whatever the server acknowledges meanwhile.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn an_order_of_an_unknown_kind_holds_up_no_other_and_is_left_for_a_newer_node(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let dance = serde_json::json!({ "player_id": Uuid::nil(), "reason": "joy", "steps": [1, 2] });
    sqlx::query("insert into server_order (server_id, kind, body) values ($1, 'dance', $2)")
        .bind(server.uuid())
        .bind(&dance)
        .execute(&db)
        .await
        .unwrap();
    say(&db, &server, "next").await;
    let mut line = server.serve().await;
    let order = line.order().await;
    assert_eq!(text(&order), "next");
    let mut beat = server.beat();
    beat.order_done = order.order_id;
    line.send(beat).await;
    until("what could be read is done", || async { open_orders(&db).await == 1 }).await;
    let (kind, body, order_id): (String, serde_json::Value, i64) = sqlx::query_as(
        "select kind, body, order_id from server_order where acknowledged_at is null",
    )
    .fetch_one(&db)
    .await
    .unwrap();
    assert_eq!((kind.as_str(), &body), ("dance", &dance));
    // The server passes over numbers that it has carried out already.
    assert!(u64::try_from(order_id).unwrap() > order.order_id, "{order_id}");
    say(&db, &server, "last").await;
    assert_eq!(text(&line.order().await), "last");
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_draining_server_gets_the_order_and_no_battle(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 4)).await;
    let mut line = server.serve().await;
    fleet.drain(&server.id).await.unwrap();
    fleet.drain(&server.id).await.expect("again: nothing changes");
    let order = line.order().await;
    assert_eq!(order.what, Some(What::Drain(rpc::DrainServer {})));
    assert_eq!(open_orders(&db).await, 1);
    assert_eq!(fleet.servers().await[0].state, "draining");
    let battle = ask(&db, 64).await;
    until("it says why it waits", || async {
        let waiting: Option<String> =
            sqlx::query_scalar("select status->>'waiting' from battle where battle_id = $1")
                .bind(battle)
                .fetch_one(&db)
                .await
                .unwrap();
        line.send(server.beat()).await;
        waiting.is_some_and(|why| why.contains("no battle server"))
    })
    .await;
    assert_eq!(state(&db, battle).await, "asked");
    let unknown = fleet.drain(&Uuid::nil().to_string()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(fleet.drain("no id").await.unwrap_err().code(), Code::InvalidArgument);
    let audited: i64 =
        sqlx::query_scalar("select count(*) from audit where action = 'fleet.drain'")
            .fetch_one(&db)
            .await
            .unwrap();
    assert_eq!(audited, 1);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn battles_are_ended_and_players_kicked_by_order(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let fleet = node.fleet().await;
    let battle = ask(&db, 64).await;
    let player = sortie_testing::player(&db, "Rude").await;
    enlist(&db, battle, player).await;
    let server = fleet.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    assert!(matches!(line.order().await.what, Some(What::Open(_))));
    let mut beat = server.beat();
    beat.battles = vec![status(battle, 1)];
    line.send(beat).await;
    until_state(&db, battle, "running").await;

    let mut client = fleet.0.clone();
    let kick = |battle_id: String, player: Uuid| {
        let reason = "rude".to_owned();
        with(rpc::KickRequest { battle_id, player_id: player.to_string(), reason }, SECRET)
    };
    client.kick(kick(String::new(), player)).await.unwrap();
    let Some(What::Kick(kicked)) = line.order().await.what else { panic!("no kick") };
    assert_eq!(kicked.battle_id, battle.to_string());
    assert_eq!((kicked.player_id, kicked.reason), (player.to_string(), "rude".to_owned()));
    let elsewhere = client.kick(kick(Uuid::nil().to_string(), player)).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::NotFound);

    let end = |battle: Uuid, reason: &str| {
        let reason = reason.to_owned();
        with(rpc::EndBattleRequest { battle_id: battle.to_string(), reason }, SECRET)
    };
    client.end_battle(end(battle, "maintenance")).await.unwrap();
    let Some(What::End(ended)) = line.order().await.what else { panic!("no end") };
    assert_eq!(ended.reason, "maintenance");
    let long = client.end_battle(end(battle, &"x".repeat(201))).await.unwrap_err();
    assert_eq!(long.code(), Code::InvalidArgument);
    let waiting = ask(&db, 64).await;
    client.end_battle(end(waiting, "")).await.unwrap();
    assert_eq!(state(&db, waiting).await, "cancelled");
    let over = client.end_battle(end(waiting, "")).await.unwrap_err();
    assert_eq!(over.code(), Code::FailedPrecondition);
    node.stop().await;
}
