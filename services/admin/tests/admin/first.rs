//! The first administrator.

use axum::http::StatusCode;
use serde_json::json;
use sortie_admin::first_admin_link;
use sqlx::PgPool;

use crate::fixture::Fixture;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_token_makes_one_administrator_once(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let stale = first_admin_link(&db).await.unwrap().unwrap();
    let token = first_admin_link(&db).await.unwrap().unwrap();
    let (_, first) = fixture.player("First").await;
    let (_, second) = fixture.player("Second").await;
    for wrong in [stale, String::new(), "x".repeat(1_000)] {
        let (status, _) = fixture.post("/v1/admin/first", &first, json!({ "token": wrong })).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    assert_eq!(fixture.audited("refused").await, 3);
    let claim = json!({ "token": token });
    let (status, body) = fixture.post("/v1/admin/first", &first, claim.clone()).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
    assert_eq!(fixture.post("/v1/admin/first", &second, claim).await.0, StatusCode::FORBIDDEN);
    assert_eq!(fixture.get("/v1/admin/users", &first).await.0, StatusCode::OK);
    assert_eq!(fixture.get("/v1/admin/users", &second).await.0, StatusCode::FORBIDDEN);
    assert_eq!(first_admin_link(&db).await.unwrap(), None);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_token_is_good_for_a_day(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let token = first_admin_link(&db).await.unwrap().unwrap();
    sqlx::query("update personal.first_admin_link set expires_at = now()")
        .execute(&db)
        .await
        .unwrap();
    let (_, first) = fixture.player("First").await;
    let (status, _) = fixture.post("/v1/admin/first", &first, json!({ "token": token })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
