//! `sortie.fleet.v1.Fleet` over gRPC: messages in, messages out; what happens is elsewhere.

use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::clock::Clock;
use sortie_control::internal::{FleetCaller, FleetDoor, MESSAGE_BYTES_MAX, SharedSecret};
use sortie_control::service::{Job, Stop};
use sortie_control::tasks::Tasks;
use sortie_rpc::fleet::v1 as rpc;
use sortie_rpc::fleet::v1::fleet_server::{Fleet, FleetServer};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::RoutesBuilder;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status, Streaming};

use crate::error::{FleetError, reason, uuid};
use crate::refused_names::RefusedNames;
use crate::serve::{self, ORDERS_AHEAD, Shared};
use crate::settings::Settings;
use crate::wakes::Wakes;
use crate::{register, tools};

/// Adds the service `Fleet`, closed to whoever has neither the secret nor a credential. Gives the
/// job by which orders are prompt: one connection to the database listens for them.
pub fn add_rpc(
    routes: &mut RoutesBuilder,
    app: &AppState,
    settings: &Settings,
    secret: &SharedSecret,
    stop: &Stop,
) -> Job {
    let (wakes, job) = Wakes::new(app.db.clone(), stop.clone());
    let shared = Shared {
        db: app.db.clone(),
        bus: app.bus.clone(),
        settings: settings.clone(),
        wakes,
        stop: stop.clone(),
        tasks: app.tasks.clone(),
    };
    let (keys, clock) = (app.access.clone(), app.clock.clone());
    let service = FleetServer::new(FleetRpc {
        shared,
        keys: keys.clone(),
        clock,
        refused: RefusedNames::default(),
    })
    .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let door = FleetDoor::new(secret.clone(), keys);
    routes.add_service(InterceptedService::new(service, door));
    job
}

struct FleetRpc {
    shared: Shared,
    /// Credentials are signed with these.
    keys: AccessKeys,
    /// What the time is for battle servers, too.
    clock: Clock,
    refused: RefusedNames,
}

/// Does work to its end even when the caller hangs up or its time is over: a transaction that is
/// dropped while it begins stays open in the pool (sqlx issue 4385).
pub(crate) async fn whole<T: Send + 'static>(
    tasks: &Tasks,
    work: impl Future<Output = Result<T, FleetError>> + Send + 'static,
) -> Result<T, Status> {
    let outcome = tasks.spawn("fleet_call", work).await;
    Ok(outcome.map_err(|_| Status::internal("something went wrong on our side"))??)
}

#[tonic::async_trait]
impl Fleet for FleetRpc {
    async fn register(
        &self,
        request: Request<rpc::RegisterRequest>,
    ) -> Result<Response<rpc::RegisterResponse>, Status> {
        FleetCaller::of(&request)?.require_secret()?;
        let registration = register::Registration::try_from(request.into_inner())?;
        let (db, settings) = (self.shared.db.clone(), self.shared.settings.clone());
        let (has_identity, times) = (registration.has_identity(), settings.clone());
        let name = registration.name().to_owned();
        let work = async move { register::register(&db, registration, &times).await };
        let server = whole(&self.shared.tasks, work).await;
        let code = server.as_ref().err().and_then(|status| status.metadata().get("error-code"));
        if code.is_some_and(|code| code == "fleet.name_taken") {
            self.refused.refused(&name);
        }
        let server = server?;
        let (server_id, epoch) = (server.server_id, server.epoch);
        tracing::info!(%server_id, epoch, has_identity, "a server registered");
        let time = self.clock.now(&self.shared.db).await.map_err(FleetError::from)?;
        let credential = has_identity.then(|| self.keys.issue_server(server_id, epoch, time));
        Ok(Response::new(rpc::RegisterResponse {
            server_id: server.server_id.to_string(),
            epoch: server.epoch.unsigned_abs(),
            heartbeat_ms: u32::try_from(settings.heartbeat.as_millis()).unwrap_or(u32::MAX),
            ticket_public_key: settings.ticket_keys.first().to_vec(),
            other_ticket_public_keys: (settings.ticket_keys.iter().skip(1))
                .map(|key| key.to_vec())
                .collect(),
            forget: server.forget.iter().map(ToString::to_string).collect(),
            credential: credential.unwrap_or_default(),
            time_ms: i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
        }))
    }

    type ServeStream = ReceiverStream<Result<rpc::Order, Status>>;

    async fn serve(
        &self,
        request: Request<Streaming<rpc::Heartbeat>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let caller = FleetCaller::of(&request)?;
        let (orders, receiver) = mpsc::channel(ORDERS_AHEAD);
        let stream = serve::serve(self.shared.clone(), caller, request.into_inner(), orders);
        self.shared.tasks.spawn("fleet_stream", stream);
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn list_servers(
        &self,
        request: Request<rpc::ListServersRequest>,
    ) -> Result<Response<rpc::ListServersResponse>, Status> {
        FleetCaller::of(&request)?.require_secret()?;
        let db = self.shared.db.clone();
        let servers =
            whole(&self.shared.tasks, async move { tools::list_servers(&db).await }).await?;
        Ok(Response::new(rpc::ListServersResponse { servers }))
    }

    async fn drain(
        &self,
        request: Request<rpc::DrainRequest>,
    ) -> Result<Response<rpc::DrainResponse>, Status> {
        FleetCaller::of(&request)?.require_secret()?;
        let server_id = uuid("server_id", &request.get_ref().server_id)?;
        let db = self.shared.db.clone();
        whole(&self.shared.tasks, async move { tools::drain(&db, server_id).await }).await?;
        Ok(Response::new(rpc::DrainResponse {}))
    }

    async fn end_battle(
        &self,
        request: Request<rpc::EndBattleRequest>,
    ) -> Result<Response<rpc::EndBattleResponse>, Status> {
        FleetCaller::of(&request)?.require_secret()?;
        let request = request.into_inner();
        let battle_id = uuid("battle_id", &request.battle_id)?;
        let reason = reason(&request.reason)?;
        let db = self.shared.db.clone();
        whole(&self.shared.tasks, async move { tools::end_battle(&db, battle_id, &reason).await })
            .await?;
        Ok(Response::new(rpc::EndBattleResponse {}))
    }

    async fn kick(
        &self,
        request: Request<rpc::KickRequest>,
    ) -> Result<Response<rpc::KickResponse>, Status> {
        FleetCaller::of(&request)?.require_secret()?;
        let request = request.into_inner();
        let battle_id = match request.battle_id.as_str() {
            "" => None,
            battle_id => Some(uuid("battle_id", battle_id)?),
        };
        let player_id = uuid("player_id", &request.player_id)?;
        let reason = reason(&request.reason)?;
        let db = self.shared.db.clone();
        whole(
            &self.shared.tasks,
            async move { tools::kick(&db, battle_id, player_id, &reason).await },
        )
        .await?;
        Ok(Response::new(rpc::KickResponse {}))
    }
}
