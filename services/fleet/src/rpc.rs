//! `sortie.fleet.v1.Fleet` over gRPC: messages in, messages out; what happens is elsewhere.

use sortie_control::internal::{MESSAGE_BYTES_MAX, SharedSecret};
use sortie_control::plane::Plane;
use sortie_control::service::Stop;
use sortie_rpc::fleet::v1 as rpc;
use sortie_rpc::fleet::v1::fleet_server::{Fleet, FleetServer};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::RoutesBuilder;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status, Streaming};

use crate::error::{FleetError, reason, uuid};
use crate::serve::{self, ORDERS_AHEAD, Shared};
use crate::settings::Settings;
use crate::wakes::Wakes;
use crate::{register, tools};

/// Adds the service `Fleet`, closed to whoever has not the secret. Call it within a Tokio
/// runtime, once a process: one connection to the database listens for orders from here on.
pub fn add_rpc(
    routes: &mut RoutesBuilder,
    plane: &Plane,
    settings: &Settings,
    secret: &SharedSecret,
    stop: &Stop,
) {
    let shared = Shared {
        db: plane.db.clone(),
        bus: plane.bus.clone(),
        settings: settings.clone(),
        wakes: Wakes::start(plane.db.clone(), stop.clone()),
        stop: stop.clone(),
    };
    let service = FleetServer::new(FleetRpc(shared)).max_decoding_message_size(MESSAGE_BYTES_MAX);
    routes.add_service(InterceptedService::new(service, secret.clone()));
}

struct FleetRpc(Shared);

/// Does work to its end even when the caller hangs up or its time is over: a transaction that is
/// dropped while it begins stays open in the pool (sqlx issue 4385).
pub(crate) async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, FleetError>> + Send + 'static,
) -> Result<T, Status> {
    let outcome = tokio::spawn(work).await;
    Ok(outcome.map_err(|_| Status::internal("something went wrong on our side"))??)
}

#[tonic::async_trait]
impl Fleet for FleetRpc {
    async fn register(
        &self,
        request: Request<rpc::RegisterRequest>,
    ) -> Result<Response<rpc::RegisterResponse>, Status> {
        let registration = register::Registration::try_from(request.into_inner())?;
        let (db, settings) = (self.0.db.clone(), self.0.settings.clone());
        let lease = settings.lease;
        let server =
            whole(async move { register::register(&db, registration, lease).await }).await?;
        tracing::info!(server_id = %server.server_id, epoch = server.epoch, "a server registered");
        Ok(Response::new(rpc::RegisterResponse {
            server_id: server.server_id.to_string(),
            epoch: server.epoch.unsigned_abs(),
            heartbeat_ms: u32::try_from(settings.heartbeat.as_millis()).unwrap_or(u32::MAX),
            ticket_public_key: settings.ticket_public_key.to_vec(),
            forget: server.forget.iter().map(ToString::to_string).collect(),
        }))
    }

    type ServeStream = ReceiverStream<Result<rpc::Order, Status>>;

    async fn serve(
        &self,
        request: Request<Streaming<rpc::Heartbeat>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let (orders, receiver) = mpsc::channel(ORDERS_AHEAD);
        tokio::spawn(serve::serve(self.0.clone(), request.into_inner(), orders));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn list_servers(
        &self,
        _: Request<rpc::ListServersRequest>,
    ) -> Result<Response<rpc::ListServersResponse>, Status> {
        let db = self.0.db.clone();
        let servers = whole(async move { tools::list_servers(&db).await }).await?;
        Ok(Response::new(rpc::ListServersResponse { servers }))
    }

    async fn drain(
        &self,
        request: Request<rpc::DrainRequest>,
    ) -> Result<Response<rpc::DrainResponse>, Status> {
        let server_id = uuid("server_id", &request.get_ref().server_id)?;
        let db = self.0.db.clone();
        whole(async move { tools::drain(&db, server_id).await }).await?;
        Ok(Response::new(rpc::DrainResponse {}))
    }

    async fn end_battle(
        &self,
        request: Request<rpc::EndBattleRequest>,
    ) -> Result<Response<rpc::EndBattleResponse>, Status> {
        let request = request.into_inner();
        let battle_id = uuid("battle_id", &request.battle_id)?;
        reason(&request.reason)?;
        let db = self.0.db.clone();
        whole(async move { tools::end_battle(&db, battle_id, request.reason.trim()).await })
            .await?;
        Ok(Response::new(rpc::EndBattleResponse {}))
    }

    async fn kick(
        &self,
        request: Request<rpc::KickRequest>,
    ) -> Result<Response<rpc::KickResponse>, Status> {
        let request = request.into_inner();
        let battle_id = match request.battle_id.as_str() {
            "" => None,
            battle_id => Some(uuid("battle_id", battle_id)?),
        };
        let player_id = uuid("player_id", &request.player_id)?;
        reason(&request.reason)?;
        let db = self.0.db.clone();
        whole(async move { tools::kick(&db, battle_id, player_id, request.reason.trim()).await })
            .await?;
        Ok(Response::new(rpc::KickResponse {}))
    }
}
