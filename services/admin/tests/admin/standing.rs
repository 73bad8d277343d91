//! Staff who are banned themselves, and bans of those who may do more.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::fixture::Fixture;

async fn banned(fixture: &Fixture, by: &str, player: Uuid) -> Uuid {
    let ban = json!({ "player_id": player, "scope": "chat", "reason": "was rude" });
    let (status, body) = fixture.post("/v1/admin/bans", by, ban).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    body["ban_id"].as_str().unwrap().parse().unwrap()
}

async fn appealed(fixture: &Fixture, token: &str, ban: Uuid) {
    let path = format!("/v1/me/bans/{ban}/appeal");
    let body = Some(json!({ "text": "not me" }));
    let (status, _) =
        sortie_testing::call(&fixture.public, Method::POST, &path, Some(token), body).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

/// What becomes of lifting and of accepting the appeal.
async fn tried(fixture: &Fixture, token: &str, ban: Uuid) -> Vec<(u16, Value)> {
    let mut all = Vec::new();
    for (path, body) in [("lift", Value::Null), ("appeal", json!({ "is_accepted": true }))] {
        let path = format!("/v1/admin/bans/{ban}/{path}");
        let (status, body) = fixture.post(&path, token, body).await;
        all.push((status.as_u16(), body["error"]["code"].clone()));
    }
    all
}

async fn in_force(db: &PgPool) -> i64 {
    let bans = "select count(*) from ban where lifted_at is null and appeal = 'open'";
    sqlx::query_scalar(bans).fetch_one(db).await.unwrap()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn nobody_lifts_the_own_ban_or_decides_the_own_appeal(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, boss) = fixture.staff("Administrator", "administrator").await;
    let (player, token) = fixture.staff("Moderator", "moderator").await;
    let ban = banned(&fixture, &boss, player).await;
    appealed(&fixture, &token, ban).await;
    let refused = (409, json!("admin.oneself"));
    assert_eq!(tried(&fixture, &token, ban).await, [refused.clone(), refused]);
    assert_eq!(in_force(&db).await, 1);
    assert_eq!(tried(&fixture, &boss, ban).await[0], (204, Value::Null));
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn nobody_lifts_a_ban_of_those_who_may_do_more(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, boss) = fixture.staff("Administrator", "administrator").await;
    let (player, theirs) = fixture.staff("Other", "administrator").await;
    let (_, moderator) = fixture.staff("Moderator", "moderator").await;
    let ban = banned(&fixture, &boss, player).await;
    appealed(&fixture, &theirs, ban).await;
    let refused = (403, json!("admin.outranked"));
    assert_eq!(tried(&fixture, &moderator, ban).await, [refused.clone(), refused]);
    assert_eq!(in_force(&db).await, 1);
}
