//! Input that Postgres cannot store is the caller's mistake, not ours.

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::fixture::Fixture;

/// The statuses of calls with a NUL wherever staff may write something.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_nul_in_a_text_is_refused(db: PgPool) {
    let fixture = Fixture::new(db);
    let (_, token) = fixture.staff("Administrator", "administrator").await;
    let (player, _) = fixture.player("Player").await;
    let nul = "a b\0c";
    let user = format!("/v1/admin/users/{player}");
    let ban = json!({ "player_id": player, "scope": "chat", "reason": nul });
    for (method, path, body) in [
        (Method::POST, format!("{user}/notes"), json!({ "text": nul })),
        (Method::POST, "/v1/admin/bans".to_owned(), ban),
        (Method::PUT, "/v1/admin/flags/x.y".to_owned(), json!({ "value": nul })),
        (Method::PUT, "/v1/admin/roles/a%00b".to_owned(), json!({ "permissions": [] })),
        (Method::PUT, format!("{user}/roles/a%00b"), Value::Null),
        (Method::GET, "/v1/admin/users?q=a%00b".to_owned(), Value::Null),
        (Method::GET, "/v1/admin/audit?target=a%00b".to_owned(), Value::Null),
    ] {
        let body = Some(body).filter(|body| !body.is_null());
        let (status, body) = fixture.call(method.clone(), &path, &token, body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path}: {body}");
    }
}

/// A battle that goes on and has nothing else about it.
async fn live_battle(db: &PgPool) -> Uuid {
    let id = Uuid::now_v7();
    let server = "insert into battle_server (server_id, name, address, fingerprint, version,
            protocol_version, battles_max, players_max, state, lease_until)
        values ($1, 'eu-1', 'localhost:1', sha256(''), '1', 3, 1, 64, 'ready', now())";
    sqlx::query(server).bind(id).execute(db).await.unwrap();
    let battle = "insert into battle (battle_id, mode, map, is_ranked, players_max, state,
            server_id, started_at)
        values ($1, 'conquest', 'plain', true, 64, 'running', $1, now())";
    sqlx::query(battle).bind(id).execute(db).await.unwrap();
    id
}

/// Control codes are refused wherever staff write what others read; what is not seen, or turns the
/// direction of a text, is taken out of it.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn what_staff_write_hides_nothing_and_turns_nothing_around(db: PgPool) {
    let fixture = Fixture::new(db.clone());
    let (_, token) = fixture.staff("Administrator", "administrator").await;
    let (player, players) = fixture.player("Player").await;
    let battle = live_battle(&db).await;
    let seat = "insert into battle_player (battle_id, player_id, team) values ($1, $2, 0)";
    sqlx::query(seat).bind(battle).bind(player).execute(&db).await.unwrap();
    let user = format!("/v1/admin/users/{player}");
    let written = |text: &str| {
        [
            (format!("{user}/notes"), json!({ "text": text })),
            (
                "/v1/admin/bans".to_owned(),
                json!({ "player_id": player, "scope": "chat", "reason": text }),
            ),
            (format!("/v1/admin/battles/{battle}/messages"), json!({ "text": text })),
            (format!("{user}/kick"), json!({ "reason": text, "battle_id": battle })),
            (format!("/v1/admin/battles/{battle}/end"), json!({ "reason": text })),
        ]
    };
    for bad in ["a\u{1b}[2Jb c", "a\u{7}bell", "\u{200b}\u{200b}\u{200b}"] {
        for (path, body) in written(bad) {
            let (status, answer) = fixture.post(&path, &token, body).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {bad:?}: {answer}");
        }
    }
    for (path, body) in written("he is\u{202e} a ch\u{200b}eat") {
        let (status, answer) = fixture.post(&path, &token, body).await;
        assert!(status.is_success(), "{path}: {answer}");
    }
    let texts = "select text from personal.staff_note union all select reason from ban
        union all select body->>'text' from server_order where body ? 'text'
        union all select body->>'reason' from server_order where body ? 'reason'";
    let texts: Vec<String> = sqlx::query_scalar(texts).fetch_all(&db).await.unwrap();
    assert!(texts.len() >= 5 && texts.iter().all(|text| text == "he is a cheat"), "{texts:?}");

    // And what players write to staff.
    let mut report = json!({ "player_id": player, "kind": "cheating", "text": "a\u{1b}[2Jb" });
    let path = format!("/v1/battles/{battle}/reports");
    for (text, expected) in [("a\u{1b}[2Jb", 422), ("through\u{202e} walls", 409)] {
        report["text"] = json!(text);
        let body = Some(report.clone());
        let call = sortie_testing::call(&fixture.public, Method::POST, &path, Some(&players), body);
        assert_eq!(call.await.0, expected, "{text:?}");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_forged_cursor_is_refused(db: PgPool) {
    let fixture = Fixture::new(db);
    let (_, token) = fixture.staff("Administrator", "administrator").await;
    for (list, micros) in ["battles", "reviews"].into_iter().flat_map(|list| {
        [i64::MIN, -300_000_000_000_000_000, -1, i64::MAX].map(|micros| (list, micros))
    }) {
        let cursor = BASE64.encode(json!([micros, Uuid::nil()]).to_string());
        let path = format!("/v1/admin/{list}?cursor={cursor}");
        let (status, body) = fixture.get(&path, &token).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(body["error"]["code"], "request.cursor");
    }
}
