//! Extractors that refuse bad input with our errors instead of axum's plain texts.
//!
//! A body may have the fields of its type and no others: types of requests deny unknown fields,
//! and a test over the OpenAPI document (`services/sortie_control/src/control_plane/names.rs`)
//! calls every operation to see it. Names in queries are checked by [`crate::query`].

use std::error::Error as StdError;

use axum::extract::path::ErrorKind as PathError;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::http::BodyTooSlow;

/// The code of the error that names a field or a parameter which is not there, with status 400.
pub const UNKNOWN_NAME: &str = "request.unknown_name";

/// A JSON body, in and out.
#[derive(Clone, Copy, Debug, Default, FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Parts of the path.
#[derive(Clone, Copy, Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// What stands after the question mark.
#[derive(Clone, Copy, Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// Of an address.
    ///
    /// # Errors
    /// It has another query than is wanted.
    pub fn of(uri: &Uri) -> Result<Self, ApiError> {
        Ok(Self(axum::extract::Query::try_from_uri(uri)?.0))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        if cause::<BodyTooSlow>(&rejection).is_some() {
            return too_slow();
        }
        if let Some(error) = cause::<serde_path_to_error::Error<serde_json::Error>>(&rejection) {
            return unfit(error.inner(), &error.path().to_string());
        }
        let (status, text) = (rejection.status(), rejection.body_text());
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "request.too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "request.media_type",
            _ => "request.json",
        };
        Self::new(status, code, text)
    }
}

/// A body that was read to its end or to its first fault, which is at `path`.
fn unfit(error: &serde_json::Error, path: &str) -> ApiError {
    if !error.is_data() {
        let message = format!("the body is no JSON: {error}");
        return ApiError::new(StatusCode::BAD_REQUEST, "request.json", message);
    }
    if let Some(message) = unknown_field(error) {
        return ApiError::new(StatusCode::BAD_REQUEST, UNKNOWN_NAME, message);
    }
    let text = without_place(error);
    let is_told = path == "." || text.contains(&format!("`{path}`"));
    let message = if is_told { text } else { format!("`{path}`: {text}") };
    ApiError::invalid("request.fields", message)
}

/// The sentence about a field that is none, if that is what is wrong with a text.
pub fn unknown_field(error: &serde_json::Error) -> Option<String> {
    Some(without_place(error)).filter(|text| text.starts_with("unknown field `"))
}

/// What is wrong, without line and column: they tell a program nothing that the names do not.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        if cause::<BodyTooSlow>(&rejection).is_some() {
            return too_slow();
        }
        let status = rejection.status();
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "request.too_large",
            _ => "request.body",
        };
        Self::new(status, code, rejection.body_text())
    }
}

/// Of a body that ended before its end.
pub(crate) fn unread(error: &axum::Error) -> ApiError {
    if cause::<BodyTooSlow>(error).is_some() {
        return too_slow();
    }
    ApiError::new(StatusCode::BAD_REQUEST, "request.body", "the body cannot be read")
}

fn too_slow() -> ApiError {
    let message = "the body did not come in time";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "request.too_slow", message)
}

/// The error of this type that `error` is, or that caused it.
fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        let text = match &rejection {
            PathRejection::FailedToDeserializePathParams(error) => match error.kind() {
                PathError::ParseErrorAtKey { key, value, .. }
                | PathError::DeserializeError { key, value, .. } => {
                    format!("`{key}` in the path cannot be '{value}'")
                }
                _ => "the path cannot be read".to_owned(),
            },
            other => other.body_text(),
        };
        Self::new(rejection.status(), "request.path", text)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let error = cause::<serde_path_to_error::Error<serde::de::value::Error>>(&rejection);
        let text = match error {
            Some(error) => format!("`{}` in the query: {}", error.path(), error.inner()),
            None => rejection.body_text(),
        };
        Self::new(rejection.status(), "request.query", text)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::Method;
    use axum::routing::{get, post};
    use serde::Deserialize;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::page::PageQuery;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        inner: Option<Inner>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        count: u8,
    }

    async fn read(Json(body): Json<Outer>) -> Json<usize> {
        Json(body.name.len() + usize::from(body.inner.map_or(0, |inner| inner.count)))
    }

    async fn told(body: Value) -> (u16, String, String) {
        let router = Router::new().route("/", post(read));
        let (status, body) =
            sortie_testing::call(&router, Method::POST, "/", None, Some(body)).await;
        let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        (status.as_u16(), text("code"), text("message"))
    }

    async fn page(Path(_): Path<Uuid>, Query(_): Query<PageQuery>) {}

    #[tokio::test]
    async fn what_is_wrong_with_an_address_is_told_by_name() {
        let router = Router::new().route("/{player_id}", get(page));
        for (path, message) in [
            ("/7", "`player_id` in the path cannot be '7'"),
            (
                "/00000000-0000-0000-0000-000000000007?limit=many",
                "`limit` in the query: invalid digit found in string",
            ),
        ] {
            let (status, body) = sortie_testing::call(&router, Method::GET, path, None, None).await;
            assert_eq!((status.as_u16(), &body["error"]["message"]), (400, &message.into()));
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_body_is_told_by_name_and_without_a_parsers_words() {
        assert_eq!(told(json!({ "name": "Ada", "inner": { "count": 2 } })).await.0, 200);
        for (body, status, code, message) in [
            (
                json!({ "nmae": "Ada" }),
                400,
                UNKNOWN_NAME,
                "unknown field `nmae`, expected `name` or `inner`",
            ),
            (
                json!({ "name": "Ada", "inner": { "cuont": 2 } }),
                400,
                UNKNOWN_NAME,
                "unknown field `cuont`, expected `count`",
            ),
            (json!({}), 422, "request.fields", "missing field `name`"),
            (
                json!({ "name": "Ada", "inner": { "count": "2" } }),
                422,
                "request.fields",
                "`inner.count`: invalid type: string \"2\", expected u8",
            ),
        ] {
            let expected = (status, code.to_owned(), message.to_owned());
            assert_eq!(told(body).await, expected);
        }
    }
}
