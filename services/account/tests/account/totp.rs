//! `POST /v1/totp…`

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sortie_account::settings::{Lockout, Settings};
use sqlx::PgPool;
use time::OffsetDateTime;
use totp_rs::{Builder, Secret};

use crate::common::{Api, Login, PASSWORD, is_done, is_refused, settings, text};

/// What an authenticator shows, so many steps of thirty seconds from now.
fn code(secret: &str, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    let at = OffsetDateTime::now_utc().unix_timestamp() + steps * 30;
    totp.generate(at.unsigned_abs()).to_string()
}

async fn log_in(api: &Api, password: &str, code: &str) -> (StatusCode, Value) {
    let body = json!({ "login": "Ada", "password": password, "totp_code": code });
    api.post("/v1/sessions", body).await
}

async fn begin(api: &Api, login: &Login) -> (StatusCode, Value) {
    let body = json!({ "password": PASSWORD });
    api.call(Method::POST, "/v1/totp", Some(&login.access), body).await
}

async fn confirm(api: &Api, login: &Login, code: &str) -> (StatusCode, Value) {
    let body = json!({ "code": code });
    api.call(Method::POST, "/v1/totp/confirm", Some(&login.access), body).await
}

async fn remove(api: &Api, login: &Login, password: &str, code: &str) -> (StatusCode, Value) {
    let body = json!({ "password": password, "code": code });
    api.call(Method::DELETE, "/v1/totp", Some(&login.access), body).await
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_login_needs_a_code_once_one_was_confirmed(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    is_refused(confirm(&api, &ada, "123456").await, 409, "account.totp_missing");
    let begun = is_done(begin(&api, &ada).await);
    let secret = text(&begun["secret"]);
    assert!(text(&begun["url"]).starts_with("otpauth://totp/Sortie:Ada?secret="));
    is_done(api.log_in("Ada", PASSWORD).await);
    is_refused(confirm(&api, &ada, "rubbish").await, 403, "account.wrong_code");
    let first = code(&secret, 0);
    is_done(confirm(&api, &ada, &first).await);
    is_refused(begin(&api, &ada).await, 409, "account.totp_enrolled");
    assert_eq!(is_done(api.me(&ada.access).await)["has_totp"], true);

    is_refused(api.log_in("Ada", PASSWORD).await, 401, "account.totp_required");
    is_refused(log_in(&api, PASSWORD, &first).await, 403, "account.wrong_code");
    is_refused(log_in(&api, "a wrong one", &first).await, 401, "account.wrong_login");
    for rubbish in ["", "12345", "abcdef", &"1".repeat(10_000), "\u{0}"] {
        is_refused(log_in(&api, PASSWORD, rubbish).await, 403, "account.wrong_code");
    }
    is_done(log_in(&api, PASSWORD, &code(&secret, 1)).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_code_is_good_once_also_for_sixty_four_at_once(db: PgPool) {
    let api = std::sync::Arc::new(Api::new(db));
    let ada = api.member("Ada").await;
    let secret = text(&is_done(begin(&api, &ada).await)["secret"]);
    is_done(confirm(&api, &ada, &code(&secret, 0)).await);
    let next = code(&secret, 1);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (api, next) = (std::sync::Arc::clone(&api), next.clone());
        tasks.spawn(async move { log_in(&api, PASSWORD, &next).await.0.is_success() });
    }
    let passed = tasks.join_all().await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 1);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn logins_that_were_opened_without_a_code_end_with_the_first_one(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let elsewhere = Login::of(&is_done(api.log_in("Ada", PASSWORD).await));
    let secret = text(&is_done(begin(&api, &ada).await)["secret"]);
    is_done(api.me(&elsewhere.access).await);
    is_done(confirm(&api, &ada, &code(&secret, 0)).await);
    is_refused(api.me(&elsewhere.access).await, 401, "auth.revoked");
    is_refused(api.refresh(&elsewhere.refresh).await, 401, "account.session_ended");
    is_done(api.refresh(&ada.refresh).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_login_that_is_being_opened_meets_the_authenticator(db: PgPool) {
    let api = std::sync::Arc::new(Api::new(db));
    let ada = api.member("Ada").await;
    let secret = text(&is_done(begin(&api, &ada).await)["secret"]);
    // Holds the player's row, so that the login has looked and cannot open.
    let mut held = api.db.begin().await.unwrap();
    let hold = "select from player where player_id = $1 for update";
    sqlx::query(hold).bind(ada.player_id).execute(&mut *held).await.unwrap();
    let other = std::sync::Arc::clone(&api);
    let login = tokio::spawn(async move { other.log_in("Ada", PASSWORD).await });
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(4);
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&api.db).await.unwrap() == 0 {
        assert!(std::time::Instant::now() < deadline, "the login did not wait");
    }
    let confirm = "update personal.credential set totp_confirmed_at = now()
        where player_id = $1 and totp_secret = $2";
    let confirm = sqlx::query(confirm).bind(ada.player_id).bind(secret);
    confirm.execute(&mut *held).await.unwrap();
    held.commit().await.unwrap();
    is_refused(login.await.unwrap(), 401, "account.wrong_login");
}

/// A member with the lockout that players have, and the secret of its authenticator.
async fn enrolled(db: PgPool) -> (Api, Login, String) {
    let api = Api::with(db, Settings { lockout: Lockout::default(), ..settings() });
    let ada = api.member("Ada").await;
    let secret = text(&is_done(begin(&api, &ada).await)["secret"]);
    is_done(confirm(&api, &ada, &code(&secret, 0)).await);
    (api, ada, secret)
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn codes_cannot_be_guessed_by_who_knows_the_password(db: PgPool) {
    let (api, _, secret) = enrolled(db).await;
    for login in ["Ada", "ada@example.org", "ADA", "Ada", "Ada@Example.org"] {
        // Asking for the code in between does not reset the count.
        is_refused(api.log_in(login, PASSWORD).await, 401, "account.totp_required");
        let body = json!({ "login": login, "password": PASSWORD, "totp_code": "x" });
        is_refused(api.post("/v1/sessions", body).await, 403, "account.wrong_code");
    }
    is_refused(log_in(&api, PASSWORD, &code(&secret, 1)).await, 429, "account.locked");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn codes_cannot_be_guessed_by_who_is_logged_in_either(db: PgPool) {
    let (api, ada, secret) = enrolled(db).await;
    for _ in 0..5 {
        // The password is right each time; that forgives no code.
        is_refused(remove(&api, &ada, PASSWORD, "x").await, 403, "account.wrong_code");
    }
    is_refused(remove(&api, &ada, PASSWORD, &code(&secret, 1)).await, 429, "account.locked");
    is_refused(log_in(&api, PASSWORD, &code(&secret, 1)).await, 429, "account.locked");
    let past = "update personal.login_failure set locked_until = now() - interval '1 s'
        where $1::uuid is not null";
    api.execute(past, ada.player_id).await;
    is_done(log_in(&api, PASSWORD, &code(&secret, 1)).await);
    for _ in 0..4 {
        is_refused(remove(&api, &ada, PASSWORD, "x").await, 403, "account.wrong_code");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn it_is_removed_with_password_and_code(db: PgPool) {
    let api = Api::new(db);
    let (ada, guest) = (api.member("Ada").await, api.guest().await);
    is_refused(begin(&api, &guest).await, 409, "account.guest");
    is_refused(remove(&api, &ada, PASSWORD, "123456").await, 409, "account.totp_missing");
    let secret = text(&is_done(begin(&api, &ada).await)["secret"]);
    is_done(confirm(&api, &ada, &code(&secret, 0)).await);
    let next = code(&secret, 1);
    is_refused(remove(&api, &ada, "a wrong one", &next).await, 403, "account.wrong_password");
    is_refused(remove(&api, &ada, PASSWORD, "x").await, 403, "account.wrong_code");
    is_done(remove(&api, &ada, PASSWORD, &next).await);
    is_done(api.log_in("Ada", PASSWORD).await);
}
