//! Errors as callers see them: `{"error":{"code","message","details","request_id"}}` over HTTP,
//! the same code in the metadata `error-code` over gRPC.
//!
//! A service has an error type of its own that knows no HTTP; at the edge it becomes an
//! [`ApiError`]. The cause of an internal error is logged once, here, and never sent.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::details::Details;
use crate::request;
use crate::store::READ_ONLY;

/// Why a call was not done.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Option<Box<Details>>,
    retry_after: Option<Duration>,
}

/// What handlers return.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error with a stable code like `account.name_taken` and a sentence for people.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, message: message.into(), details: None, retry_after: None }
    }

    /// 422: the call was understood, but what it says cannot be.
    pub fn invalid(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 404.
    pub fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 409: what is there already stands against it.
    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 401: the caller is not known.
    pub fn unauthenticated(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403: the caller is known, and may not.
    pub fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 429, with the time to wait.
    pub fn too_many(retry_after: Duration) -> Self {
        let message = "too many requests; wait as long as Retry-After says";
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "request.rate_limited", message);
        Self { retry_after: Some(retry_after), ..error }
    }

    /// 503: something that is needed is away; worth another try soon.
    pub fn unavailable(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        Self { retry_after: Some(Duration::from_secs(1)), ..error }
    }

    /// 500: our mistake. The cause goes to the log.
    pub fn internal(cause: &(dyn StdError + 'static)) -> Self {
        tracing::error!(error = cause, request_id = %request::id(), "a call failed");
        let message = "something went wrong on our side; the request id helps us find it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// Adds facts for programs.
    ///
    /// # Panics
    /// In tests: [`FIELDS`](crate::details::FIELDS) does not say that the code has them.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        debug_assert!(details.fit(self.code), "{}: {details:?}", self.code);
        self.details = Some(Box::new(details));
        self
    }

    /// Adds the time to wait before another try.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The name of the broken constraint, if that is what went wrong.
pub fn broken_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(|error| error.constraint())
}

impl From<sqlx::Error> for ApiError {
    /// Away is 503, a value that no column could hold is 422, anything else 500: constraints must
    /// have been turned into errors before.
    fn from(error: sqlx::Error) -> Self {
        // Classes 57 and 08, closed for now; 53 and 58, out of disk, memory or connections, or a
        // disk that fails; a standby, or a primary that is one by now; or too busy: locked for too
        // long, a deadlock, a failed serialization.
        let is_passing = |code: &str| {
            ["57", "08", "53", "58"].iter().any(|class| code.starts_with(class))
                || matches!(code, READ_ONLY | "55000" | "55P03" | "40P01" | "40001")
        };
        let is_away = match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
            sqlx::Error::Database(error) => error.code().as_deref().is_some_and(is_passing),
            _ => false,
        };
        let kind = match &error {
            sqlx::Error::PoolTimedOut => "no_connection",
            _ if is_away => "away",
            _ => "failed",
        };
        metrics::counter!("sortie_database_errors_total", "kind" => kind).increment(1);
        if is_away {
            tracing::warn!(%error, request_id = %request::id(), "the database is away");
            return Self::unavailable("store.unavailable", "the database is away; try again soon");
        }
        // A NUL in a text or in JSON, a time or a number out of range: what we compute has none of
        // them, so that it came with the call.
        let is_input = |code: &str| matches!(code, "22021" | "22P05" | "22008" | "22003");
        let code = error.as_database_error().and_then(|error| error.code());
        if code.as_deref().is_some_and(is_input) {
            tracing::info!(%error, request_id = %request::id(), "a value cannot be stored");
            let message = "a text has a NUL in it, or a time or number is out of range";
            return Self::invalid("request.fields", message);
        }
        Self::internal(&error)
    }
}

/// The body of every error.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorFields,
}

/// What went wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorFields {
    /// Stable, `area.reason`.
    #[schema(example = "account.name_taken")]
    pub code: String,
    /// A sentence for people; may change.
    pub message: String,
    /// More for programs; null where the code says all.
    #[serde(default)]
    pub details: Option<Details>,
    /// Names this call in our logs.
    pub request_id: String,
}

/// The code of the error that a response carries: an extension, for middleware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub &'static str);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = ErrorFields {
            code: self.code.to_owned(),
            message: self.message.into_owned(),
            details: self.details.map(|details| *details),
            request_id: request::id(),
        };
        let mut response = (self.status, Json(ErrorBody { error })).into_response();
        response.extensions_mut().insert(ErrorCode(self.code));
        if let Some(wait) = self.retry_after {
            let seconds = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<ApiError> for tonic::Status {
    fn from(error: ApiError) -> Self {
        let code = match error.status.as_u16() {
            400 | 422 => tonic::Code::InvalidArgument,
            401 => tonic::Code::Unauthenticated,
            403 => tonic::Code::PermissionDenied,
            404 => tonic::Code::NotFound,
            409 => tonic::Code::FailedPrecondition,
            429 => tonic::Code::ResourceExhausted,
            503 => tonic::Code::Unavailable,
            _ => tonic::Code::Internal,
        };
        let mut status = tonic::Status::new(code, error.message);
        let value = tonic::metadata::MetadataValue::from_static(error.code);
        status.metadata_mut().insert("error-code", value);
        status
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::PgPool;
    use time::macros::datetime;

    use super::*;

    #[sqlx::test(migrations = false)]
    async fn what_no_column_can_hold_is_the_callers_mistake(db: PgPool) {
        let ask = |query: &'static str| sqlx::query(query);
        let early = datetime!(-9999-01-01 0:00 UTC);
        for query in [
            ask("select $1::text").bind("a\0b"),
            ask("select $1::jsonb").bind(json!({ "a": "\0" })),
            ask("select $1::timestamptz").bind(early),
            ask("select 2147483647 + $1::integer").bind(1),
        ] {
            let error = ApiError::from(query.execute(&db).await.unwrap_err());
            assert_eq!((error.status().as_u16(), error.code()), (422, "request.fields"));
        }
        let ours = ApiError::from(ask("select from nothing").execute(&db).await.unwrap_err());
        assert_eq!(ours.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
