//! Roles: nobody gives what they do not have, and an administrator is left.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::fixture::Fixture;

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn templates_stay_and_nobody_gives_what_they_do_not_have(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, all) = fixture.staff("Administrator", "administrator").await;
    let put = |path: &str, body| {
        let (fixture, path, all) = (&fixture, path.to_owned(), all.clone());
        async move { fixture.call(Method::PUT, &path, &all, Some(body)).await }
    };
    let (status, _) = put("/v1/admin/roles/support", json!({ "permissions": [] })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (status, _) = put("/v1/admin/roles/hr", json!({ "permissions": ["no.such"] })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let own = json!({ "permissions": ["roles.write", "users.read"] });
    assert_eq!(put("/v1/admin/roles/hr", own).await.0, StatusCode::NO_CONTENT);

    let (_, hr) = fixture.staff("Personnel", "hr").await;
    let (player, _) = fixture.player("Friend").await;
    let give = |role: &str| format!("/v1/admin/users/{player}/roles/{role}");
    let (status, body) = fixture.call(Method::PUT, &give("administrator"), &hr, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    assert_eq!(fixture.call(Method::PUT, &give("hr"), &hr, None).await.0, StatusCode::OK);
    let beyond = Some(json!({ "permissions": ["bans.write"] }));
    let (status, _) = fixture.call(Method::PUT, "/v1/admin/roles/mine", &hr, beyond).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // What is beyond them they do not take away either, in no way: change, removal, from others.
    let theirs = json!({ "permissions": ["bans.write", "users.read"] });
    assert_eq!(put("/v1/admin/roles/judges", theirs).await.0, StatusCode::NO_CONTENT);
    let less = Some(json!({ "permissions": ["users.read"] }));
    for (method, path, body) in [
        (Method::PUT, "/v1/admin/roles/judges".to_owned(), less),
        (Method::DELETE, "/v1/admin/roles/judges".to_owned(), None),
        (Method::DELETE, give("judges"), None),
    ] {
        let (status, body) = fixture.call(method, &path, &hr, body).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::FORBIDDEN, &json!("role.not_yours_to_give")),
            "{path}"
        );
    }
    let in_use = fixture.call(Method::DELETE, "/v1/admin/roles/hr", &all, None).await;
    assert_eq!(in_use.0, StatusCode::CONFLICT);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn of_two_administrators_who_remove_each_other_one_is_left(db: PgPool) {
    let fixture = Arc::new(Fixture::new(db.clone()));
    let (one, a) = fixture.staff("One", "administrator").await;
    let (two, b) = fixture.staff("Two", "administrator").await;
    let take = |whose, token: String| {
        let fixture = Arc::clone(&fixture);
        let path = format!("/v1/admin/users/{whose}/roles/administrator");
        tokio::spawn(async move { fixture.call(Method::DELETE, &path, &token, None).await.0 })
    };
    let (first, second) = (take(two, a.clone()), take(one, b));
    let mut statuses = [first.await.unwrap(), second.await.unwrap()];
    statuses.sort();
    assert_eq!(statuses[0], StatusCode::NO_CONTENT);
    assert!(statuses[1].is_client_error(), "{statuses:?}");
    let left: i64 =
        sqlx::query_scalar("select count(*) from player_role").fetch_one(&db).await.unwrap();
    assert_eq!(left, 1);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn nobody_bans_those_who_may_do_more(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (boss, all) = fixture.staff("Administrator", "administrator").await;
    let (_, moderator) = fixture.staff("Moderator", "moderator").await;
    let ban = json!({ "player_id": boss, "scope": "login", "reason": "revenge" });
    let (status, body) = fixture.post("/v1/admin/bans", &moderator, ban.clone()).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::FORBIDDEN, &json!("admin.outranked"))
    );
    assert_eq!(fixture.post("/v1/admin/bans", &all, ban).await.0, StatusCode::CONFLICT);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_lost_authenticator_is_taken_by_who_ranks_as_high_and_not_by_its_owner(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (boss, all) = fixture.staff("Administrator", "administrator").await;
    let (_, moderator) = fixture.staff("Moderator", "moderator").await;
    let (player, _) = fixture.player("Player").await;
    let role = "insert into role (role, permissions) values ('front_desk', '{users.write}')";
    sqlx::query(role).execute(&db).await.unwrap();
    let (clerk, clerk_token) = fixture.staff("Clerk", "front_desk").await;
    for enrolled in [boss, player, clerk] {
        fixture.enrol(enrolled).await;
    }
    let take = async |token: &str, player| {
        let path = format!("/v1/admin/users/{player}/totp");
        let (status, body) = fixture.call(Method::DELETE, &path, token, None).await;
        (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = |status, code: &str| (status, code.to_owned());
    assert_eq!(take(&moderator, player).await, refused(403, "auth.forbidden"));
    assert_eq!(take(&clerk_token, boss).await, refused(403, "admin.outranked"));
    assert_eq!(take(&clerk_token, clerk).await, refused(409, "admin.oneself"));
    assert_eq!(take(&clerk_token, player).await, refused(204, ""));
    assert_eq!(take(&clerk_token, player).await, refused(409, "user.no_totp"));
    assert_eq!(take(&all, clerk).await, refused(204, ""));
    let left = "select player_id from personal.credential where totp_secret is not null";
    let left: Vec<Uuid> = sqlx::query_scalar(left).fetch_all(&db).await.unwrap();
    assert_eq!(left, [boss]);
    let done = "select actor, target from audit
        where action = 'users.remove_totp' and outcome = 'done' order by seq";
    let done: Vec<(Uuid, String)> = sqlx::query_as(done).fetch_all(&db).await.unwrap();
    assert_eq!(done, [(clerk, format!("player:{player}")), (boss, format!("player:{clerk}"))]);
}
