//! Names that hide, mislead or offend; passwords from any keyboard.

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sortie_account::settings::{Lockout, Settings};
use sqlx::PgPool;
use uuid::Uuid;

use crate::common::{Api, CHEAP, Login, PASSWORD, is_done, is_refused, settings};

/// Signs up by a name, with an address of its own.
async fn sign_up(api: &Api, name: &str) -> (StatusCode, Value) {
    let email = format!("{}@example.org", Uuid::now_v7().simple());
    let body = json!({ "name": name, "email": email, "password": PASSWORD });
    api.post("/v1/accounts", body).await
}

async fn patch(api: &Api, login: &Login, body: Value) -> (StatusCode, Value) {
    api.call(Method::PATCH, "/v1/me", Some(&login.access), body).await
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_name_is_one_however_it_is_typed(db: PgPool) {
    let api = Api::with(db, Settings { lockout: Lockout::default(), ..settings() });
    let zoe = is_done(sign_up(&api, "Zoe\u{308}").await);
    assert_eq!(zoe["player"]["name"], "Zo\u{eb}");
    is_refused(sign_up(&api, "Zo\u{eb}").await, 409, "account.name_taken");
    for login in ["Zo\u{eb}", "zoe\u{308}", "\u{ff3a}o\u{eb}"] {
        is_done(api.log_in(login, PASSWORD).await);
    }
    // Guesses at any spelling are guesses at the one name.
    for login in ["zo\u{eb}", "zoe\u{308}", "Zoe\u{308}", "\u{ff3a}o\u{eb}", "\u{ff5a}oe\u{308}"] {
        is_refused(api.log_in(login, "a wrong one").await, 401, "account.wrong_login");
    }
    is_refused(api.log_in("Zo\u{eb}", PASSWORD).await, 429, "account.locked");
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn names_that_hide_or_mislead_are_refused_by_every_way(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let bob = api.member("Bob").await;
    api.member("Pay").await;
    let guest = api.guest().await;
    for (name, status, code) in [
        ("\u{202e}abc", 422, "account.name_shape"),
        ("Ad\u{200b}am", 422, "account.name_shape"),
        ("\u{3164}\u{3164}\u{3164}", 422, "account.name_shape"),
        ("A\u{434}am", 422, "account.name_scripts"),
        ("Admin", 422, "account.name_reserved"),
        ("M0derator", 422, "account.name_reserved"),
        ("system", 422, "account.name_reserved"),
        ("\u{410}d\u{430}", 422, "account.name_scripts"),
        // Of our own letters, and of Cyrillic ones alone.
        ("B0b", 409, "account.name_similar"),
        ("\u{420}\u{430}\u{443}", 409, "account.name_similar"),
    ] {
        is_refused(sign_up(&api, name).await, status, code);
        is_refused(patch(&api, &ada, json!({ "name": name })).await, status, code);
        let email = format!("{}@example.org", Uuid::now_v7().simple());
        let body = json!({ "name": name, "email": email, "password": PASSWORD });
        let upgrade = api.call(Method::POST, "/v1/accounts/upgrade", Some(&guest.access), body);
        is_refused(upgrade.await, status, code);
    }
    // One's own name may be written otherwise.
    is_done(patch(&api, &bob, json!({ "name": "B0b" })).await);
    is_refused(sign_up(&api, "bob").await, 409, "account.name_similar");
    for name in ["Адам", "サクラ姫", "Team 日本", "Scunthorpe"] {
        is_done(sign_up(&api, name).await);
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn names_from_before_stay_until_they_are_changed(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Nils").await;
    let twin = api.member("Twin").await;
    let statement = "update player set name = 'NiIs' where player_id = $1";
    api.execute(statement, twin.player_id).await;
    assert_eq!(sortie_control::text::look::fill(&api.db).await.unwrap(), 1);
    is_done(patch(&api, &twin, json!({ "about": "I was here first." })).await);
    is_done(patch(&api, &twin, json!({ "name": "NiIs" })).await);
    is_refused(patch(&api, &twin, json!({ "name": "Ni1s" })).await, 409, "account.name_similar");
    is_done(patch(&api, &twin, json!({ "name": "Twin" })).await);
    is_refused(patch(&api, &twin, json!({ "name": "NiIs" })).await, 409, "account.name_similar");
    // Whose name it was leaves it for others.
    is_done(patch(&api, &ada, json!({ "name": "Olaf" })).await);
    is_done(patch(&api, &twin, json!({ "name": "NiIs" })).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn the_filter_reads_names_and_texts_too(db: PgPool) {
    let api = Api::new(db);
    let ada = api.member("Ada").await;
    let words = "insert into chat_word values ('darn', 'mask'), ('foul', 'refuse')";
    sqlx::query(words).execute(&api.db).await.unwrap();
    for name in ["Darn", "Mr Foul", "d.a.r.n", "f\u{3bf}ul"] {
        let (status, body) = sign_up(&api, name).await;
        assert_eq!(status, 422, "{name}: {body}");
        is_refused(sign_up(&api, &name.replace('\u{3bf}', "o")).await, 422, "account.name_word");
    }
    is_done(sign_up(&api, "Darnell").await);
    let me = is_done(patch(&api, &ada, json!({ "about": "oh d\u{430}\u{200b}rn" })).await);
    assert_eq!(me["about"], "oh ****");
    is_refused(patch(&api, &ada, json!({ "about": "FOUL!" })).await, 422, "account.about_word");
    let lines = "x\n".repeat(12) + "x";
    is_refused(patch(&api, &ada, json!({ "about": lines })).await, 422, "account.about_shape");
    is_done(patch(&api, &ada, json!({ "about": "" })).await);
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn an_old_hash_of_a_password_as_it_was_typed_is_good_once_and_renewed(db: PgPool) {
    let api = Api::new(db);
    let (composed, apart) = ("p\u{e4}ssw\u{f6}rt gut", "pa\u{308}sswo\u{308}rt gut");
    let ada = api.member("Ada").await;
    let hash = "update personal.credential set password_phc = $2 where player_id = $1";
    // Of the bytes, as hashes were made before.
    let params = Params::new(CHEAP.memory_kib, CHEAP.passes, CHEAP.lanes, None).unwrap();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let old: PasswordHash = argon.hash_password_with_salt(apart.as_bytes(), &[7; 16]).unwrap();
    let old = old.to_string();
    sqlx::query(hash).bind(ada.player_id).bind(&old).execute(&api.db).await.unwrap();
    is_refused(api.log_in("Ada", composed).await, 401, "account.wrong_login");
    is_done(api.log_in("Ada", apart).await);
    // From now on, it is the same from every keyboard.
    for typed in [composed, apart] {
        is_done(api.log_in("Ada", typed).await);
    }
}
