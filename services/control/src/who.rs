//! Who is calling: a handler that takes a [`Caller`] or [`Staff`] is closed to everybody else.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts, MatchedPath};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sqlx::PgPool;
use uuid::Uuid;

use crate::app::AppState;
use crate::audit::{self, AuditOutcome, Entry};
use crate::details::Details;
use crate::error::ApiError;
use crate::headers;
use crate::permission::{Needs, Permission, Permissions};

/// A player who is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The player.
    pub player_id: Uuid,
    /// The login session.
    pub session_id: Uuid,
    /// Whether the player is a guest.
    pub is_guest: bool,
}

impl Caller {
    /// Of an access token, however it came.
    ///
    /// # Errors
    /// 401 with `auth.invalid`, `auth.key_unknown`, `auth.expired` or `auth.revoked`.
    pub fn of_token(app: &AppState, token: &str) -> Result<Self, ApiError> {
        let claims =
            app.access.verify(token, app.clock.estimate()).map_err(|error| match error {
                crate::access::AccessError::Invalid => {
                    ApiError::unauthenticated("auth.invalid", "the access token is invalid")
                }
                crate::access::AccessError::UnknownKey => ApiError::unauthenticated(
                    "auth.key_unknown",
                    "the key of the access token is not in use any more; refresh the token",
                ),
                crate::access::AccessError::Expired => ApiError::unauthenticated(
                    "auth.expired",
                    "the access token has expired; refresh it",
                ),
            })?;
        if app.revoked.covers(&claims) {
            let message = "this login has ended; log in again";
            return Err(ApiError::unauthenticated("auth.revoked", message));
        }
        Ok(Self { player_id: claims.sub, session_id: claims.sid, is_guest: claims.guest })
    }

    /// Of the value of an `authorization` header or of gRPC metadata: `Bearer TOKEN`, the
    /// scheme in any case.
    ///
    /// # Errors
    /// As [`Self::of_token`], and `auth.missing` without a token.
    pub fn of_bearer(app: &AppState, value: Option<&str>) -> Result<Self, ApiError> {
        match headers::bearer(value) {
            Some(token) => Self::of_token(app, token.trim()),
            None => Err(ApiError::unauthenticated(
                "auth.missing",
                "send an access token as `Authorization: Bearer TOKEN`",
            )),
        }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        Self::of_bearer(&AppState::from_ref(state), value)
    }
}

/// What a refused call was aimed at, for the audit log: an extension of the request, made by
/// whoever knows which parts of a path may name somebody. Without it, nothing is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(pub String);

/// What the audit log calls a route, like `bans.create`: an extension of the request. Without it,
/// refused calls are called by method and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(pub &'static str);

/// A member of staff who has the permission `P` now: roles are read at each call. Calls that are
/// refused for lack of it are in the audit log.
#[derive(Clone, Debug)]
pub struct Staff<P> {
    /// The player who calls, and the login it calls with.
    pub caller: Caller,
    /// Everything that this one may do.
    pub permissions: Permissions,
    needs: PhantomData<P>,
}

impl<S, P> FromRequestParts<S> for Staff<P>
where
    S: Send + Sync,
    P: Needs,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let app = AppState::from_ref(state);
        let permissions = permissions_of(&app.db, caller.player_id).await?;
        if permissions.allow(P::PERMISSION) {
            return Ok(Self { caller, permissions, needs: PhantomData });
        }
        let action = match parts.extensions.get::<Action>() {
            Some(action) => action.0.to_owned(),
            None => {
                let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
                format!("{} {path}", parts.method)
            }
        };
        let entry = Entry {
            actor: Some(caller.player_id),
            action: &action,
            outcome: AuditOutcome::Refused,
            target: parts.extensions.get::<Target>().map_or(String::new(), |to| to.0.clone()),
            before: None,
            after: None,
        };
        audit::append(&mut *app.db.acquire().await?, &entry).await?;
        Err(lacks(P::PERMISSION))
    }
}

/// 403, naming the permission.
pub fn lacks(permission: Permission) -> ApiError {
    let details = Details { permission: Some(permission.name().to_owned()), ..Details::default() };
    ApiError::forbidden("auth.forbidden", format!("this needs the permission {permission}"))
        .with_details(details)
}

/// Everything that a player's roles allow; nothing for players who are no staff.
///
/// # Errors
/// The database is away.
pub async fn permissions_of(db: &PgPool, player_id: Uuid) -> sqlx::Result<Permissions> {
    let names = sqlx::query_scalar!(
        r#"select unnest(permissions) as "name!" from role
           join player_role using (role) where player_id = $1"#,
        player_id
    )
    .fetch_all(db)
    .await?;
    Ok(Permissions::new(names))
}
