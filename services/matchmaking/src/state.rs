//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::error::ApiError;
use sortie_control::service::Stop;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::settings::Settings;
use crate::view::Views;
use crate::watch::Watches;

#[derive(Clone)]
pub(crate) struct Matchmaking {
    pub app: AppState,
    pub settings: Arc<Settings>,
    pub views: Arc<Views>,
    pub watches: Arc<Watches>,
    pub stop: Stop,
}

impl Matchmaking {
    pub(crate) fn new(app: AppState, settings: Arc<Settings>, stop: Stop) -> Self {
        let views = Arc::new(Views::default());
        let watches = Arc::new(Watches::new(&settings));
        Self { app, settings, views, watches, stop }
    }

    pub(crate) fn db(&self) -> &PgPool {
        &self.app.db
    }

    /// The time, by the database's clock.
    pub(crate) async fn now(&self) -> sqlx::Result<OffsetDateTime> {
        self.settings.now(self.db()).await
    }

    /// Takes one of `count` calls in ten seconds that a player has for `what`.
    pub(crate) async fn limit(&self, what: &str, player: Uuid, count: u32) -> Result<(), ApiError> {
        let rate = Rate::per(count, Duration::from_secs(10));
        let bucket = format!("matchmaking/{what}/{player}");
        self.app.bus.limiter.take(&bucket, rate).await.map_err(ApiError::too_many)
    }
}

impl FromRef<Matchmaking> for AppState {
    fn from_ref(state: &Matchmaking) -> Self {
        state.app.clone()
    }
}
