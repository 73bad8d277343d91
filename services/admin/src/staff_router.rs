//! The router that every call of staff passes: who may, and what is written down about it.
//!
//! [`StaffRouter::serve`] is the only way in for a route, and takes the permission as a type: a
//! route without one cannot be written. The permission goes to the OpenAPI document as
//! `x-permission`, and to the check, from the same place.
//!
//! Every call leaves rows in the audit log. Refused: by [`Staff`] or here. Failed after that: here,
//! with the code of the error. Done: by the handler, in the transaction of the act
//! ([`Acting::record`]); calls that only read are written down here, before the answer goes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sortie_control::app::AppState;
use sortie_control::audit::{self, AuditOutcome, Entry};
use sortie_control::bus::Rate;
use sortie_control::error::{ApiError, ApiResult, ErrorCode};
use sortie_control::idempotency;
use sortie_control::keeper::Keeper;
use sortie_control::permission::{Needs, Permissions};
use sortie_control::request;
use sortie_control::who::{Action, Caller, Staff, Target};
use sqlx::{PgConnection, PgPool};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use uuid::Uuid;

use crate::Settings;

/// The extension of the OpenAPI document that names a route's permission.
pub const X_PERMISSION: &str = "x-permission";

/// The extension that names what the audit log calls a route.
pub const X_ACTION: &str = "x-action";

/// Characters of a parameter that go to the audit log.
const PARAMETER_CHARS_MAX: usize = 60;

/// Calls of nobody in particular that are written down; more are only counted.
const STRANGERS: Rate = Rate { burst: 50, per_s: 5.0 };

/// What handlers need.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// Store, bus, keys.
    pub app: AppState,
    /// How the service works.
    pub settings: Settings,
    /// Who keeps accounts.
    pub keeper: Arc<dyn Keeper>,
}

impl axum::extract::FromRef<AdminState> for AppState {
    fn from_ref(state: &AdminState) -> Self {
        state.app.clone()
    }
}

impl AdminState {
    /// The database.
    pub fn db(&self) -> &PgPool {
        &self.app.db
    }
}

/// Routes for staff.
pub struct StaffRouter {
    state: AdminState,
    routes: OpenApiRouter<AdminState>,
}

impl std::fmt::Debug for StaffRouter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaffRouter").field("state", &self.state).finish_non_exhaustive()
    }
}

impl StaffRouter {
    /// Without a route yet.
    pub fn new(state: AdminState) -> Self {
        Self { state, routes: OpenApiRouter::new() }
    }

    /// Adds one route (`routes!(handler)`) for staff who have `P`.
    #[must_use]
    pub fn serve<P: Needs>(
        mut self,
        action: &'static str,
        route: UtoipaMethodRouter<AdminState>,
    ) -> Self {
        let (schemas, mut paths, handlers) = idempotency::kept(&self.state.app, route);
        let path: Arc<str> = paths.paths.keys().next().map_or("", String::as_str).into();
        for item in paths.paths.values_mut() {
            for operation in operations(item) {
                mark(operation, P::PERMISSION.name(), action);
            }
        }
        let guard = Guard { state: self.state.clone(), action, path };
        let guard = middleware::from_fn_with_state(guard, pass::<P>);
        let handlers = handlers.route_layer(guard);
        self.routes = self.routes.routes((schemas, paths, handlers));
        self
    }

    /// All of them, ready to be served.
    pub fn close(self) -> OpenApiRouter {
        self.routes.with_state(self.state)
    }
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
        .into_iter()
        .flatten()
}

/// Names permission and action in the document, and how any call of staff may be refused.
pub(crate) fn mark(operation: &mut Operation, permission: &str, action: &str) {
    let extensions = operation.extensions.get_or_insert_default();
    extensions.insert(X_PERMISSION.to_owned(), json!(permission));
    extensions.insert(X_ACTION.to_owned(), json!(action));
    operation.security = Some(vec![SecurityRequirement::new("bearer", [""; 0])]);
    for (status, about) in REFUSALS {
        let error = Ref::from_schema_name("ErrorBody");
        let content = ContentBuilder::new().schema(Some(error)).build();
        let response = ResponseBuilder::new().description(*about);
        let response = response.content("application/json", content).build();
        let responses = &mut operation.responses.responses;
        responses.entry((*status).to_owned()).or_insert(response.into());
    }
}

const REFUSALS: &[(&str, &str)] = &[
    ("401", "`auth.missing`, `auth.invalid`, `auth.key_unknown`, `auth.expired`, `auth.revoked`"),
    ("403", "`auth.forbidden` (the permission is in the details), `admin.totp_required`"),
    ("422", "A value is out of bounds"),
    ("503", "The database is away"),
];

/// Who acts, under which name. Only the router makes one.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The member of staff whose token the call showed.
    pub player_id: Uuid,
    /// Everything that this one may do.
    pub permissions: Permissions,
    action: &'static str,
    is_recorded: Arc<AtomicBool>,
}

impl Acting {
    /// Writes down what is done, in the transaction that does it. Call it last: appends wait for
    /// each other until the transaction ends.
    ///
    /// # Errors
    /// The database is away.
    pub async fn record(
        &self,
        db: &mut PgConnection,
        target: String,
        before: Option<Value>,
        after: Option<Value>,
    ) -> sqlx::Result<()> {
        let entry = Entry { before, after, ..Entry::done(self.player_id, self.action, target) };
        audit::append(db, &entry).await?;
        self.is_recorded.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Acting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // A route that was not served by the router is closed to everybody.
        let message = "this route is closed";
        let closed = || ApiError::forbidden("auth.forbidden", message);
        parts.extensions.get::<Self>().cloned().ok_or_else(closed)
    }
}

#[derive(Clone)]
struct Guard {
    state: AdminState,
    action: &'static str,
    /// The route's, with its parameters in braces.
    path: Arc<str>,
}

async fn pass<P: Needs>(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    // An act is finished even when its caller hangs up: otherwise a ban could be written and
    // nobody told.
    let tasks = guard.state.app.tasks.clone();
    let work = async move {
        guard.pass::<P>(request, next).await.unwrap_or_else(IntoResponse::into_response)
    };
    match tasks.spawn("act_of_staff", request::within(request::id(), work)).await {
        Ok(response) => response,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

impl Guard {
    async fn pass<P: Needs>(&self, request: Request, next: Next) -> ApiResult<Response> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Action(self.action));
        parts.extensions.insert(Target(target_of(&self.path, &parts, Typed::Unknown)));
        if let Err(error) = Caller::from_request_parts(&mut parts, &self.state).await {
            self.note_stranger(&parts, error.code()).await?;
            return Err(error);
        }
        let staff: Staff<P> = Staff::from_request_parts(&mut parts, &self.state).await?;
        let actor = staff.caller.player_id;
        self.require_totp(&staff.caller, &parts).await?;
        let is_recorded = Arc::new(AtomicBool::new(false));
        let acting = Acting {
            player_id: actor,
            permissions: staff.permissions,
            action: self.action,
            is_recorded: Arc::clone(&is_recorded),
        };
        parts.extensions.insert(acting);
        let (method, known) = (parts.method.clone(), target_of(&self.path, &parts, Typed::Known));
        let unknown = target_of(&self.path, &parts, Typed::Unknown);
        let response = next.run(Request::from_parts(parts, body)).await;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            let code = response.extensions().get::<ErrorCode>().map(|code| code.0);
            let after = json!({ "status": status.as_u16(), "code": code });
            // The answer is an error already; it goes out even if this fails.
            if let Err(error) = self.note(Some(actor), AuditOutcome::Failed, unknown, after).await {
                tracing::warn!(%error, "a failed call could not be written down");
            }
        } else if !is_recorded.load(Ordering::Relaxed) {
            let is_replayed = response.headers().contains_key(idempotency::REPLAYED);
            let is_read = method == Method::GET || method == Method::HEAD;
            debug_assert!(is_read || is_replayed, "{}: not recorded", self.action);
            let after = if is_replayed { json!({ "replayed": true }) } else { Value::Null };
            self.note(Some(actor), AuditOutcome::Done, known, after).await?;
        }
        Ok(response)
    }

    /// The login has to be one with a code: one that was opened before the authenticator was
    /// confirmed is held by whoever knew the password.
    async fn require_totp(&self, caller: &Caller, parts: &Parts) -> ApiResult<()> {
        if !self.state.settings.require_totp {
            return Ok(());
        }
        let is_confirmed = sqlx::query_scalar!(
            r#"select exists (
                   select from personal.credential c join personal.login_session s using (player_id)
                   where player_id = $1 and session_id = $2 and s.created_at > c.totp_confirmed_at
               ) as "is_confirmed!""#,
            caller.player_id,
            caller.session_id
        )
        .fetch_one(self.state.db())
        .await?;
        if is_confirmed {
            return Ok(());
        }
        let code = "admin.totp_required";
        let after = json!({ "code": code });
        let actor = Some(caller.player_id);
        let target = target_of(&self.path, parts, Typed::Unknown);
        self.note(actor, AuditOutcome::Refused, target, after).await?;
        let message = "staff need a second factor: set up TOTP for your account, and log in again";
        Err(ApiError::forbidden(code, message))
    }

    /// A stranger must not be able to fill the log.
    async fn note_stranger(&self, parts: &Parts, code: &'static str) -> ApiResult<()> {
        metrics::counter!("sortie_admin_strangers_total").increment(1);
        if self.state.app.bus.limiter.take("admin/strangers", STRANGERS).await.is_ok() {
            let after = json!({ "code": code });
            let target = target_of(&self.path, parts, Typed::Unknown);
            self.note(None, AuditOutcome::Refused, target, after).await?;
        }
        Ok(())
    }

    async fn note(
        &self,
        actor: Option<Uuid>,
        outcome: AuditOutcome,
        target: String,
        after: Value,
    ) -> sqlx::Result<()> {
        let after = (!after.is_null()).then_some(after);
        let entry = Entry { actor, action: self.action, outcome, target, before: None, after };
        audit::append(&mut *self.state.db().acquire().await?, &entry).await
    }
}

/// The path of a call, without what could name somebody: queries are searched by e-mail address,
/// and where an id or a name belongs, anything may have been typed.
fn target_of(route: &str, parts: &Parts, typed: Typed) -> String {
    let parts: Vec<&str> = parts.uri.path().split('/').collect();
    let targets = route.split('/').zip(parts).map(|(name, part)| match name {
        _ if !name.starts_with('{') => name,
        _ if !name.ends_with("_id}") && typed == Typed::Known && is_name(part) => part,
        _ if part.parse::<Uuid>().is_ok() => part,
        _ => name,
    });
    targets.collect::<Vec<_>>().join("/")
}

/// Whether what was typed for the name of a role, a flag or a word is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Typed {
    /// The call succeeded.
    Known,
    /// It did not, or it is too early to say.
    Unknown,
}

/// Of a role, a flag or a word of the filter.
fn is_name(part: &str) -> bool {
    part.len() <= PARAMETER_CHARS_MAX
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
}

/// What handlers answer when there is nothing to say.
pub(crate) const DONE: StatusCode = StatusCode::NO_CONTENT;
