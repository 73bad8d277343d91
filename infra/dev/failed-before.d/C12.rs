//! C12: a battle of 3 s that is reported as one of 2 minutes rates nobody.
//! Goes to services/ranking/tests, with Postgres.

mod common;

use common::World;
use sortie_ranking::report::{BattleResult, store};
use sqlx::PgPool;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_the_control_plane_knows_to_be_false_is_not_rated(db: PgPool) {
    let world = World::new(db).await;
    let players = world.players(8).await;
    let battle = world.battle().await;
    let began = "update battle set started_at = now() - interval '3 s'";
    sqlx::query(began).execute(&world.db).await.unwrap();
    let result = BattleResult::try_from(world.report(battle, &players)).unwrap();
    // Refused, kept for review or stored: what counts is whom it rates.
    drop(store(&world.db, &world.settings, &result).await);
    let rated = world.count("select count(*) from rating_change where is_ranked").await;
    assert!(rated == 0, "C12: {rated} players are rated for 2 minutes of fighting in 3 s");
}
