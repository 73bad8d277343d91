//! The id of a request: taken from `x-request-id` or made, sent back, and in every error and log.
//!
//! It stands in logs and in the audit log, which nothing is ever taken out of. So only a UUID is
//! taken from a caller, with dashes or without (a trace id of W3C's Trace Context is one): words,
//! names and addresses have no place there.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

/// Where it travels.
pub const HEADER: &str = "x-request-id";

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
        Some(id) if is_id(id) => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    };
    let mut response = REQUEST_ID.scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// Of 32 digits, or in its usual form.
fn is_id(id: &str) -> bool {
    [32, 36].contains(&id.len()) && Uuid::try_parse(id).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uuids_are_taken_from_callers() {
        for id in ["0190a1b2-0000-7000-8000-00000000000a", "4bf92f3577b34da6a3ce929d0e0e4736"] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", "ada.lovelace", "canary-example.org", "4bf92f3577b34da6", "{}"] {
            assert!(!is_id(id), "{id}");
        }
        assert!(!is_id(&Uuid::nil().urn().to_string()));
    }
}
