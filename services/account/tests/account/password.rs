//! `POST /v1/password…`

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sortie_account::hasher::Pool;
use sortie_account::settings::{Limits, Lockout, Settings};
use sortie_control::bus::Rate;
use sqlx::PgPool;

use crate::common::{Api, Login, PASSWORD, is_done, is_refused, settings};

const OTHER: &str = "another good password";

async fn change(api: &Api, login: &Login, old: &str, new: &str) -> (StatusCode, Value) {
    let body = json!({ "old_password": old, "new_password": new });
    api.call(Method::POST, "/v1/password", Some(&login.access), body).await
}

async fn ask(api: &Api, email: &str) -> (StatusCode, Value) {
    api.post("/v1/password/reset-requests", json!({ "email": email })).await
}

async fn reset(api: &Api, token: &str, password: &str) -> (StatusCode, Value) {
    let body = json!({ "token": token, "new_password": password });
    api.post("/v1/password/resets", body).await
}

/// The token of the mail that this address got.
async fn token_from_mail(api: &Api, email: &str) -> String {
    let mail = api.mailbox.take(email, "A new password").await;
    let (_, after) = mail.text.split_once("sortie://reset/").unwrap();
    after.lines().next().unwrap().to_owned()
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_change_ends_the_other_logins_only(db: PgPool) {
    let api = Api::new(db);
    let first = api.member("Ada").await;
    let second = Login::of(&is_done(api.log_in("Ada", PASSWORD).await));
    let wrong = change(&api, &first, "not the old one", OTHER).await;
    is_refused(wrong, 403, "account.wrong_password");
    let common = change(&api, &first, PASSWORD, "password1").await;
    is_refused(common, 422, "account.password_common");
    let short = change(&api, &first, PASSWORD, "short").await;
    is_refused(short, 422, "account.password_length");
    is_done(change(&api, &first, PASSWORD, OTHER).await);
    is_done(api.me(&first.access).await);
    is_refused(api.me(&second.access).await, 401, "auth.revoked");
    is_refused(api.refresh(&second.refresh).await, 401, "account.session_ended");
    is_refused(api.log_in("Ada", PASSWORD).await, 401, "account.wrong_login");
    is_done(api.log_in("Ada", OTHER).await);
    api.mailbox.take("Ada@example.org", "Your password was changed").await;
    let guest = api.guest().await;
    is_refused(change(&api, &guest, PASSWORD, OTHER).await, 409, "account.guest");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn who_holds_a_token_cannot_guess_the_password(db: PgPool) {
    let api = Api::with(db, Settings { lockout: Lockout::default(), ..settings() });
    let ada = api.member("Ada").await;
    for _ in 0..5 {
        let wrong = change(&api, &ada, "a wrong guess", OTHER).await;
        is_refused(wrong, 403, "account.wrong_password");
    }
    is_refused(change(&api, &ada, PASSWORD, OTHER).await, 429, "account.locked");
    // The owner is not out for it.
    is_done(api.log_in("Ada", PASSWORD).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_nobody_could_look_at_is_no_wrong_guess(db: PgPool) {
    let api = Api::with(db.clone(), Settings { lockout: Lockout::default(), ..settings() });
    let ada = api.member("Ada").await;
    let pool = Pool { running_max: 0, waiting_max: 0 };
    let busy = Api::with(db, Settings { pool, lockout: Lockout::default(), ..settings() });
    let token = sortie_testing::token(&busy.app, ada.player_id);
    let there = Login { access: token, ..ada.clone() };
    for _ in 0..10 {
        is_refused(busy.log_in("Ada", PASSWORD).await, 503, "account.busy");
        is_refused(change(&busy, &there, PASSWORD, OTHER).await, 503, "account.busy");
    }
    is_done(api.log_in("Ada", PASSWORD).await);
    is_done(change(&api, &ada, PASSWORD, OTHER).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn right_passwords_are_asked_for_so_often_only(db: PgPool) {
    let limits = Limits { logins: Some(Rate { burst: 3, per_s: 0.001 }), ..Limits::NONE };
    let api = Api::with(db, Settings { limits, ..settings() });
    let (ada, bob) = (api.member("Ada").await, api.member("Bob").await);
    let begin = async |login: &Login| {
        let body = json!({ "password": PASSWORD });
        api.call(Method::POST, "/v1/totp", Some(&login.access), body).await
    };
    is_done(change(&api, &ada, PASSWORD, OTHER).await);
    is_done(change(&api, &ada, OTHER, PASSWORD).await);
    is_done(begin(&ada).await);
    let body = json!({ "password": PASSWORD, "code": "123456" });
    let removed = api.call(Method::DELETE, "/v1/totp", Some(&ada.access), body).await;
    let body = json!({ "password": PASSWORD });
    let erased = api.call(Method::DELETE, "/v1/me", Some(&ada.access), body).await;
    for answer in [begin(&ada).await, change(&api, &ada, PASSWORD, OTHER).await, removed, erased] {
        is_refused(answer, 429, "request.rate_limited");
    }
    is_done(begin(&bob).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_mail_brings_a_new_password_once(db: PgPool) {
    let api = Api::with(db, Settings { lockout: Lockout::default(), ..settings() });
    let ada = api.member("Ada").await;
    for _ in 0..5 {
        is_refused(api.log_in("Ada", "a wrong guess").await, 401, "account.wrong_login");
    }
    let unknown = ask(&api, "nobody@example.org").await;
    let known = ask(&api, "ADA@example.org").await;
    assert_eq!(unknown, known);
    assert_eq!(known.0, StatusCode::ACCEPTED);
    let older = token_from_mail(&api, "Ada@example.org").await;
    assert_eq!(api.mailbox.count(), 0, "nobody got one");
    is_done(ask(&api, "Ada@example.org").await);
    let token = token_from_mail(&api, "Ada@example.org").await;
    is_refused(reset(&api, &older, OTHER).await, 422, "account.reset_invalid");
    is_refused(reset(&api, &token, "password1").await, 422, "account.password_common");
    is_done(reset(&api, &token, OTHER).await);
    is_refused(reset(&api, &token, OTHER).await, 422, "account.reset_invalid");
    is_refused(api.me(&ada.access).await, 401, "auth.revoked");
    is_refused(api.refresh(&ada.refresh).await, 401, "account.session_ended");
    let again = Login::of(&is_done(api.log_in("Ada", OTHER).await));
    assert_eq!(is_done(api.me(&again.access).await)["is_email_verified"], true);
    is_refused(ask(&api, "no address").await, 422, "account.email_shape");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn of_sixty_four_resets_at_once_one_counts(db: PgPool) {
    let api = std::sync::Arc::new(Api::new(db));
    let ada = api.member("Ada").await;
    is_done(ask(&api, "Ada@example.org").await);
    let token = token_from_mail(&api, "Ada@example.org").await;
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..64 {
        let (api, token) = (std::sync::Arc::clone(&api), token.clone());
        let password = format!("{OTHER} {at}");
        tasks.spawn(async move { reset(&api, &token, &password).await.0.is_success() });
    }
    let passed = tasks.join_all().await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 1);
    is_done(ask(&api, "Ada@example.org").await);
    let late = token_from_mail(&api, "Ada@example.org").await;
    let over = "update personal.reset_token set expires_at = now() where player_id = $1";
    api.execute(over, ada.player_id).await;
    is_refused(reset(&api, &late, OTHER).await, 422, "account.reset_invalid");
}
