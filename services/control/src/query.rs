//! Names in queries: a route takes those that its description names, and refuses all others.
//!
//! `GET /v1/admin/users?query=ada` would list everybody, as if `q` had not been given. Extractors
//! cannot find that: most routes have none for the query, and some have two, each of which knows
//! a part. The description knows all of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa_axum::router::OpenApiRouter;

use crate::error::{ApiError, ApiResult};
use crate::json::{Query, UNKNOWN_NAME};

/// Routes that refuse queries with names that they do not know: 400 `request.unknown_name`.
pub fn strict(routes: OpenApiRouter) -> Router {
    let (router, document) = routes.split_for_parts();
    let known = Arc::new(Known::of(&document));
    router.layer(middleware::from_fn_with_state(known, refuse_unknown))
}

async fn refuse_unknown(State(known): State<Arc<Known>>, request: Request, next: Next) -> Response {
    match known.check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// The names that queries may have, by path and method. What is not here takes none.
struct Known(HashMap<String, HashMap<Method, Vec<String>>>);

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
            let names = operations.into_iter().filter_map(|(method, operation)| {
                operation.as_ref().map(|operation| (method, names(operation)))
            });
            (path.clone(), names.collect())
        });
        Self(paths.collect())
    }

    fn check(&self, request: &Request) -> ApiResult<()> {
        // What matches no route is refused for that.
        let Some(route) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
        let method = match *request.method() {
            Method::HEAD => &Method::GET,
            _ => request.method(),
        };
        let known = self.0.get(route.as_str()).and_then(|operations| operations.get(method));
        let known = known.map_or(&[][..], Vec::as_slice);
        let Query(pairs) = Query::<Vec<(String, String)>>::of(request.uri())?;
        match pairs.iter().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((unknown, _)) => Err(refusal(unknown, known)),
        }
    }
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
    use axum::routing::get;
    use serde_json::Value;
    use utoipa_axum::routes;

    use super::*;

    #[utoipa::path(get, path = "/v1/things/{thing}", params(
        ("thing" = String, Path, description = "Which"),
        ("limit" = u32, Query, description = "How many"),
    ), responses((status = 200)))]
    async fn things() -> &'static str {
        "[]"
    }

    async fn ask(path: &str) -> (u16, Value) {
        let bare = Router::new().route("/v1/bare", get(|| async { "{}" }));
        let routes = OpenApiRouter::new().routes(routes!(things));
        let router = strict(routes).merge(strict(bare.into()));
        let (status, body) = sortie_testing::call(&router, Method::GET, path, None, None).await;
        (status.as_u16(), body["error"].clone())
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
