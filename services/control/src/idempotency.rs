//! `Idempotency-Key`: a POST that is sent twice is done once.
//!
//! Wrap a route whose callers are players in [`kept`], which also declares the header in the
//! route's description. The key belongs to the caller:
//! the same key for the same request is answered as before, for something else with 422, and
//! while the first one is still being answered with 409. What failed on our side, or for lack of
//! patience, is not kept and may be tried again.
//!
//! The answer is stored after the act, in a transaction of its own. When a node dies between the
//! two, the act may be done again a minute later; what must never be done twice needs a rule in
//! its own tables as well.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use ring::digest::{Context, SHA256};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Required, ResponseBuilder};
use utoipa_axum::router::UtoipaMethodRouter;
use uuid::Uuid;

use crate::app::AppState;
use crate::error::{ApiError, ApiResult};
use crate::request;
use crate::who::Caller;

/// The header.
pub const HEADER: &str = "idempotency-key";

/// Tells a caller that the answer is an old one.
pub const REPLAYED: &str = "idempotency-replayed";

const KEY_BYTES_MAX: usize = 100;
const BODY_BYTES_MAX: usize = 1 << 20;

/// Ids that are noted of a call and its answer.
const ABOUT_MAX: usize = 256;

/// Lets a route (`routes!(handler)`) do a POST with the header once, and says so in its
/// description.
pub fn kept<S: Clone + Send + Sync + 'static>(
    app: &AppState,
    route: UtoipaMethodRouter<S>,
) -> UtoipaMethodRouter<S> {
    let (schemas, mut paths, handlers) = route;
    for operation in paths.paths.values_mut().filter_map(|item| item.post.as_mut()) {
        operation.parameters.get_or_insert_default().push(parameter().into());
        mention(operation, "409", "`request.idempotency_in_progress`");
        mention(operation, "422", "`request.idempotency_key`, `request.idempotency_key_reused`");
    }
    let keep = middleware::from_fn_with_state(app.clone(), keep);
    (schemas, paths, handlers.route_layer(keep))
}

fn parameter() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(KEY_BYTES_MAX))
        .examples([Value::from("5b0c1f7e-7d0e-4c53-9d0a-5a9f0b8f6f5e")]);
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Chosen by the caller for this act. Sent again with the same key within a day, the \
             call is answered as before and not done again; `Idempotency-Replayed` says so.",
        ))
        .schema(Some(text))
        .build()
}

/// Adds codes to those that an operation may be refused with.
fn mention(operation: &mut Operation, status: &str, codes: &str) {
    match operation.responses.responses.get_mut(status) {
        Some(RefOr::T(known)) => known.description = format!("{}, {codes}", known.description),
        Some(RefOr::Ref(_)) => {}
        None => {
            let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
            let answer = ResponseBuilder::new().description(codes);
            let answer = answer.content("application/json", body).build();
            operation.responses.responses.insert(status.to_owned(), answer.into());
        }
    }
}

/// Middleware: does a POST with the header once.
async fn keep(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let asked = request.headers().get(HEADER).cloned();
    match asked {
        Some(key) if request.method() == Method::POST => {
            once(app, key, request, next).await.unwrap_or_else(IntoResponse::into_response)
        }
        _ => next.run(request).await,
    }
}

async fn once(
    app: AppState,
    key: HeaderValue,
    request: Request,
    next: Next,
) -> ApiResult<Response> {
    let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    let key = key.ok_or_else(|| {
        ApiError::invalid("request.idempotency_key", "Idempotency-Key has 1 to 100 ASCII bytes")
    })?;
    let (mut parts, body) = request.into_parts();
    let Ok(caller) = Caller::from_request_parts(&mut parts, &app).await else {
        // Nobody's key is no key; the handler says what is missing.
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let message = "the body is too large";
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", message)
    })?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let hash = hash_of(target, &body);
    let mut about = Vec::new();
    note_ids(target, &mut about);
    note_ids(&String::from_utf8_lossy(&body), &mut about);
    let place = Place { db: app.db, player_id: caller.player_id, key: key.to_owned(), about };
    if let Some(answer) = place.claim(&hash).await? {
        return Ok(answer);
    }
    // A caller who hangs up must not leave the key taken and the answer lost.
    let work = async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        place.settle(response).await
    };
    let acting = app.tasks.spawn("idempotent_call", request::within(request::id(), work));
    match acting.await {
        Ok(response) => response,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn hash_of(target: &str, body: &Bytes) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    for part in ["POST", " ", target, "\n"] {
        digest.update(part.as_bytes());
    }
    digest.update(body);
    digest.finish().as_ref().to_vec()
}

/// A caller's key.
struct Place {
    db: PgPool,
    player_id: Uuid,
    key: String,
    /// Whom the call names: when one of them is erased, the answer is forgotten.
    about: Vec<Uuid>,
}

impl Place {
    /// `None`: the key is ours, and the request is to be done now. Otherwise the stored answer.
    async fn claim(&self, hash: &[u8]) -> ApiResult<Option<Response>> {
        // A claim without an answer after a minute: its node is dead.
        let claimed = sqlx::query_scalar!(
            r#"insert into idempotency_key as k (player_id, key, request_hash)
               values ($1, $2, $3)
               on conflict (player_id, key) do update
               set created_at = now(), request_hash = excluded.request_hash
               where k.status is null and k.created_at < now() - interval '1 minute'
               returning true as "claimed!""#,
            self.player_id,
            self.key,
            hash
        )
        .fetch_optional(&self.db)
        .await?;
        if claimed.is_some() {
            return Ok(None);
        }
        let row = sqlx::query!(
            "select request_hash, status, answer from idempotency_key
             where player_id = $1 and key = $2",
            self.player_id,
            self.key
        )
        .fetch_optional(&self.db)
        .await?;
        match row {
            Some(row) if row.request_hash != hash => Err(ApiError::invalid(
                "request.idempotency_key_reused",
                "this Idempotency-Key was used for another request",
            )),
            Some(row) if row.status.is_some() => {
                Ok(Some(replay(row.status.unwrap_or_default(), row.answer)))
            }
            // Or it failed in this very moment, and may be tried again.
            _ => Err(ApiError::conflict(
                "request.idempotency_in_progress",
                "the first request with this Idempotency-Key is still being answered",
            )),
        }
    }

    /// Stores the answer, or frees the key.
    async fn settle(mut self, response: Response) -> ApiResult<Response> {
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
            self.free().await;
            return Err(ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the answer is too large to be kept for an Idempotency-Key",
            ));
        };
        let status = parts.status;
        let tried_in_vain = status.is_server_error()
            || [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        let answer =
            if body.is_empty() { Some(Value::Null) } else { json_of(&parts.headers, &body) };
        match answer {
            Some(answer) if !tried_in_vain => {
                note_ids(&answer.to_string(), &mut self.about);
                let status = i16::try_from(status.as_u16()).unwrap_or_default();
                let stored = sqlx::query!(
                    "update idempotency_key set status = $3, answer = $4, about = $5
                     where player_id = $1 and key = $2",
                    self.player_id,
                    self.key,
                    status,
                    answer,
                    &self.about
                )
                .execute(&self.db)
                .await;
                // The act is done: its answer goes out whether or not it could be kept.
                if let Err(error) = stored {
                    tracing::warn!(%error, "an answer could not be kept for its Idempotency-Key");
                }
            }
            _ => self.free().await,
        }
        Ok(Response::from_parts(parts, Body::from(body)))
    }

    async fn free(&self) {
        let freed = sqlx::query!(
            "delete from idempotency_key where player_id = $1 and key = $2 and status is null",
            self.player_id,
            self.key
        )
        .execute(&self.db)
        .await;
        if let Err(error) = freed {
            // It frees itself after a minute.
            tracing::warn!(%error, "an Idempotency-Key could not be freed");
        }
    }
}

/// Ids of people and things that a text names; the first [`ABOUT_MAX`].
fn note_ids(text: &str, ids: &mut Vec<Uuid>) {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    for word in text.split(|letter| !is_part(letter)).filter(|word| word.len() == 36) {
        if let Ok(id) = Uuid::try_parse(word)
            && ids.len() < ABOUT_MAX
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
}

fn json_of(headers: &HeaderMap, body: &Bytes) -> Option<Value> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    kind.starts_with("application/json").then(|| serde_json::from_slice(body).ok())?
}

fn replay(status: i16, answer: Option<Value>) -> Response {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match answer {
        None | Some(Value::Null) => status.into_response(),
        Some(answer) => (status, axum::Json(answer)).into_response(),
    };
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Forgets keys older than a day; gives how many. Callers repeat it now and then.
///
/// # Errors
/// The database is away.
pub async fn forget_old(db: &PgPool) -> sqlx::Result<u64> {
    let forgotten = sqlx::query!(
        "delete from idempotency_key where ctid = any(array(
            select ctid from idempotency_key where created_at < now() - interval '1 day'
            limit 10000))"
    )
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Forgets the answers that a player got, and those that name it.
///
/// # Errors
/// The database is away.
pub async fn erase(db: &mut PgConnection, player_id: Uuid) -> sqlx::Result<()> {
    // Answers that are kept for retries may have the account in them.
    sqlx::query!("delete from idempotency_key where player_id = $1", player_id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("delete from idempotency_key where about @> array[$1::uuid]", player_id)
        .execute(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::Router;
    use axum::routing::post;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    struct Fixture {
        router: Router,
        done: Arc<AtomicU32>,
        token: String,
        db: PgPool,
    }

    async fn fixture(db: PgPool) -> Fixture {
        let app = AppState::local(db.clone());
        let player = sortie_testing::player(&db, "Somebody").await;
        let token = app.access.issue(player, Uuid::now_v7(), false, app.clock.estimate());
        let done = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&done);
        let act = move |body: String| async move {
            let nth = count.fetch_add(1, Ordering::SeqCst) + 1;
            match body.as_str() {
                "fail" => ApiError::unavailable("test.away", "away").into_response(),
                _ => (StatusCode::CREATED, axum::Json(json!({ "nth": nth }))).into_response(),
            }
        };
        let layer = middleware::from_fn_with_state(app, keep);
        let router = Router::new().route("/acts", post(act)).layer(layer);
        Fixture { router, done, token, db }
    }

    impl Fixture {
        async fn post(&self, key: &str, body: &str) -> (StatusCode, Value) {
            let request = Request::post("/acts")
                .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
                .header(HEADER, key)
                .body(Body::from(body.to_owned()))
                .unwrap();
            let response = self.router.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
            (status, serde_json::from_slice(&body).unwrap())
        }

        fn done(&self) -> u32 {
            self.done.load(Ordering::SeqCst)
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn the_same_key_and_request_are_answered_once(db: PgPool) {
        let fixture = fixture(db).await;
        let first = fixture.post("a", "x").await;
        assert_eq!(first, (StatusCode::CREATED, json!({ "nth": 1 })));
        assert_eq!(fixture.post("a", "x").await, first);
        let (status, body) = fixture.post("a", "y").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body["error"]["code"], "request.idempotency_key_reused");
        assert_eq!(fixture.post("b", "y").await.1, json!({ "nth": 2 }));
        let (status, _) = fixture.post(&"k".repeat(101), "x").await;
        assert_eq!((status, fixture.done()), (StatusCode::UNPROCESSABLE_ENTITY, 2));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn what_failed_on_our_side_may_be_tried_again(db: PgPool) {
        let fixture = fixture(db).await;
        for _ in 0..2 {
            assert_eq!(fixture.post("a", "fail").await.0, StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(fixture.done(), 2);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn of_many_at_once_one_is_done(db: PgPool) {
        let fixture = Arc::new(fixture(db).await);
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let fixture = Arc::clone(&fixture);
                tokio::spawn(async move { fixture.post("a", "x").await.0 })
            })
            .collect();
        for call in calls {
            let status = call.await.unwrap();
            assert!([StatusCode::CREATED, StatusCode::CONFLICT].contains(&status), "{status}");
        }
        assert_eq!(fixture.done(), 1);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn the_claim_of_a_dead_node_is_taken_over_and_old_keys_are_forgotten(db: PgPool) {
        let fixture = fixture(db).await;
        fixture.post("a", "x").await;
        let age = |status: &str, age: &str| {
            format!("update idempotency_key set {status} created_at = now() - interval '{age}'")
        };
        for statement in [age("status = null,", "30 seconds")] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&fixture.db).await.unwrap();
        }
        assert_eq!(fixture.post("a", "x").await.0, StatusCode::CONFLICT);
        let statement = age("", "2 minutes");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&fixture.db).await.unwrap();
        assert_eq!(fixture.post("a", "x").await.1, json!({ "nth": 2 }));
        assert_eq!(forget_old(&fixture.db).await.unwrap(), 0);
        let statement = age("", "25 hours");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&fixture.db).await.unwrap();
        assert_eq!(forget_old(&fixture.db).await.unwrap(), 1);
    }
}
