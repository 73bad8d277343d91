//! A season is opened at once; ratings are carried into it after that.

use sortie_control::app::AppState;
use sortie_ranking::rating::Skill;
use sortie_ranking::{carry_over, open_season};
use sqlx::PgPool;
use uuid::Uuid;

use crate::common::{Fixture, stored};

/// More than are carried in two transactions.
const PLAYERS: usize = 2_500;

/// What each player has in the first season.
const OLD: Skill = Skill { rating: 30.0, uncertainty: 4.0 };

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn no_result_and_no_login_waits_while_ratings_are_carried(db: PgPool) {
    let (fixture, players) = rated_players(db).await;
    let app = AppState::local(fixture.db.clone());
    // Keeps the second of three transactions from its end.
    let mut holder = fixture.db.begin().await.unwrap();
    lock(&mut holder, players[PLAYERS / 2]).await;
    let carrying = tokio::spawn(async move {
        let season = open_season(&app, "Season 2").await.unwrap();
        carry_over(&app.db).await.unwrap();
        season
    });
    somebody_waits(&fixture.db).await;

    let mut login = fixture.db.begin().await.unwrap();
    sqlx::query("set local lock_timeout = '1ms'").execute(&mut *login).await.unwrap();
    sqlx::query("lock table season in row share mode nowait")
        .execute(&mut *login)
        .await
        .expect("a result holds the open season");
    lock(&mut login, players[0]).await;
    login.rollback().await.unwrap();
    // These are not carried yet: they come with the result.
    let fighters = &players[PLAYERS - 8..];
    let battle = fixture.battle().await;
    let outcome = fixture.store(fixture.report(battle, fighters)).await;

    holder.rollback().await.unwrap();
    let season = carrying.await.unwrap();
    assert_eq!(stored(&outcome).season_id, season.season_id);
    let before: Vec<f64> = sqlx::query_scalar("select rating_before from rating_change")
        .fetch_all(&fixture.db)
        .await
        .unwrap();
    assert_eq!(before, vec![OLD.in_new_season().rating; 8]);
    assert_eq!(carried(&fixture).await, PLAYERS as i64 - 8);
    let fought = "select count(*) from rating where season_id > 1 and battles = 1";
    assert_eq!(fixture.count(fought).await, 8);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn ratings_are_carried_on_after_a_crash(db: PgPool) {
    let (fixture, players) = rated_players(db).await;
    let app = AppState::local(fixture.db.clone());
    let mut holder = fixture.db.begin().await.unwrap();
    lock(&mut holder, players[PLAYERS / 2]).await;
    let first = tokio::spawn(async move {
        open_season(&app, "Season 2").await.unwrap();
        carry_over(&app.db).await
    });
    somebody_waits(&fixture.db).await;
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'",
    )
    .execute(&fixture.db)
    .await
    .unwrap();
    assert!(first.await.unwrap().is_err(), "its connection is gone");
    let left = carried(&fixture).await;
    assert!(0 < left && left < PLAYERS as i64, "{left} stay");
    holder.rollback().await.unwrap();
    // What the dead one held is free once the database has seen that it is dead.
    while fixture.count("select count(*) from season_carrying").await > 0 {
        carry_over(&fixture.db).await.unwrap();
    }
    assert_eq!(carried(&fixture).await, PLAYERS as i64);
    assert_eq!(carry_over(&fixture.db).await.unwrap(), 0);
}

/// Seasons that are opened before the ratings of the one before are there lose none.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn ratings_pass_through_a_season_that_is_over_already(db: PgPool) {
    let (fixture, players) = rated_players(db).await;
    let app = AppState::local(fixture.db.clone());
    open_season(&app, "Season 2").await.unwrap();
    let season = open_season(&app, "Season 3").await.unwrap();
    let battle = fixture.battle().await;
    fixture.store(fixture.report(battle, &players[..8])).await;
    carry_over(&fixture.db).await.unwrap();
    let twice = OLD.in_new_season().in_new_season();
    let before: Vec<f64> = sqlx::query_scalar("select rating_before from rating_change")
        .fetch_all(&fixture.db)
        .await
        .unwrap();
    assert_eq!(before, vec![twice.rating; 8]);
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from rating where season_id = $1 and battles = 0 and rating = $2",
    )
    .bind(season.season_id)
    .bind(twice.rating)
    .fetch_one(&fixture.db)
    .await
    .unwrap();
    assert_eq!(kept, PLAYERS as i64 - 8);
}

async fn rated_players(db: PgPool) -> (Fixture, Vec<Uuid>) {
    let fixture = Fixture::new(db).await;
    let mut players = fixture.players(PLAYERS).await;
    players.sort_unstable();
    sqlx::query(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown, battles)
        select player_id, 1, 'conquest', $1, $2, $3, 1 from player",
    )
    .bind(OLD.rating)
    .bind(OLD.uncertainty)
    .bind(OLD.shown())
    .execute(&fixture.db)
    .await
    .unwrap();
    (fixture, players)
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
async fn carried(fixture: &Fixture) -> i64 {
    let new = OLD.in_new_season();
    sqlx::query_scalar(
        "select count(*) from rating where season_id > 1 and battles = 0
            and (rating, uncertainty, shown) = ($1, $2, $3)",
    )
    .bind(new.rating)
    .bind(new.uncertainty)
    .bind(new.shown())
    .fetch_one(&fixture.db)
    .await
    .unwrap()
}
