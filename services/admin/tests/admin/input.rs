//! Input that Postgres cannot store is the caller's mistake, not ours.

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::world::World;

/// The statuses of calls with a NUL wherever staff may write something.
#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_nul_in_a_text_is_refused(db: PgPool) {
    let world = World::new(db);
    let (_, token) = world.staff("Administrator", "administrator").await;
    let (player, _) = world.player("Player").await;
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
        let (status, body) = world.call(method.clone(), &path, &token, body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path}: {body}");
    }
}

#[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
async fn a_forged_cursor_is_refused(db: PgPool) {
    let world = World::new(db);
    let (_, token) = world.staff("Administrator", "administrator").await;
    for micros in [i64::MIN, -300_000_000_000_000_000, -1, i64::MAX] {
        let cursor = BASE64.encode(json!([micros, Uuid::nil()]).to_string());
        let path = format!("/v1/admin/battles?cursor={cursor}");
        let (status, body) = world.get(&path, &token).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(body["error"]["code"], "request.cursor");
    }
}
