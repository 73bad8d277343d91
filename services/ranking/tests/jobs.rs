//! What happens by itself: idleness, and old events of battles.

mod common;

use common::World;
use sortie_ranking::rating::Skill;
use sortie_ranking::{decay, keep_log};
use sqlx::PgPool;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn idle_players_become_less_certain_day_by_day(db: PgPool) {
    let world = World::new(db).await;
    let players = world.players(1_100).await;
    let battle = world.battle().await;
    world.store(world.report(battle, &players)).await;
    assert_eq!(decay(&world.db).await.unwrap(), 0, "everybody has just fought");
    sqlx::query("update rating set uncertainty = 3, rating = 30, shown = 1840")
        .execute(&world.db)
        .await
        .unwrap();
    let idle = "update rating set decays_at = now() - interval '10 days 1 hour'";
    sqlx::query(idle).execute(&world.db).await.unwrap();
    // Two nodes at once do it once.
    let (one, two) = tokio::join!(decay(&world.db), decay(&world.db));
    assert_eq!(one.unwrap() + two.unwrap(), 1_100);
    let expected = Skill { rating: 30.0, uncertainty: 3.0 }.after_idle_days(11);
    let rows: Vec<(f64, f64, i32)> =
        sqlx::query_as("select distinct rating, uncertainty, shown from rating")
            .fetch_all(&world.db)
            .await
            .unwrap();
    assert_eq!(rows, [(30.0, expected.uncertainty, expected.shown())]);
    let next = "select count(*) from rating where decays_at between now() + interval '22 hours'
        and now() + interval '23 hours'";
    assert_eq!(world.count(next).await, 1_100);
    assert_eq!(decay(&world.db).await.unwrap(), 0, "a day counts once");
    sqlx::query("update rating set decays_at = now() - interval '10 years'")
        .execute(&world.db)
        .await
        .unwrap();
    assert_eq!(decay(&world.db).await.unwrap(), 1_100);
    let forgotten = "select count(*) from rating where decays_at is null and uncertainty < 8.34";
    assert_eq!(world.count(forgotten).await, 1_100);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_after_idleness_begins_with_what_is_left(db: PgPool) {
    let world = World::new(db).await;
    let players = world.players(4).await;
    let battle = world.battle().await;
    world.store(world.report(battle, &players)).await;
    sqlx::query("update rating set uncertainty = 3, decays_at = now() - interval '5 days'")
        .execute(&world.db)
        .await
        .unwrap();
    decay(&world.db).await.unwrap();
    let battle = world.battle().await;
    world.store(world.report(battle, &players)).await;
    let wider = "select count(*) from rating_change a join rating_change b using (player_id)
        where a.change_id < b.change_id and b.rating_before = a.rating_after
        and b.uncertainty_before > 3";
    assert_eq!(world.count(wider).await, 4);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn old_months_of_events_are_dropped_and_new_ones_made(db: PgPool) {
    let world = World::new(db).await;
    for months in [9, 4, 3] {
        sqlx::query(
            "select battle_log_partition((current_date - make_interval(months => $1))::date)",
        )
        .bind(months)
        .execute(&world.db)
        .await
        .unwrap();
        sqlx::query(
            "insert into battle_log (battle_id, tick, place, kind, body, at)
            values (gen_random_uuid(), 1, 1, 'kill', '{}', now() - make_interval(months => $1))",
        )
        .bind(months)
        .execute(&world.db)
        .await
        .unwrap();
    }
    // Far older than any partition.
    sqlx::query(
        "insert into battle_log (battle_id, tick, place, kind, body, at)
        values (gen_random_uuid(), 1, 1, 'kill', '{}', now() - interval '3 years')",
    )
    .execute(&world.db)
    .await
    .unwrap();
    assert_eq!(keep_log(&world.db, 3).await.unwrap(), 2);
    assert_eq!(world.count("select count(*) from battle_log").await, 1);
    assert_eq!(keep_log(&world.db, 3).await.unwrap(), 0);
    // A month that nobody prepared: events lie in the default partition and do no harm.
    let next = "drop table battle_log_2099_01";
    drop(sqlx::query(next).execute(&world.db).await);
    let this = "do $$ begin execute 'drop table battle_log_' || to_char(current_date, 'YYYY_MM');
        insert into battle_log (battle_id, tick, place, kind, body, at)
        values (gen_random_uuid(), 1, 1, 'kill', '{}', now()); end $$";
    sqlx::query(this).execute(&world.db).await.unwrap();
    assert_eq!(keep_log(&world.db, 3).await.unwrap(), 0);
    assert_eq!(world.count("select count(*) from battle_log_rest").await, 1);
}
