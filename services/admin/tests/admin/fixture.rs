//! The service with its database, and players with roles.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::Value;
use sortie_account::keeper::AccountKeeper;
use sortie_admin::{Settings, public_service, service};
use sortie_control::app::AppState;
use sortie_control::service::{Stopper, stop};
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::openapi::OpenApi;
use uuid::Uuid;

pub(crate) struct Fixture {
    pub app: AppState,
    pub router: Router,
    pub public: Router,
    pub document: OpenApi,
    _stopper: Stopper,
}

impl Fixture {
    pub(crate) fn new(db: PgPool) -> Self {
        Self::with(db, Settings { require_totp: false, ..Settings::default() })
    }

    pub(crate) fn with(db: PgPool, settings: Settings) -> Self {
        let app = AppState::local(db);
        let (stopper, stop) = stop();
        let (router, document) =
            service(&app, settings, Arc::new(AccountKeeper), &stop).routes.split_for_parts();
        let (public, _) = public_service(&app, &stop).routes.split_for_parts();
        Self { app, router, public, document, _stopper: stopper }
    }

    pub(crate) async fn player(&self, name: &str) -> (Uuid, String) {
        let player_id = sortie_testing::player(&self.app.db, name).await;
        (player_id, sortie_testing::token(&self.app, player_id))
    }

    pub(crate) async fn staff(&self, name: &str, role: &str) -> (Uuid, String) {
        let staff = self.player(name).await;
        sortie_testing::grant(&self.app.db, staff.0, role).await;
        staff
    }

    /// A token of a login of this player that was opened so many seconds from now.
    pub(crate) async fn login(&self, player_id: Uuid, seconds: f64) -> String {
        let session_id = Uuid::now_v7();
        sqlx::query(
            "insert into personal.login_session (session_id, player_id, created_at, expires_at)
             values ($1, $2, now() + make_interval(secs => $3), now() + interval '1 day')",
        )
        .bind(session_id)
        .bind(player_id)
        .bind(seconds)
        .execute(&self.app.db)
        .await
        .unwrap();
        self.app.access.issue(player_id, session_id, false, OffsetDateTime::now_utc())
    }

    /// Gives a player an authenticator.
    pub(crate) async fn enrol(&self, player_id: Uuid) {
        sqlx::query(
            "insert into personal.credential
                 (player_id, password_phc, totp_secret, totp_confirmed_at)
             values ($1, 'x', 'x', now())",
        )
        .bind(player_id)
        .execute(&self.app.db)
        .await
        .unwrap();
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        sortie_testing::call(&self.router, method, path, Some(token), body).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, token, None).await
    }

    /// Rows of the audit log with this outcome.
    pub(crate) async fn audited(&self, outcome: &str) -> i64 {
        sqlx::query_scalar("select count(*) from audit where outcome = $1")
            .bind(outcome)
            .fetch_one(&self.app.db)
            .await
            .unwrap()
    }
}
