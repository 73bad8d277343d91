//! What a call may carry, names in its query and a body: a route takes what its description names,
//! and refuses all else.
//!
//! `GET /v1/admin/users?query=ada` would list everybody, as if `q` had not been given, and so would
//! the same with `q` in a body. Extractors cannot find that: most routes have none for the query,
//! some have two, each of which knows a part, and a body that nobody extracts is not looked at.
//! The description knows all of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa_axum::router::OpenApiRouter;

use crate::error::{ApiError, ApiResult};
use crate::json::{Query, UNKNOWN_NAME, unread};

/// The code of the error of a body that nobody asked for, with status 400.
pub const UNEXPECTED_BODY: &str = "request.unexpected_body";

/// Routes that refuse queries with names that they do not know (400 `request.unknown_name`), and
/// bodies where they take none (400 `request.unexpected_body`).
pub fn strict(routes: OpenApiRouter) -> Router {
    let (router, document) = routes.split_for_parts();
    let known = Arc::new(Known::of(&document));
    router.layer(middleware::from_fn_with_state(known, refuse_unknown))
}

async fn refuse_unknown(State(known): State<Arc<Known>>, request: Request, next: Next) -> Response {
    match known.check(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// What operations take, by path and method. What is not here takes nothing.
struct Known(HashMap<String, HashMap<Method, Takes>>);

/// What an operation takes.
#[derive(Default)]
struct Takes {
    /// The names that its query may have.
    names: Vec<String>,
    /// Whether there may be a body.
    body: bool,
}

impl Known {
    fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter().map(|(path, item)| {
            let operations = [
                (Method::GET, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            let takes = operations.into_iter().filter_map(|(method, operation)| {
                let operation = operation.as_ref()?;
                let body = operation.request_body.is_some();
                Some((method, Takes { names: names(operation), body }))
            });
            (path.clone(), takes.collect())
        });
        Self(paths.collect())
    }

    /// The request, if it may be as it is.
    async fn check(&self, request: Request) -> ApiResult<Request> {
        // What matches no route is refused for that.
        let Some(route) = request.extensions().get::<MatchedPath>() else { return Ok(request) };
        let method = match *request.method() {
            Method::HEAD => &Method::GET,
            _ => request.method(),
        };
        let nothing = Takes::default();
        let takes = match self.0.get(route.as_str()).map(|operations| operations.get(method)) {
            Some(Some(takes)) => takes,
            // The route does not know the method, which is what is wrong then.
            Some(None) => return Ok(request),
            None => &nothing,
        };
        let Query(pairs) = Query::<Vec<(String, String)>>::of(request.uri())?;
        if let Some((unknown, _)) = pairs.iter().find(|(name, _)| !takes.names.contains(name)) {
            return Err(refusal(unknown, &takes.names));
        }
        if takes.body { Ok(request) } else { without_body(request).await }
    }
}

/// The request, if nothing is in its body. A length says so; of a body that comes in chunks the
/// first bytes are waited for, and nothing is read behind them.
async fn without_body(request: Request) -> ApiResult<Request> {
    let (parts, mut body) = request.into_parts();
    if !body.is_end_stream() {
        if body.size_hint().lower() > 0 {
            return Err(unexpected());
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| unread(&error))?;
            if frame.data_ref().is_some_and(|bytes| !bytes.is_empty()) {
                return Err(unexpected());
            }
        }
    }
    Ok(Request::from_parts(parts, Body::empty()))
}

fn unexpected() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, UNEXPECTED_BODY, "this call takes no body")
}

fn names(operation: &Operation) -> Vec<String> {
    let parameters =
        operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
    let of_query = parameters.filter(|parameter| parameter.parameter_in == ParameterIn::Query);
    of_query.map(|parameter| parameter.name.clone()).collect()
}

/// As bodies are refused: serde has the same words for a field.
fn refusal(unknown: &str, known: &[String]) -> ApiError {
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let known = match known.as_slice() {
        [] => "this call takes no query".to_owned(),
        known => format!("expected one of {}", known.join(", ")),
    };
    let message = format!("unknown name `{unknown}` in the query, {known}");
    ApiError::new(StatusCode::BAD_REQUEST, UNKNOWN_NAME, message)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use axum::body::Bytes;
    use axum::routing::get;
    use hyper::body::Frame;
    use serde_json::Value;
    use tower::ServiceExt;
    use utoipa_axum::routes;

    use super::*;

    #[utoipa::path(get, path = "/v1/things/{thing}", params(
        ("thing" = String, Path, description = "Which"),
        ("limit" = u32, Query, description = "How many"),
    ), responses((status = 200)))]
    async fn things() -> &'static str {
        "[]"
    }

    #[utoipa::path(post, path = "/v1/things/{thing}", request_body = String, params(
        ("thing" = String, Path, description = "Which"),
    ), responses((status = 200)))]
    async fn change(text: String) -> String {
        format!("{text:?}")
    }

    fn router() -> Router {
        let bare = get(|| async { "{}" }).post(|| async { "{}" }).delete(|| async { "{}" });
        let bare = Router::new().route("/v1/bare", bare);
        let routes = OpenApiRouter::new().routes(routes!(things, change));
        strict(routes).merge(strict(bare.into()))
    }

    async fn ask(path: &str) -> (u16, Value) {
        let (status, body) = sortie_testing::call(&router(), Method::GET, path, None, None).await;
        (status.as_u16(), body["error"].clone())
    }

    /// A body of parts, without a length.
    struct Parts {
        left: Vec<&'static str>,
        taken: Arc<AtomicUsize>,
    }

    impl HttpBody for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left.is_empty() {
                return Poll::Ready(None);
            }
            self.taken.fetch_add(1, Ordering::Relaxed);
            let part = Bytes::from_static(self.left.remove(0).as_bytes());
            Poll::Ready(Some(Ok(Frame::data(part))))
        }
    }

    async fn sent(method: Method, path: &str, body: Body) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        let answer = router().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_body_that_is_not_described_is_refused_and_not_read() {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
            let refused = sent(method.clone(), "/v1/bare", Body::from("{}")).await;
            assert_eq!(refused.0, 400, "{method}");
            assert!(method == Method::HEAD || refused.1.contains(UNEXPECTED_BODY), "{refused:?}");
            assert_eq!(sent(method, "/v1/bare", Body::empty()).await.0, 200);
        }
        for (parts, status, read) in
            [(vec![], 200, 0), (vec!["", ""], 200, 2), (vec!["", "x", "y", "z"], 400, 2)]
        {
            let taken = Arc::new(AtomicUsize::new(0));
            let body = Body::new(Parts { left: parts, taken: Arc::clone(&taken) });
            assert_eq!(sent(Method::POST, "/v1/bare", body).await.0, status);
            assert_eq!(taken.load(Ordering::Relaxed), read);
        }
        let (status, said) = sent(Method::POST, "/v1/things/1", Body::from("whole")).await;
        assert_eq!((status, said.as_str()), (200, "\"whole\""));
        assert_eq!(sent(Method::GET, "/v1/things/1", Body::from("whole")).await.0, 400);
        assert_eq!(sent(Method::PUT, "/v1/things/1?x=y", Body::from("whole")).await.0, 405);
    }

    #[tokio::test]
    async fn a_name_that_is_not_described_is_refused() {
        for known in ["/v1/things/1", "/v1/things/1?limit=3", "/v1/things/1?", "/v1/bare"] {
            assert_eq!(ask(known).await, (200, Value::Null), "{known}");
        }
        for (path, name) in [
            ("/v1/things/1?limit=3&limt=4", "`limt` in the query, expected one of `limit`"),
            ("/v1/things/1?thing=2", "`thing`"),
            ("/v1/things/1?Limit=3", "`Limit`"),
            ("/v1/things/1?%6cimit[]=3", "`limit[]`"),
            ("/v1/things/1?=3", "``"),
            ("/v1/bare?limit=3", "this call takes no query"),
        ] {
            let (status, error) = ask(path).await;
            assert_eq!((status, &error["code"]), (400, &UNKNOWN_NAME.into()), "{path}: {error}");
            assert!(error["message"].as_str().unwrap().contains(name), "{path}: {error}");
        }
    }
}
