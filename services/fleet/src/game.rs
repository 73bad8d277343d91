//! `sortie.game.v1.Game` and its lists over REST: battles as players, spectators and tools see
//! them. Every call carries an access token.

mod delay;
mod detail;
mod list;
mod statistics;
mod watch;
mod watchers;

use std::sync::Arc;
use std::time::Duration;

use sortie_battles::state::BattleState;
use sortie_control::access::Claims;
use sortie_control::app::AppState;
use sortie_control::bus::Rate;
use sortie_control::error::ApiError;
use sortie_control::headers;
use sortie_control::internal::MESSAGE_BYTES_MAX;
use sortie_control::page::PageQuery;
use sortie_control::service::Stop;
use sortie_control::who::Caller;
use sortie_rpc::game::v1 as rpc;
use sortie_rpc::game::v1::game_server::{Game, GameServer};
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use utoipa_axum::router::OpenApiRouter;

use crate::error::{FleetError, uuid};
use crate::rpc::whole;
use crate::settings::Settings;
use watch::Seat;
use watchers::Watchers;

/// Calls of one player; pages of a list follow each other quickly.
const READS: Rate = Rate::per(100, Duration::from_secs(10));

/// REST: `GET /v1/battles` and `GET /v1/battles/{battle_id}`.
pub(crate) fn routes(app: &AppState) -> OpenApiRouter {
    list::router().merge(detail::router()).with_state(app.clone())
}

/// Adds the service `Game`.
pub fn add_rpc(routes: &mut RoutesBuilder, app: &AppState, settings: &Settings, stop: &Stop) {
    let game = GameRpc {
        app: app.clone(),
        settings: settings.clone(),
        stop: stop.clone(),
        watches: Arc::new(Semaphore::new(settings.watches_max)),
        watchers: Watchers::default(),
    };
    routes.add_service(GameServer::new(game).max_decoding_message_size(MESSAGE_BYTES_MAX));
}

struct GameRpc {
    app: AppState,
    settings: Settings,
    stop: Stop,
    watches: Arc<Semaphore>,
    watchers: Watchers,
}

/// The value of `authorization`.
fn bearer(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("authorization").and_then(|value| value.to_str().ok())
}

impl GameRpc {
    /// Who calls, and not too often.
    async fn caller(&self, metadata: &MetadataMap) -> Result<Caller, ApiError> {
        let caller = Caller::of_bearer(&self.app, bearer(metadata))?;
        let bucket = format!("game/read/{}", caller.player_id);
        self.app.bus.limiter.take(&bucket, READS).await.map_err(ApiError::too_many)?;
        Ok(caller)
    }

    /// Everything that the token says: a watch outlives it, and is ended when its login ends.
    fn claims(&self, metadata: &MetadataMap) -> Result<Claims, Status> {
        let value = bearer(metadata);
        Caller::of_bearer(&self.app, value)?;
        let token = headers::bearer(value).unwrap_or_default();
        let claims = self.app.access.verify(token.trim(), self.app.clock.estimate());
        claims.map_err(|error| Status::unauthenticated(error.to_string()))
    }
}

#[tonic::async_trait]
impl Game for GameRpc {
    async fn list_battles(
        &self,
        request: Request<rpc::ListBattlesRequest>,
    ) -> Result<Response<rpc::ListBattlesResponse>, Status> {
        self.caller(request.metadata()).await?;
        let request = request.into_inner();
        let state = match request.state.as_str() {
            "" => None,
            state => Some(BattleState::of_name(state).ok_or_else(|| {
                FleetError::invalid("state: asked, allocated, running, finished, lost, cancelled")
            })?),
        };
        let page = PageQuery {
            limit: (request.limit != 0).then_some(request.limit),
            cursor: Some(request.cursor),
        };
        let page = list::battles(&self.app.db, state, &page).await?;
        Ok(Response::new(rpc::ListBattlesResponse {
            battles: page.items.into_iter().map(Into::into).collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        }))
    }

    async fn get_battle(
        &self,
        request: Request<rpc::GetBattleRequest>,
    ) -> Result<Response<rpc::GetBattleResponse>, Status> {
        self.caller(request.metadata()).await?;
        let battle_id = uuid("battle_id", &request.get_ref().battle_id)?;
        let db = self.app.db.clone();
        let detail =
            whole(&self.app.tasks, async move { detail::battle(&db, battle_id).await }).await?;
        Ok(Response::new(detail.into()))
    }

    type WatchBattleStream = ReceiverStream<Result<rpc::WatchBattleResponse, Status>>;

    async fn watch_battle(
        &self,
        request: Request<rpc::WatchBattleRequest>,
    ) -> Result<Response<Self::WatchBattleStream>, Status> {
        let claims = self.claims(request.metadata())?;
        let battle_id = uuid("battle_id", &request.get_ref().battle_id)?;
        let asked = watch::Asked { claims, battle_id, all: request.get_ref().with_positions };
        let seat = Arc::clone(&self.watches).try_acquire_owned();
        let place = seat.map_err(|_| FleetError::TooManyWatches)?;
        // One player alone could take all places otherwise.
        let most = self.settings.watches_per_player;
        let own = self.watchers.take(asked.claims.sub, most).ok_or(FleetError::TooManyWatches)?;
        let seat = Seat { _place: place, _own: own };
        let (app, settings) = (self.app.clone(), self.settings.clone());
        let stream = watch::begin(app, settings, self.stop.clone(), asked, seat).await?;
        Ok(Response::new(stream))
    }

    async fn get_player_statistics(
        &self,
        request: Request<rpc::GetPlayerStatisticsRequest>,
    ) -> Result<Response<rpc::GetPlayerStatisticsResponse>, Status> {
        self.caller(request.metadata()).await?;
        let player_id = uuid("player_id", &request.get_ref().player_id)?;
        let db = self.app.db.clone();
        let statistics =
            whole(&self.app.tasks, async move { statistics::of_player(&db, player_id).await })
                .await?;
        Ok(Response::new(statistics))
    }
}
