//! What tests of several services repeat: players, their tokens, and calls of routers without a
//! network. Only tests and benches depend on it.
//!
//! [`grpc`] holds gRPC listeners against the table of who may call what.

pub mod grpc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use sortie_control::app::AppState;
use sortie_control::idempotency;
use sqlx::PgPool;
use tower::ServiceExt;
use uuid::Uuid;

/// A new player with this name.
///
/// # Panics
/// The database refuses.
pub async fn player(db: &PgPool, name: &str) -> Uuid {
    let player_id = Uuid::now_v7();
    sqlx::query("insert into player (player_id, name) values ($1, $2)")
        .bind(player_id)
        .bind(name)
        .execute(db)
        .await
        .expect("a new player");
    player_id
}

/// Gives a player a role.
///
/// # Panics
/// The database refuses.
pub async fn grant(db: &PgPool, player_id: Uuid, role: &str) {
    sqlx::query("insert into player_role (player_id, role) values ($1, $2)")
        .bind(player_id)
        .bind(role)
        .execute(db)
        .await
        .expect("a known role");
}

/// A fresh access token of a player. Of its login there is no row: who reads that wants [`login`].
pub fn token(app: &AppState, player_id: Uuid) -> String {
    app.access.issue(player_id, Uuid::now_v7(), false, app.clock.estimate())
}

/// A fresh access token of a new login of a player.
///
/// # Panics
/// The database refuses.
pub async fn login(app: &AppState, player_id: Uuid) -> String {
    let session_id = Uuid::now_v7();
    let login = "insert into personal.login_session (session_id, player_id, expires_at)
        values ($1, $2, now() + interval '30 days')";
    let login = sqlx::query(login).bind(session_id).bind(player_id);
    login.execute(&app.db).await.expect("a new login");
    app.access.issue(player_id, session_id, false, app.clock.estimate())
}

/// Calls a router without a network; gives status and JSON body (`Null` without one).
///
/// # Panics
/// The answer's body is not JSON.
pub async fn call(
    router: &Router,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> (StatusCode, Value) {
    call_with_key(router, method, path, token, None, body).await
}

/// Like [`call`], with an `Idempotency-Key`.
///
/// # Panics
/// The answer's body is not JSON.
pub async fn call_with_key(
    router: &Router,
    method: Method,
    path: &str,
    token: Option<&str>,
    key: Option<&str>,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(key) = key {
        request = request.header(idempotency::HEADER, key);
    }
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let request = request.body(body).expect("a lawful request");
    let response = router.clone().oneshot(request).await.expect("routers do not fail");
    let status = response.status();
    let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).expect("a JSON body")
    };
    (status, body)
}
