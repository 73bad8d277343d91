//! `POST /v1/sessions/refresh`

use std::sync::Arc;

use sqlx::PgPool;
use uuid::Uuid;

use crate::common::{Api, Login, is_done, is_refused, refused, text};

/// As if every exchange of this player's tokens had been so many seconds earlier.
async fn age(api: &Api, player_id: Uuid, seconds: f64) {
    sqlx::query(
        "update personal.refresh_token set used_at = used_at - make_interval(secs => $2)
        where session_id in
            (select session_id from personal.login_session where player_id = $1)",
    )
    .bind(player_id)
    .bind(seconds)
    .execute(&api.db)
    .await
    .unwrap();
}

async fn next(api: &Api, refresh_token: &str) -> String {
    text(&is_done(api.refresh(refresh_token).await)["refresh_token"])
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn each_token_brings_the_next(db: PgPool) {
    let api = Api::new(db);
    let Login { mut refresh, session_id, .. } = api.member("Ada").await;
    for _ in 0..5 {
        let tokens = is_done(api.refresh(&refresh).await);
        assert_eq!(text(&tokens["session_id"]), session_id.to_string());
        is_done(api.me(&text(&tokens["access_token"])).await);
        refresh = text(&tokens["refresh_token"]);
    }
    let strange = sortie_account::token::new_refresh(Uuid::now_v7()).0;
    for rubbish in ["", "x", &"x".repeat(64), &"x".repeat(50_000), "\u{0}", &strange] {
        is_refused(api.refresh(rubbish).await, 401, "account.refresh_invalid");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn an_old_token_ends_the_login_of_owner_and_thief(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let elsewhere = Login::of(&is_done(api.log_in("Ada", crate::common::PASSWORD).await));
    let second = next(&api, &ada.refresh).await;
    let third = next(&api, &second).await;
    // Within ten seconds, but what it brought was used: the owner has it.
    is_refused(api.refresh(&ada.refresh).await, 401, "account.refresh_reused");
    is_refused(api.refresh(&third).await, 401, "account.session_ended");
    is_refused(api.me(&ada.access).await, 401, "auth.revoked");
    is_done(api.refresh(&elsewhere.refresh).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_lost_answer_may_be_asked_for_once_more(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let lost = next(&api, &ada.refresh).await;
    age(&api, ada.player_id, 9.0).await;
    let second = next(&api, &ada.refresh).await;
    let third = next(&api, &second).await;
    // The lost answer was not lost, but heard by somebody else.
    is_refused(api.refresh(&lost).await, 401, "account.refresh_reused");
    is_refused(api.refresh(&third).await, 401, "account.session_ended");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn after_ten_seconds_or_a_second_time_it_is_theft(db: PgPool) {
    let api = Api::new(db);
    for (name, retries, seconds) in [("Ada", 0, 10.5), ("Bob", 1, 0.0)] {
        let login = api.member(name).await;
        next(&api, &login.refresh).await;
        for _ in 0..retries {
            next(&api, &login.refresh).await;
        }
        age(&api, login.player_id, seconds).await;
        is_refused(api.refresh(&login.refresh).await, 401, "account.refresh_reused");
        is_refused(api.refresh(&login.refresh).await, 401, "account.session_ended");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn theft_is_noticed_when_the_token_is_long_forgotten(db: PgPool) {
    let api = Api::new(db);
    let (ada, bob) = (api.member("Ada").await, api.member("Bob").await);
    let newest = next(&api, &next(&api, &ada.refresh).await).await;
    age(&api, ada.player_id, 3.0 * 86_400.0).await;
    assert_eq!(sortie_account::cleanup::round(&api.db).await.unwrap(), 2, "both used ones");
    is_refused(api.refresh(&ada.refresh).await, 401, "account.refresh_reused");
    is_refused(api.refresh(&newest).await, 401, "account.session_ended");
    is_refused(api.me(&ada.access).await, 401, "auth.revoked");
    is_done(api.refresh(&bob.refresh).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn of_sixty_four_at_once_two_pass_and_the_login_ends(db: PgPool) {
    let api = Arc::new(Api::new(db));
    let ada = api.member("Ada").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (api, refresh) = (Arc::clone(&api), ada.refresh.clone());
        tasks.spawn(async move { api.refresh(&refresh).await });
    }
    let answers = tasks.join_all().await;
    let (passed, others): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(status, _)| status.is_success());
    // The first, and one retry; the third tells that there is a copy.
    assert_eq!(passed.len(), 2);
    let codes: Vec<String> = others.into_iter().map(|answer| refused(answer).1).collect();
    let count = |code: &str| codes.iter().filter(|found| *found == code).count();
    assert_eq!((count("account.refresh_reused"), count("account.session_ended")), (1, 61));
    for (_, tokens) in passed {
        let refresh = text(&tokens["refresh_token"]);
        is_refused(api.refresh(&refresh).await, 401, "account.session_ended");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_login_ends_with_its_time(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let over = "update personal.login_session set expires_at = now() where player_id = $1";
    api.execute(over, ada.player_id).await;
    is_refused(api.refresh(&ada.refresh).await, 401, "account.session_ended");
}
