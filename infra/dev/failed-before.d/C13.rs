//! C13: with four guests of 32 in one team, winning brings the other what losing costs it.
//! Goes to services/ranking/tests, with Postgres.

mod common;

use common::{World, guest};
use sqlx::PgPool;
use uuid::Uuid;

/// What the first player of a full team gains when the team `winner` wins. All are new.
async fn gain(world: &World, winner: u32) -> f64 {
    let mut players = world.players(60).await;
    for _ in 0..4 {
        let name = Uuid::now_v7().simple().to_string();
        players.push(guest(&world.db, &name[12..]).await);
    }
    let battle = world.battle().await;
    let mut report = world.report(battle, &players);
    report.winner = Some(winner);
    world.store(report).await;
    let gain = "select rating_after - rating_before from rating_change
        where battle_id = $1 and player_id = $2";
    let gain = sqlx::query_scalar(gain).bind(battle).bind(players[0]);
    gain.fetch_one(&world.db).await.unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn guests_count_for_what_is_expected(db: PgPool) {
    let world = World::new(db).await;
    let (won, lost) = (gain(&world, 0).await, gain(&world, 1).await);
    let is_fair = won > 0.0 && (won + lost).abs() < 0.01 * won;
    assert!(is_fair, "C13: winning brings {won:.3}, losing {lost:.3}");
}
