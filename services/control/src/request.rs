//! The id of a request: taken from `x-request-id` or made, sent back, and in every error and log.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

/// Where it travels.
pub const HEADER: &str = "x-request-id";

const BYTES_MAX: usize = 64;

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request that is being answered; empty outside of one.
pub fn id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// Goes on answering the request `id` in `work`; for work that is moved to a task of its own.
pub async fn within<T>(id: String, work: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(id, work).await
}

/// Middleware: gives the request an id, and the response the same.
pub async fn give_id(request: Request, next: Next) -> Response {
    let asked = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let id = match asked {
        Some(id) if is_sane(id) => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    };
    let mut response = REQUEST_ID.scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// A stranger chooses it, and it goes to logs.
fn is_sane(id: &str) -> bool {
    (1..=BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
