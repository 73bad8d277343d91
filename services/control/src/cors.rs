//! Calls from web pages of other origins (CORS): refused by browsers unless the operator lists the
//! page's origin.
//!
//! Nothing is granted here. Calls are made with an access token that the page has to have, never
//! with cookies, so that a browser has nothing of its own to add: credentials are not allowed. A
//! program that is no browser may call from anywhere anyway.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{idempotency, request};

/// How long a browser may remember that it may call.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// `None`: no origin but the host's own.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let own = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            own(idempotency::HEADER),
            own(request::HEADER),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            header::ETAG,
            own(idempotency::REPLAYED),
            own(request::HEADER),
        ])
        .max_age(REMEMBERED);
    Some(layer)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, Response};
    use axum::routing::put;
    use tower::ServiceExt;

    use super::*;

    const PAGE: &str = "https://play.example";

    async fn answer(origins: &[&str], method: Method, origin: &str) -> Response<Body> {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let router = Router::new().route("/v1/me", put(|| async { "done" }));
        let router = match layer(&origins) {
            Some(cors) => router.layer(cors),
            None => router,
        };
        let request = Request::builder()
            .method(method)
            .uri("/v1/me")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,idempotency-key")
            .body(Body::empty())
            .unwrap();
        router.oneshot(request).await.unwrap()
    }

    fn said<'a>(answer: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
        answer.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn a_listed_page_may_call_and_read() {
        let preflight = answer(&["https://other.example", PAGE], Method::OPTIONS, PAGE).await;
        assert_eq!(preflight.status(), 200);
        assert_eq!(said(&preflight, &header::ACCESS_CONTROL_ALLOW_ORIGIN), Some(PAGE));
        let methods = said(&preflight, &header::ACCESS_CONTROL_ALLOW_METHODS).unwrap();
        assert!(methods.contains("PUT"), "{methods}");
        let headers = said(&preflight, &header::ACCESS_CONTROL_ALLOW_HEADERS).unwrap();
        assert!(headers.contains("authorization") && headers.contains("idempotency-key"));
        assert_eq!(said(&preflight, &header::ACCESS_CONTROL_MAX_AGE), Some("3600"));
        assert_eq!(said(&preflight, &header::ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
        let call = answer(&[PAGE], Method::PUT, PAGE).await;
        assert_eq!(said(&call, &header::ACCESS_CONTROL_ALLOW_ORIGIN), Some(PAGE));
        let exposed = said(&call, &header::ACCESS_CONTROL_EXPOSE_HEADERS).unwrap();
        assert!(exposed.contains("retry-after"), "{exposed}");
        assert!(said(&call, &header::VARY).unwrap().contains("origin"), "caches keep them apart");
    }

    #[tokio::test]
    async fn any_other_page_is_told_nothing_that_lets_it_in() {
        for origin in ["https://evil.example", "https://play.example.evil", "null"] {
            for method in [Method::OPTIONS, Method::PUT] {
                let refused = answer(&[PAGE], method, origin).await;
                assert_eq!(said(&refused, &header::ACCESS_CONTROL_ALLOW_ORIGIN), None, "{origin}");
            }
        }
    }

    #[tokio::test]
    async fn without_a_list_nobody_is_let_in_and_a_star_lets_in_all() {
        for method in [Method::OPTIONS, Method::PUT] {
            let off = answer(&[], method.clone(), PAGE).await;
            assert_eq!(said(&off, &header::ACCESS_CONTROL_ALLOW_ORIGIN), None);
            let all = answer(&["*"], method, PAGE).await;
            assert_eq!(said(&all, &header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
        }
    }
}
