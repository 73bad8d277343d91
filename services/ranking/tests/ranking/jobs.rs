//! What happens by itself: idleness.

use crate::common::Fixture;
use sortie_ranking::decay;
use sortie_ranking::rating::Skill;
use sqlx::PgPool;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn idle_players_become_less_certain_day_by_day(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(1_100).await;
    let battle = fixture.battle().await;
    fixture.store(fixture.report(battle, &players)).await;
    assert_eq!(decay(&fixture.db).await.unwrap(), 0, "everybody has just fought");
    sqlx::query("update rating set uncertainty = 3, rating = 30, shown = 1840")
        .execute(&fixture.db)
        .await
        .unwrap();
    let idle = "update rating set decays_at = now() - interval '10 days 1 hour'";
    sqlx::query(idle).execute(&fixture.db).await.unwrap();
    // Two nodes at once do it once.
    let (one, two) = tokio::join!(decay(&fixture.db), decay(&fixture.db));
    assert_eq!(one.unwrap() + two.unwrap(), 1_100);
    let expected = Skill { rating: 30.0, uncertainty: 3.0 }.after_idle_days(11);
    let rows: Vec<(f64, f64, i32)> =
        sqlx::query_as("select distinct rating, uncertainty, shown from rating")
            .fetch_all(&fixture.db)
            .await
            .unwrap();
    assert_eq!(rows, [(30.0, expected.uncertainty, expected.shown())]);
    let next = "select count(*) from rating where decays_at between now() + interval '22 hours'
        and now() + interval '23 hours'";
    assert_eq!(fixture.count(next).await, 1_100);
    assert_eq!(decay(&fixture.db).await.unwrap(), 0, "a day counts once");
    sqlx::query("update rating set decays_at = now() - interval '10 years'")
        .execute(&fixture.db)
        .await
        .unwrap();
    assert_eq!(decay(&fixture.db).await.unwrap(), 1_100);
    let forgotten = "select count(*) from rating where decays_at is null and uncertainty < 8.34";
    assert_eq!(fixture.count(forgotten).await, 1_100);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_battle_after_idleness_begins_with_what_is_left(db: PgPool) {
    let fixture = Fixture::new(db).await;
    let players = fixture.players(4).await;
    let battle = fixture.battle().await;
    fixture.store(fixture.report(battle, &players)).await;
    sqlx::query("update rating set uncertainty = 3, decays_at = now() - interval '5 days'")
        .execute(&fixture.db)
        .await
        .unwrap();
    decay(&fixture.db).await.unwrap();
    let battle = fixture.battle().await;
    fixture.store(fixture.report(battle, &players)).await;
    let wider = "select count(*) from rating_change a join rating_change b using (player_id)
        where a.change_id < b.change_id and b.rating_before = a.rating_after
        and b.uncertainty_before > 3";
    assert_eq!(fixture.count(wider).await, 4);
}
