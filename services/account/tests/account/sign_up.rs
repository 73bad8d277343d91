//! `POST /v1/accounts…`

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::common::{Api, PASSWORD, is_done, is_refused};

fn sign_up(name: &str, email: &str, password: &str) -> Value {
    json!({ "name": name, "email": email, "password": password })
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_new_member_is_logged_in(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let me = is_done(api.me(&ada.access).await);
    assert_eq!((&me["name"], &me["email"]), (&json!("Ada"), &json!("Ada@example.org")));
    assert_eq!(
        (&me["is_guest"], &me["has_totp"], &me["roles"]),
        (&json!(false), &json!(false), &json!([]))
    );
    is_done(api.refresh(&ada.refresh).await);
    is_done(api.log_in("ada", PASSWORD).await);
    is_done(api.log_in(" ADA@example.org ", PASSWORD).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn names_and_addresses_are_taken_in_any_case(db: PgPool) {
    let api = Api::new(db);
    api.member("Ada").await;
    for (name, email, code) in [
        ("aDA", "other@example.org", "account.name_taken"),
        ("Bob", "ada@EXAMPLE.org", "account.email_taken"),
    ] {
        is_refused(api.post("/v1/accounts", sign_up(name, email, PASSWORD)).await, 409, code);
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_cannot_be_is_refused_with_its_code(db: PgPool) {
    let api = Api::new(db);
    for (name, email, password, code) in [
        ("ab", "a@example.org", PASSWORD, "account.name_shape"),
        ("a\u{0}b", "a@example.org", PASSWORD, "account.name_shape"),
        ("Ada", "example.org", PASSWORD, "account.email_shape"),
        ("Ada", "a\u{0}@example.org", PASSWORD, "account.email_shape"),
        ("Ada", "a@example.org", "short", "account.password_length"),
        ("Ada", "a@example.org", &"x".repeat(2_000), "account.password_length"),
        ("Ada", "a@example.org", "Password123", "account.password_common"),
        ("Adalbert", "a@example.org", "adalbert1", "account.password_common"),
    ] {
        is_refused(api.post("/v1/accounts", sign_up(name, email, password)).await, 422, code);
    }
    is_refused(api.post("/v1/accounts", json!({ "name": "Ada" })).await, 422, "request.fields");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_guest_becomes_a_member_and_stays_the_same_player(db: PgPool) {
    let api = Api::new(db);
    let guest = api.guest().await;
    assert_eq!(is_done(api.me(&guest.access).await)["is_guest"], true);
    let upgrade = |token: String, name: &'static str| {
        let body = sign_up(name, &format!("{name}@example.org"), PASSWORD);
        let api = &api;
        async move { api.call(Method::POST, "/v1/accounts/upgrade", Some(&token), body).await }
    };
    let other = api.member("Taken").await;
    is_refused(upgrade(guest.access.clone(), "Taken").await, 409, "account.name_taken");
    let member = crate::common::Login::of(&is_done(upgrade(guest.access.clone(), "Ada").await));
    assert_eq!(member.player_id, guest.player_id);
    assert_eq!(is_done(api.me(&member.access).await)["is_guest"], false);
    is_refused(api.me(&guest.access).await, 401, "auth.revoked");
    is_refused(api.refresh(&guest.refresh).await, 401, "account.session_ended");
    is_refused(upgrade(member.access, "Eve").await, 409, "account.not_guest");
    is_refused(upgrade(other.access, "Eve").await, 409, "account.not_guest");
    is_done(api.log_in("Ada", PASSWORD).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn of_sixty_four_at_once_one_gets_the_name(db: PgPool) {
    let api = std::sync::Arc::new(Api::new(db));
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..64 {
        let api = std::sync::Arc::clone(&api);
        let body = sign_up("Ada", &format!("ada{at}@example.org"), PASSWORD);
        tasks.spawn(async move { api.post("/v1/accounts", body).await.0.as_u16() });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 63][..]));
}
