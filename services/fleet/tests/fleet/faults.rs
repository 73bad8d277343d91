//! The database goes away and comes back; connections are cut.

use std::time::{Duration, Instant};

use sortie_fleet::Settings;
use sortie_rpc::fleet::v1::order::What;
use sqlx::{Connection, PgConnection, PgPool};

use crate::common::{Node, ask, quick, registration, status, until, until_state};

/// Another connection, to turn the test's database off and on with.
struct Switch {
    name: String,
    control: PgConnection,
}

impl Switch {
    async fn of(db: &PgPool) -> Self {
        let name: String =
            sqlx::query_scalar("select current_database()").fetch_one(db).await.unwrap();
        let options = (*db.connect_options()).clone().database("postgres");
        Self { name, control: PgConnection::connect_with(&options).await.unwrap() }
    }

    async fn allow(&mut self, allowed: bool) {
        let sql = format!("alter database \"{}\" allow_connections {allowed}", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.control).await.unwrap();
    }

    async fn cut(&mut self) {
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
            .bind(&self.name)
            .execute(&mut self.control)
            .await
            .unwrap();
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_database_that_was_away_costs_no_server_its_stream(db: PgPool) {
    let mut switch = Switch::of(&db).await;
    // Long enough to outlast the outage: what is tested is that the stream goes on.
    let node = Node::start(&db, Settings { lease: Duration::from_secs(30), ..quick() }).await;
    let server = node.fleet().await.register(registration("one", 2)).await;
    let mut line = server.serve().await;
    let first = ask(&db, 64).await;
    assert!(matches!(line.order().await.what, Some(What::Open(_))));
    let mut beat = server.beat();
    beat.battles = vec![status(first, 1)];
    line.send(beat.clone()).await;
    until_state(&db, first, "running").await;

    switch.allow(false).await;
    switch.cut().await;
    let away_at = Instant::now();
    until("two seconds have passed", || async {
        line.send(beat.clone()).await;
        away_at.elapsed() > Duration::from_secs(2)
    })
    .await;
    switch.allow(true).await;
    let back_at = Instant::now();
    beat.battles[0].tick = 99;
    line.send(beat.clone()).await;
    let second = loop {
        // The pool of the test is the node's: it finds out by itself, too.
        if sqlx::query("select 1").execute(&db).await.is_ok() {
            break ask(&db, 64).await;
        }
    };
    let Some(What::Open(open)) = line.order().await.what else { panic!("no order to open") };
    assert_eq!(open.battle_id, second.to_string());
    until("a heartbeat is stored", || async {
        line.send(beat.clone()).await;
        let tick: i64 =
            sqlx::query_scalar("select (status->>'tick')::bigint from battle where battle_id = $1")
                .bind(first)
                .fetch_one(&db)
                .await
                .unwrap();
        tick == 99
    })
    .await;
    assert!(back_at.elapsed() < Duration::from_secs(5), "{:?}", back_at.elapsed());
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn after_an_outage_longer_than_a_lease_no_server_is_gone_before_it_can_renew_its_own(
    db: PgPool,
) {
    let mut switch = Switch::of(&db).await;
    let lease = Duration::from_secs(3);
    let node = Node::start(&db, Settings { lease, ..quick() }).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    let began_at = Instant::now();
    until("leases are looked after", || async {
        line.send(server.beat()).await;
        began_at.elapsed() > lease
    })
    .await;
    switch.allow(false).await;
    switch.cut().await;
    let away_at = Instant::now();
    until("the outage is longer than a lease", || async {
        line.send(server.beat()).await;
        away_at.elapsed() > lease + Duration::from_secs(1)
    })
    .await;
    switch.allow(true).await;
    // The next heartbeat comes later than many looks at the leases, and sooner than a lease.
    let back_at = Instant::now();
    until("a third of a lease has passed", || async { back_at.elapsed() > lease / 3 }).await;
    until("a battle is asked for", || async { sqlx::query("select 1").execute(&db).await.is_ok() })
        .await;
    let gone: Vec<String> =
        sqlx::query_scalar("select name from battle_server where state = 'gone'")
            .fetch_all(&db)
            .await
            .unwrap();
    assert!(gone.is_empty(), "it could not renew its lease yet");
    line.send(server.beat()).await;
    let battle = ask(&db, 64).await;
    let Some(What::Open(open)) = line.order().await.what else { panic!("no order to open") };
    assert_eq!(open.battle_id, battle.to_string());
    node.stop().await;
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn notifications_come_again_after_the_listening_connection_was_cut(db: PgPool) {
    let mut switch = Switch::of(&db).await;
    let rare = Duration::from_secs(3_600);
    let settings = Settings { order_poll: rare, lease: rare, ..quick() };
    let node = Node::without_jobs(&db, settings).await;
    let server = node.fleet().await.register(registration("one", 1)).await;
    let mut line = server.serve().await;
    until("the first heartbeat is stored", || async {
        let stored = "select load <> '{}' from battle_server where server_id = $1";
        sqlx::query_scalar(stored).bind(server.uuid()).fetch_one(&db).await.unwrap()
    })
    .await;
    switch.cut().await;
    until("the database answers", || async {
        sqlx::query("insert into server_order (server_id, kind, body) values ($1, 'drain', '{}')")
            .bind(server.uuid())
            .execute(&db)
            .await
            .is_ok()
    })
    .await;
    assert!(line.order().await.what.is_some());
    node.stop().await;
}
