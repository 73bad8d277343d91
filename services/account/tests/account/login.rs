//! `POST /v1/sessions`

use std::time::Duration;

use serde_json::json;
use sortie_account::hasher::{Cost, Hasher, Pool};
use sortie_account::settings::{Lockout, Settings};
use sqlx::PgPool;

use crate::common::{Api, CHEAP, PASSWORD, is_done, is_refused, refused, settings, text};

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn wrong_names_and_wrong_passwords_are_told_alike(db: PgPool) {
    let api = Api::new(db);
    api.member("Ada").await;
    let (unknown, wrong) =
        (api.log_in("Nobody", PASSWORD).await, api.log_in("Ada", "a wrong password").await);
    for answer in [&unknown, &wrong] {
        assert_eq!(answer.0.as_u16(), 401);
        assert_eq!(answer.1["error"]["code"], "account.wrong_login");
    }
    assert_eq!(unknown.1["error"]["message"], wrong.1["error"]["message"]);
    for login in ["", "a\u{0}b", &"x".repeat(60_000)] {
        is_refused(api.log_in(login, PASSWORD).await, 401, "account.wrong_login");
    }
    let body = json!({ "login": "Ada" });
    is_refused(api.post("/v1/sessions", body).await, 422, "request.fields");
}

/// Hashes that a service computes for a login: the time that it takes is theirs.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn an_unknown_user_costs_the_same_hash(db: PgPool) {
    let api = Api::new(db.clone());
    api.member("Ada").await;
    api.guest().await;
    let hashes = |login: &'static str| {
        let db = db.clone();
        async move {
            let mut settings = settings();
            settings.cost = CHEAP;
            let (accounts, _mails) = accounts(db, settings);
            let before = accounts.hasher.computed();
            let router = axum::Router::from(sortie_account::router().with_state(accounts.clone()));
            let body = json!({ "login": login, "password": "a wrong password" });
            let path = "/v1/sessions";
            let post = axum::http::Method::POST;
            let answer = sortie_testing::call(&router, post, path, None, Some(body)).await;
            is_refused(answer, 401, "account.wrong_login");
            accounts.hasher.computed() - before
        }
    };
    assert_eq!(hashes("Ada").await, 1);
    assert_eq!(hashes("Nobody").await, 1);
    assert_eq!(hashes("nobody@example.org").await, 1);
}

fn accounts(
    db: PgPool,
    settings: Settings,
) -> (sortie_account::state::Accounts, tokio::sync::mpsc::Receiver<sortie_account::mails::Task>) {
    let (mails, tasks) = tokio::sync::mpsc::channel(16);
    let accounts = sortie_account::state::Accounts {
        app: sortie_control::app::AppState::local(db),
        hasher: Hasher::new(settings.cost, settings.pool),
        settings: std::sync::Arc::new(settings),
        erasers: &[],
        mails,
    };
    (accounts, tasks)
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn five_wrong_guesses_lock_the_name_known_or_not(db: PgPool) {
    let lockout = Lockout::default();
    let api = Api::with(db, Settings { lockout, ..settings() });
    let ada = api.member("Ada").await;
    for login in ["Ada", "Nobody"] {
        for _ in 0..5 {
            is_refused(api.log_in(login, "a wrong guess").await, 401, "account.wrong_login");
        }
        is_refused(api.log_in(login, PASSWORD).await, 429, "account.locked");
        is_refused(api.log_in(&login.to_uppercase(), PASSWORD).await, 429, "account.locked");
    }
    // Whoever is in stays in.
    is_done(api.refresh(&ada.refresh).await);
    let past = "update personal.login_failure set locked_until = now() - interval '1 s'
        where $1::uuid is not null";
    api.execute(past, ada.player_id).await;
    is_done(api.log_in("Ada", PASSWORD).await);
    for _ in 0..4 {
        is_refused(api.log_in("Ada", "a wrong guess").await, 401, "account.wrong_login");
    }
    is_done(api.log_in("Ada", PASSWORD).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn of_sixty_four_guesses_at_once_five_are_looked_at(db: PgPool) {
    let api = Api::with(db, Settings { lockout: Lockout::default(), ..settings() });
    api.member("Ada").await;
    let api = std::sync::Arc::new(api);
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..64 {
        let api = std::sync::Arc::clone(&api);
        tasks.spawn(async move { refused(api.log_in("Ada", &format!("guess {at}")).await).0 });
    }
    let statuses = tasks.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 59);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_banned_are_told_why_and_for_how_long(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    api.execute(
        "insert into ban (ban_id, player_id, scope, reason, issued_at, expires_at)
            values (gen_random_uuid(), $1, 'login', 'aimbot', now(), '2999-01-01')",
        ada.player_id,
    )
    .await;
    is_refused(api.log_in("Ada", "a wrong password").await, 401, "account.wrong_login");
    for answer in [api.log_in("Ada", PASSWORD).await, api.refresh(&ada.refresh).await] {
        assert_eq!(answer.1["error"]["details"]["reason"], "aimbot");
        let expires_at = text(&answer.1["error"]["details"]["expires_at"]);
        assert_eq!(expires_at, "2999-01-01T00:00:00Z");
        is_refused(answer, 403, "account.banned");
    }
    // Only who knows the password gets what an appeal takes.
    let details = api.log_in("Ada", PASSWORD).await.1["error"]["details"].clone();
    let now = time::OffsetDateTime::now_utc();
    let token = text(&details["appeal_token"]);
    let (player, ban) = api.app.access.verify_appeal(&token, now).unwrap();
    assert_eq!((player, ban.to_string()), (ada.player_id, text(&details["ban_id"])));
    let of_refresh = api.refresh(&ada.refresh).await.1["error"]["details"].clone();
    assert!(of_refresh["appeal_token"].is_null());
    api.execute("update ban set lifted_at = now() where player_id = $1", ada.player_id).await;
    is_done(api.refresh(&ada.refresh).await);
    is_done(api.log_in("Ada", PASSWORD).await);
    for (scope, expires) in [("chat", "null"), ("login", "now()")] {
        let statement = format!(
            "insert into ban (ban_id, player_id, scope, reason, issued_at, expires_at) values
                (gen_random_uuid(), $1, '{scope}', 'test', now() - interval '1 h', {expires})"
        );
        let statement = sqlx::AssertSqlSafe(statement);
        sqlx::query(statement).bind(ada.player_id).execute(&api.db).await.unwrap();
    }
    is_done(api.log_in("Ada", PASSWORD).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_ban_meets_no_login_between_its_look_and_its_opening(db: PgPool) {
    let api = std::sync::Arc::new(Api::new(db));
    let ada = api.member("Ada").await;
    // As the staff bans: the row first, then the logins, in one transaction.
    let mut ban = api.db.begin().await.unwrap();
    sqlx::query(
        "insert into ban (ban_id, player_id, scope, reason)
            values (gen_random_uuid(), $1, 'login', 'aimbot')",
    )
    .bind(ada.player_id)
    .execute(&mut *ban)
    .await
    .unwrap();
    let other = std::sync::Arc::clone(&api);
    let login = tokio::spawn(async move { other.log_in("Ada", PASSWORD).await });
    // Until the login waits for the player's row.
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let deadline = std::time::Instant::now() + Duration::from_secs(4);
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&api.db).await.unwrap() == 0 {
        assert!(std::time::Instant::now() < deadline, "the login did not wait");
    }
    ban.commit().await.unwrap();
    is_refused(login.await.unwrap(), 403, "account.banned");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn an_old_hash_is_renewed_by_its_login(db: PgPool) {
    let api = Api::new(db.clone());
    let ada = api.member("Ada").await;
    let phc = || async {
        let phc = "select password_phc from personal.credential where player_id = $1";
        let phc = sqlx::query_scalar::<_, String>(phc).bind(ada.player_id);
        phc.fetch_one(&db).await.unwrap()
    };
    assert!(phc().await.contains("m=64,t=1,p=1"));
    let cost = Cost { memory_kib: 128, passes: 2, lanes: 1 };
    let dearer = Api::with(db.clone(), Settings { cost, ..settings() });
    is_done(dearer.log_in("Ada", PASSWORD).await);
    assert!(phc().await.contains("m=128,t=2,p=1"));
    is_done(dearer.log_in("Ada", PASSWORD).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn more_logins_than_the_pool_takes_are_refused_not_queued(db: PgPool) {
    let pool = Pool { running_max: 1, waiting_max: 0 };
    let cost = Cost { memory_kib: 19_456, passes: 2, lanes: 1 };
    let api = Api::with(db, Settings { pool, cost, ..settings() });
    let api = std::sync::Arc::new(api);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let api = std::sync::Arc::clone(&api);
        tasks.spawn(async move { refused(api.log_in("Nobody", PASSWORD).await) });
    }
    let answers = tasks.join_all().await;
    let busy = answers.iter().filter(|(_, code)| code == "account.busy").count();
    let wrong = answers.iter().filter(|(_, code)| code == "account.wrong_login").count();
    assert!(busy >= 1 && wrong >= 1 && busy + wrong == 32, "{busy} busy, {wrong} wrong");
    assert!(answers.iter().all(|(status, code)| (*status == 503) == (code == "account.busy")));
}
