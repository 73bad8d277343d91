//! `GET` and `DELETE /v1/sessions…`

use axum::http::{Method, StatusCode};
use serde_json::Value;
use sortie_account::settings::Settings;
use sqlx::PgPool;

use crate::common::{Api, Login, PASSWORD, is_done, is_refused, settings};

async fn delete(api: &Api, path: &str, login: &Login) -> (StatusCode, Value) {
    api.call(Method::DELETE, path, Some(&login.access), Value::Null).await
}

async fn sessions(api: &Api, login: &Login) -> Vec<Value> {
    let path = "/v1/sessions?limit=100";
    let page = is_done(api.call(Method::GET, path, Some(&login.access), Value::Null).await);
    page["items"].as_array().unwrap().clone()
}

async fn again(api: &Api) -> Login {
    Login::of(&is_done(api.log_in("Ada", PASSWORD).await))
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn logins_are_listed_and_ended_one_by_one(db: PgPool) {
    let api = Api::new(db);
    let (first, bob) = (api.member("Ada").await, api.member("Bob").await);
    let second = again(&api).await;
    let listed = sessions(&api, &second).await;
    let current: Vec<bool> = listed.iter().map(|row| row["is_current"] == true).collect();
    assert_eq!(current, [true, false]);
    assert_eq!(listed[0]["address"], "127.0.0.1");

    let path = format!("/v1/sessions/{}", first.session_id);
    is_refused(delete(&api, &path, &bob).await, 404, "account.unknown_session");
    is_done(delete(&api, &path, &second).await);
    is_refused(delete(&api, &path, &second).await, 404, "account.unknown_session");
    is_refused(delete(&api, "/v1/sessions/7", &second).await, 400, "request.path");
    is_refused(api.me(&first.access).await, 401, "auth.revoked");
    is_refused(api.refresh(&first.refresh).await, 401, "account.session_ended");
    assert_eq!(sessions(&api, &second).await.len(), 1);
    is_done(api.me(&bob.access).await);
}

/// Its key was taken away: whoever has a refresh token gets another.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_token_whose_key_is_not_in_use_is_refused_as_such(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let now = api.app.clock.estimate();
    let other = sortie_control::access::AccessKeys::generate();
    let token = other.issue(ada.player_id, ada.session_id, false, now);
    is_refused(api.me(&token).await, 401, "auth.key_unknown");
    is_done(api.refresh(&ada.refresh).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn logout_ends_this_login_at_once_and_no_other(db: PgPool) {
    let api = Api::new(db);
    let (first, second) = (api.member("Ada").await, again(&api).await);
    is_done(delete(&api, "/v1/sessions/current", &first).await);
    is_refused(api.me(&first.access).await, 401, "auth.revoked");
    is_refused(api.refresh(&first.refresh).await, 401, "account.session_ended");
    is_done(api.me(&second.access).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn logout_everywhere_ends_all_and_the_other_nodes_hear_it(db: PgPool) {
    let api = Api::new(db);
    let (first, second) = (api.member("Ada").await, again(&api).await);
    let mut heard = api.app.bus.topics.subscribe("revocations").await.unwrap();
    is_done(delete(&api, "/v1/sessions", &first).await);
    let mut told = Vec::new();
    for _ in 0..2 {
        let Some(sortie_control::bus::Heard::Message(body)) = heard.next().await else { panic!() };
        let end: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&end["scope"], &end["why"]), (&"login".into(), &"logout_everywhere".into()));
        told.push(end["session_id"].as_str().unwrap().to_owned());
    }
    for login in [&first, &second] {
        assert!(told.contains(&login.session_id.to_string()));
        is_refused(api.me(&login.access).await, 401, "auth.revoked");
        is_refused(api.refresh(&login.refresh).await, 401, "account.session_ended");
    }
    // In the same second, too.
    is_done(api.me(&again(&api).await.access).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn too_many_logins_end_the_one_unused_longest(db: PgPool) {
    let api = Api::with(db, Settings { sessions_max: 3, ..settings() });
    let (first, second) = (api.member("Ada").await, again(&api).await);
    is_done(api.refresh(&first.refresh).await);
    again(&api).await;
    let last = again(&api).await;
    assert_eq!(sessions(&api, &last).await.len(), 3);
    is_refused(api.me(&second.access).await, 401, "auth.revoked");
    is_done(api.me(&first.access).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn pages_of_logins_hold_together(db: PgPool) {
    let api = Api::new(db);
    let first = api.member("Ada").await;
    for _ in 0..4 {
        again(&api).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/sessions?limit=2&cursor={cursor}");
        let page = is_done(api.call(Method::GET, &path, Some(&first.access), Value::Null).await);
        seen.extend(page["items"].as_array().unwrap().iter().map(|row| row["session_id"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    for (query, code) in [("limit=0", "request.limit"), ("cursor=!", "request.cursor")] {
        let path = format!("/v1/sessions?{query}");
        let answer = api.call(Method::GET, &path, Some(&first.access), Value::Null).await;
        is_refused(answer, 422, code);
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn without_a_token_nothing_of_a_player_is_shown(db: PgPool) {
    let api = Api::new(db);
    for (method, path) in [
        (Method::GET, "/v1/sessions"),
        (Method::DELETE, "/v1/sessions"),
        (Method::DELETE, "/v1/sessions/current"),
        (Method::GET, "/v1/me"),
        (Method::GET, "/v1/me/export"),
        (Method::DELETE, "/v1/me/picture"),
    ] {
        is_refused(api.call(method.clone(), path, None, Value::Null).await, 401, "auth.missing");
        is_refused(api.call(method, path, Some("x.y.z"), Value::Null).await, 401, "auth.invalid");
    }
}
