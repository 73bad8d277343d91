//! Placement: never too many, never twice, never on a server that cannot.

use std::collections::HashMap;

use sortie_rpc::fleet::v1::order::What;
use sqlx::PgPool;
use uuid::Uuid;

use crate::common::{Node, ask, quick, registration, state, status, until, until_state};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn two_nodes_place_each_battle_once_and_fill_no_server_beyond_its_room(db: PgPool) {
    // Long leases: what is tested is who gets what, not how long they live.
    let lease = std::time::Duration::from_secs(60);
    let settings = sortie_fleet::Settings { lease, ..quick() };
    let fleet_node = Node::without_jobs(&db, settings.clone()).await;
    let fleet = fleet_node.fleet().await;
    let mut room = 0;
    for number in 0..6 {
        fleet.register(registration(&format!("server-{number}"), number + 1)).await;
        room += i64::from(number) + 1;
    }
    for _ in 0..40 {
        ask(&db, 64).await;
    }
    let nodes = [Node::start(&db, settings.clone()).await, Node::start(&db, settings).await];
    let count = |state: &'static str| {
        let db = db.clone();
        async move {
            sqlx::query_scalar::<_, i64>("select count(*) from battle where state = $1")
                .bind(state)
                .fetch_one(&db)
                .await
                .unwrap()
        }
    };
    until("all room is taken", || async { count("allocated").await == room }).await;
    until("the others say why they wait", || async {
        let said: i64 = sqlx::query_scalar(
            "select count(*) from battle where state = 'asked' and status->>'waiting' is not null",
        )
        .fetch_one(&db)
        .await
        .unwrap();
        said == 40 - room
    })
    .await;
    let servers: Vec<(String, i32, i64)> = sqlx::query_as(
        "select name, battles_max, (select count(*) from battle b
             where b.server_id = s.server_id) from battle_server s",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    for (name, battles_max, battles) in servers {
        assert_eq!(i64::from(battles_max), battles, "{name}");
    }
    let opened: Vec<(String, i64)> = sqlx::query_as(
        "select body->>'battle_id', count(*) from server_order where kind = 'open' group by 1",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    let opened: HashMap<String, i64> = opened.into_iter().collect();
    assert_eq!(opened.len() as i64, room);
    assert!(opened.values().all(|&count| count == 1), "{opened:?}");
    for node in nodes {
        node.stop().await;
    }
    fleet_node.stop().await;
}

/// What a battle says of itself.
async fn why(db: &PgPool, battle: Uuid) -> String {
    let query = "select coalesce(status->>'waiting', '') from battle where battle_id = $1";
    sqlx::query_scalar(query).bind(battle).fetch_one(db).await.unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn battles_that_no_server_is_large_enough_for_hold_up_nobody(db: PgPool) {
    let lease = std::time::Duration::from_secs(60);
    let settings = sortie_fleet::Settings { lease, ..quick() };
    // More of them, and older, than one look plans for.
    let mut large = Vec::new();
    for _ in 0..70 {
        large.push(ask(&db, 1_000).await);
    }
    let small = ask(&db, 64).await;
    let node = Node::start(&db, settings).await;
    node.fleet().await.register(registration("one", 1)).await;
    until_state(&db, small, "allocated").await;
    until("they say why they wait", || async {
        why(&db, large[69]).await == "no battle server takes so many players"
    })
    .await;
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_that_nobody_takes_is_cancelled_and_says_why(db: PgPool) {
    let give_up_after = std::time::Duration::from_millis(600);
    let settings = sortie_fleet::Settings { give_up_after, ..quick() };
    let node = Node::start(&db, settings).await;
    let battle = ask(&db, 64).await;
    until_state(&db, battle, "cancelled").await;
    assert_eq!(why(&db, battle).await, "it was given up: no battle server is there");
    node.stop().await;
}

/// A battle that a queue made.
async fn matched(db: &PgPool) -> Uuid {
    let battle = ask(db, 64).await;
    sqlx::query(
        "insert into queue_battle (battle_id, queue, made_at, win_chance)
         values ($1, 'conquest', now(), 0.5)",
    )
    .bind(battle)
    .execute(db)
    .await
    .unwrap();
    battle
}

/// A battle was asked for so long ago.
async fn has_waited(db: &PgPool, battle: Uuid, seconds: f64) {
    let asked = "update battle set asked_at = now() - make_interval(secs => $2)
        where battle_id = $1";
    sqlx::query(asked).bind(battle).bind(seconds).execute(db).await.unwrap();
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn battles_of_queues_come_before_those_that_players_arranged(db: PgPool) {
    let lease = std::time::Duration::from_secs(60);
    let settings = sortie_fleet::Settings { lease, ..quick() };
    let arranged = ask(&db, 64).await;
    let matched = matched(&db).await;
    let fleet_node = Node::without_jobs(&db, settings.clone()).await;
    fleet_node.fleet().await.register(registration("one", 1)).await;
    let node = Node::start(&db, settings).await;
    until_state(&db, matched, "allocated").await;
    assert_eq!(state(&db, arranged).await, "asked");
    node.stop().await;
    fleet_node.stop().await;
}

/// More than one look plans for wait in the queues, and always will: a room's turn comes.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn rooms_do_not_starve_behind_queues_and_do_not_take_the_servers_from_them(db: PgPool) {
    let lease = std::time::Duration::from_secs(60);
    let settings = sortie_fleet::Settings { lease, ..quick() };
    let (first, second) = (ask(&db, 64).await, ask(&db, 64).await);
    has_waited(&db, first, 50.0).await;
    has_waited(&db, second, 49.0).await;
    for _ in 0..70 {
        let battle = matched(&db).await;
        has_waited(&db, battle, 10.0).await;
    }
    let fleet_node = Node::without_jobs(&db, settings.clone()).await;
    fleet_node.fleet().await.register(registration("one", 4)).await;
    let node = Node::start(&db, settings).await;
    until_state(&db, first, "allocated").await;
    until("the queues have the rest", || async {
        let matched: i64 = sqlx::query_scalar(
            "select count(*) from battle join queue_battle using (battle_id)
             where state = 'allocated'",
        )
        .fetch_one(&db)
        .await
        .unwrap();
        matched == 3
    })
    .await;
    assert_eq!(state(&db, second).await, "asked", "rooms have their share, which is one of four");
    node.stop().await;
    fleet_node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_is_opened_and_runs_from_its_first_status_on(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let battle = ask(&db, 64).await;
    let Some(What::Open(open)) = line.order().await.what else { panic!("no order to open") };
    assert_eq!(open.battle_id, battle.to_string());
    assert_eq!((open.mode.as_str(), open.map.as_str()), ("conquest", "ridge"));
    assert_eq!((open.players_max, open.duration_s), (64, 600));
    assert_eq!(state(&db, battle).await, "allocated");
    let mut beat = server.beat();
    beat.battles = vec![status(battle, 61)];
    line.send(beat).await;
    until_state(&db, battle, "running").await;
    let stored: serde_json::Value = sqlx::query_scalar(
        "select status from battle where battle_id = $1 and started_at is not null",
    )
    .bind(battle)
    .fetch_one(&db)
    .await
    .unwrap();
    assert_eq!((stored["tick"].as_u64(), stored["score"][1].as_u64()), (Some(61), Some(90)));
    assert!(stored.get("positions").is_none(), "{stored}");
    assert_eq!(fleet.servers().await[0].battles, 1);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_refused_battle_goes_to_another_server_and_is_given_up_after_three(db: PgPool) {
    use sortie_rpc::fleet::v1::RefusedBattle;
    let lease = std::time::Duration::from_secs(60);
    let node = Node::start(&db, sortie_fleet::Settings { lease, ..quick() }).await;
    let fleet = node.fleet().await;
    let battle = ask(&db, 64).await;
    let mut seen = Vec::new();
    let refuse = |server: &crate::common::Server| {
        let mut beat = server.beat();
        let why = "no such map".to_owned();
        beat.refused = vec![RefusedBattle { battle_id: battle.to_string(), why }];
        beat
    };
    let one = fleet.register(registration("one", 1)).await;
    let mut line = one.serve().await;
    line.order().await;
    // Before the refusal there is another server.
    let two = fleet.register(registration("two", 1)).await;
    let mut other = two.serve().await;
    line.send(refuse(&one)).await;
    seen.push(other.order().await.what);
    other.send(refuse(&two)).await;
    // Only the first is left that did not refuse it last; its refusal still stands.
    line.order().await;
    until("it is given up", || async {
        line.send(refuse(&one)).await;
        state(&db, battle).await == "cancelled"
    })
    .await;
    let why: String =
        sqlx::query_scalar("select status->>'waiting' from battle where battle_id = $1")
            .bind(battle)
            .fetch_one(&db)
            .await
            .unwrap();
    assert!(why.contains("no such map"), "{why}");
    assert!(matches!(&seen[0], Some(What::Open(open)) if open.battle_id == battle.to_string()));
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_server_that_runs_what_is_not_its_own_is_told_to_end_it(db: PgPool) {
    let node = Node::without_jobs(&db, quick()).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let stranger = Uuid::now_v7();
    let mut beat = server.beat();
    beat.battles = vec![status(stranger, 1)];
    let mut line = server.serve_with(beat.clone()).await;
    let Some(What::End(end)) = line.order().await.what else { panic!("no order to end") };
    assert_eq!(end.battle_id, stranger.to_string());
    line.send(beat).await;
    let orders: i64 =
        sqlx::query_scalar("select count(*) from server_order").fetch_one(&db).await.unwrap();
    assert_eq!(orders, 1, "told once");
    node.stop().await;
}
