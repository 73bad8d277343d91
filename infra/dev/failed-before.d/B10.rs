//! B10: a leaderboard is right within 5 s of a Redis that came back with old scores.
//! Goes to services/ranking/tests, with Postgres.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use sortie_control::plane::Plane;
use sortie_control::service::stop;
use sortie_control::testing::{self, call};
use sortie_ranking::{Settings, service};
use sqlx::PgPool;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn old_scores_do_not_stay(db: PgPool) {
    let ada = testing::player(&db, "Ada").await;
    let rating = "insert into rating
        (player_id, season_id, mode, rating, uncertainty, shown, battles, changed_at)
        values ($1, 1, 'conquest', 25, 8, 2000, 1, now() - interval '1 day')";
    sqlx::query(rating).bind(ada).execute(&db).await.unwrap();
    let plane = Plane::local(db);
    let (_stopper, asked) = stop();
    let service = service(&plane, Settings::default(), &asked);
    for job in service.jobs {
        tokio::spawn(job.work);
    }
    let router = service.routes.split_for_parts().0;
    let token = testing::token(&plane, ada);
    let shown = async || {
        let path = "/v1/leaderboards/conquest";
        let (status, page) = call(&router, Method::GET, path, Some(&token), None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page["items"][0]["shown"].as_i64()
    };
    let (boards, board) = (&plane.bus.boards, "rating/1/conquest");
    while boards.size(board).await.unwrap() != 1 {
        shown().await;
        tokio::task::yield_now().await;
    }
    // As many rows as before, with the score of a snapshot.
    boards.put(board, &[(ada, 1_500)]).await.unwrap();
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(5) {
        shown().await;
        tokio::task::yield_now().await;
    }
    let shown = shown().await.unwrap();
    assert!(shown == 2_000, "B10: after 5 s the board shows {shown}, Postgres 2000");
}
