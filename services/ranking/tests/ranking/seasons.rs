//! A season is opened at once; ratings are carried into it after that.

use sortie_control::plane::Plane;
use sortie_ranking::rating::Skill;
use sortie_ranking::{carry_over, open_season};
use sqlx::PgPool;
use uuid::Uuid;

use crate::common::{World, stored};

/// More than are carried in two transactions.
const PLAYERS: usize = 2_500;

/// What each player has in the first season.
const OLD: Skill = Skill { rating: 30.0, uncertainty: 4.0 };

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn no_result_and_no_login_waits_while_ratings_are_carried(db: PgPool) {
    let (world, players) = rated_players(db).await;
    let plane = Plane::local(world.db.clone());
    // Keeps the second of three transactions from its end.
    let mut holder = world.db.begin().await.unwrap();
    lock(&mut holder, players[PLAYERS / 2]).await;
    let carrying = tokio::spawn(async move {
        let season = open_season(&plane, "Season 2").await.unwrap();
        carry_over(&plane.db).await.unwrap();
        season
    });
    somebody_waits(&world.db).await;

    let mut login = world.db.begin().await.unwrap();
    sqlx::query("set local lock_timeout = '1ms'").execute(&mut *login).await.unwrap();
    sqlx::query("lock table season in row share mode nowait")
        .execute(&mut *login)
        .await
        .expect("a result holds the open season");
    lock(&mut login, players[0]).await;
    login.rollback().await.unwrap();
    // These are not carried yet: they come with the result.
    let fighters = &players[PLAYERS - 8..];
    let battle = world.battle().await;
    let outcome = world.store(world.report(battle, fighters)).await;

    holder.rollback().await.unwrap();
    let season = carrying.await.unwrap();
    assert_eq!(stored(&outcome).season_id, season.season_id);
    let before: Vec<f64> = sqlx::query_scalar("select rating_before from rating_change")
        .fetch_all(&world.db)
        .await
        .unwrap();
    assert_eq!(before, vec![OLD.in_new_season().rating; 8]);
    assert_eq!(carried(&world).await, PLAYERS as i64 - 8);
    let fought = "select count(*) from rating where season_id > 1 and battles = 1";
    assert_eq!(world.count(fought).await, 8);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn ratings_are_carried_on_after_a_crash(db: PgPool) {
    let (world, players) = rated_players(db).await;
    let plane = Plane::local(world.db.clone());
    let mut holder = world.db.begin().await.unwrap();
    lock(&mut holder, players[PLAYERS / 2]).await;
    let first = tokio::spawn(async move {
        open_season(&plane, "Season 2").await.unwrap();
        carry_over(&plane.db).await
    });
    somebody_waits(&world.db).await;
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'",
    )
    .execute(&world.db)
    .await
    .unwrap();
    assert!(first.await.unwrap().is_err(), "its connection is gone");
    let left = carried(&world).await;
    assert!(0 < left && left < PLAYERS as i64, "{left} stay");
    holder.rollback().await.unwrap();
    // What the dead one held is free once the database has seen that it is dead.
    while world.count("select count(*) from season_carrying").await > 0 {
        carry_over(&world.db).await.unwrap();
    }
    assert_eq!(carried(&world).await, PLAYERS as i64);
    assert_eq!(carry_over(&world.db).await.unwrap(), 0);
}

/// Seasons that are opened before the ratings of the one before are there lose none.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn ratings_pass_through_a_season_that_is_over_already(db: PgPool) {
    let (world, players) = rated_players(db).await;
    let plane = Plane::local(world.db.clone());
    open_season(&plane, "Season 2").await.unwrap();
    let season = open_season(&plane, "Season 3").await.unwrap();
    let battle = world.battle().await;
    world.store(world.report(battle, &players[..8])).await;
    carry_over(&world.db).await.unwrap();
    let twice = OLD.in_new_season().in_new_season();
    let before: Vec<f64> = sqlx::query_scalar("select rating_before from rating_change")
        .fetch_all(&world.db)
        .await
        .unwrap();
    assert_eq!(before, vec![twice.rating; 8]);
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from rating where season_id = $1 and battles = 0 and rating = $2",
    )
    .bind(season.season_id)
    .bind(twice.rating)
    .fetch_one(&world.db)
    .await
    .unwrap();
    assert_eq!(kept, PLAYERS as i64 - 8);
}

async fn rated_players(db: PgPool) -> (World, Vec<Uuid>) {
    let world = World::new(db).await;
    let mut players = world.players(PLAYERS).await;
    players.sort_unstable();
    sqlx::query(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown, battles)
        select player_id, 1, 'conquest', $1, $2, $3, 1 from player",
    )
    .bind(OLD.rating)
    .bind(OLD.uncertainty)
    .bind(OLD.shown())
    .execute(&world.db)
    .await
    .unwrap();
    (world, players)
}

/// As a login does.
async fn lock(db: &mut sqlx::PgConnection, player_id: Uuid) {
    sqlx::query("select from player where player_id = $1 for update")
        .bind(player_id)
        .execute(db)
        .await
        .expect("nobody holds the player");
}

/// Returns when a transaction waits for another's lock.
async fn somebody_waits(db: &PgPool) {
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(db).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Ratings in the second season as they should begin there.
async fn carried(world: &World) -> i64 {
    let new = OLD.in_new_season();
    sqlx::query_scalar(
        "select count(*) from rating where season_id > 1 and battles = 0
            and (rating, uncertainty, shown) = ($1, $2, $3)",
    )
    .bind(new.rating)
    .bind(new.uncertainty)
    .bind(new.shown())
    .fetch_one(&world.db)
    .await
    .unwrap()
}
