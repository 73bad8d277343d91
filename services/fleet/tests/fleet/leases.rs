//! Leases: who is gone when, and what becomes of battles and orders.

use std::time::{Duration, Instant};

use sortie_fleet::Settings;
use sortie_rpc::fleet::v1::order::What;
use sqlx::PgPool;
use tonic::Code;

use crate::common::{Node, ask, quick, registration, state, status, until, until_state};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_dead_server_is_gone_within_fifteen_seconds_with_the_shipped_times(db: PgPool) {
    // The times that ship, apart from the ones that have nothing to do with it.
    let settings = Settings::default();
    assert!(settings.lease + settings.cleanup_every < Duration::from_secs(15));
    let node = Node::start(&db, settings).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 1)).await;
    let line = server.serve().await;
    until("the heartbeat is stored", || async { fleet.servers().await[0].load.is_some() }).await;
    let died_at = Instant::now();
    drop(line);
    until("it is gone", || async { fleet.servers().await[0].state == "gone" }).await;
    assert!(died_at.elapsed() < Duration::from_secs(15), "{:?}", died_at.elapsed());
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn heartbeats_keep_a_server_and_silence_loses_it(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let started = Instant::now();
    until("three leases have passed", || async {
        line.send(server.beat()).await;
        assert_eq!(fleet.servers().await[0].state, "ready");
        started.elapsed() > quick().lease * 3
    })
    .await;
    let ended = line.end().await;
    assert!(matches!(ended.code(), Code::DeadlineExceeded | Code::FailedPrecondition), "{ended:?}");
    until("it is gone", || async { fleet.servers().await[0].state == "gone" }).await;
    // The same epoch does not come back to life.
    let late = server.serve().await.end().await;
    assert_eq!(late.metadata().get("error-code").unwrap(), "fleet.lease_lost");
    assert_eq!(fleet.register(registration("one", 1)).await.epoch, 2);
    assert_eq!(fleet.servers().await[0].state, "ready");
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_that_did_not_begin_goes_to_another_server(db: PgPool) {
    let node = Node::start(&db, quick()).await;
    let fleet = node.fleet().await;
    let one = fleet.register(registration("one", 1)).await;
    let battle = ask(&db, 64).await;
    until_state(&db, battle, "allocated").await;
    until("its server is lost", || async { state(&db, battle).await == "asked" }).await;
    let two = fleet.register(registration("two", 1)).await;
    let mut line = two.serve().await;
    let Some(What::Open(open)) = line.order().await.what else { panic!("no order to open") };
    assert_eq!(open.battle_id, battle.to_string());
    // The first one comes back with it, too late.
    let mut request = registration("one", 1);
    request.battles = vec![battle.to_string()];
    assert_eq!(fleet.register(request).await.answer.forget, [battle.to_string()]);
    let orders: i64 = sqlx::query_scalar("select count(*) from server_order where server_id = $1")
        .bind(one.uuid())
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(orders, 0, "its order to open was taken back");
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_running_battle_waits_for_its_server_and_is_lost_after_the_grace(db: PgPool) {
    let settings = Settings { return_grace: Duration::from_millis(1_500), ..quick() };
    let node = Node::start(&db, settings).await;
    let fleet = node.fleet().await;
    let server = fleet.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let battle = ask(&db, 64).await;
    line.order().await;
    let mut beat = server.beat();
    beat.battles = vec![status(battle, 1)];
    line.send(beat).await;
    until_state(&db, battle, "running").await;
    drop(line);
    until("the server is gone", || async { fleet.servers().await[0].state == "gone" }).await;
    assert_eq!(state(&db, battle).await, "running");
    // It comes back in time, and after that without a status.
    let mut request = registration("one", 1);
    request.battles = vec![battle.to_string()];
    assert!(fleet.register(request.clone()).await.answer.forget.is_empty());
    assert_eq!(state(&db, battle).await, "running");
    until_state(&db, battle, "lost").await;
    // It has the battle nevertheless: what is fought there must not be thrown away.
    let back = fleet.register(request).await;
    assert!(back.answer.forget.is_empty());
    let (state, ended): (String, bool) =
        sqlx::query_as("select state, ended_at is not null from battle where battle_id = $1")
            .bind(battle)
            .fetch_one(&db)
            .await
            .unwrap();
    assert_eq!((state.as_str(), ended), ("running", false));
    let other = fleet.register(registration("two", 1)).await;
    assert_ne!(other.id, back.id);
    sqlx::query("update battle set state = 'lost'").execute(&db).await.unwrap();
    let mut request = registration("two", 1);
    request.battles = vec![battle.to_string()];
    assert_eq!(fleet.register(request).await.answer.forget, [battle.to_string()]);
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_server_that_does_not_begin_a_battle_in_time_loses_it(db: PgPool) {
    let settings = Settings {
        open_timeout: Duration::from_millis(300),
        tries_max: 2,
        lease: Duration::from_secs(60),
        ..quick()
    };
    let settings = Settings { cleanup_every: Duration::from_millis(50), ..settings };
    // The job waits a lease before its first look: another node's has looked long since.
    let looking = Settings { lease: Duration::from_millis(50), ..settings.clone() };
    let jobs = Node::start(&db, looking).await;
    let node = Node::without_jobs(&db, settings).await;
    node.fleet().await.register(registration("one", 1)).await;
    let battle = ask(&db, 64).await;
    until_state(&db, battle, "cancelled").await;
    let tries: i32 = sqlx::query_scalar("select tries from battle where battle_id = $1")
        .bind(battle)
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(tries, 2);
    node.stop().await;
    jobs.stop().await;
}
