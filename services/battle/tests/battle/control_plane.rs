//! A control plane small enough for a test: real gRPC on a free port, no rules, no database.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sortie_battle::ticket_clock::TicketClock;
use sortie_rpc::fleet::v1::fleet_server::{Fleet, FleetServer};
use sortie_rpc::fleet::v1::order::What;
use sortie_rpc::fleet::v1::{
    DrainRequest, DrainResponse, DrainServer, EndBattleRequest, EndBattleResponse, ErasePlayer,
    Heartbeat, KickPlayer, KickRequest, KickResponse, ListServersRequest, ListServersResponse,
    OpenBattle, Order, RegisterRequest, RegisterResponse, SayInBattle, StopBattle, TicketKeys,
};
use sortie_rpc::ranking::v1::results_server::{Results, ResultsServer};
use sortie_rpc::ranking::v1::{ReportRequest, ReportResponse};
use sortie_wire::ticket::{Ticket, TicketSigner};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::world::PATIENCE;

pub(crate) const SECRET: &str = "a secret for the tests";
pub(crate) const SEED: [u8; 32] = [21; 32];
const SERVER_ID: u128 = 0x5e;

/// What it was told, and what it answers.
#[derive(Default)]
pub(crate) struct Told {
    pub registers: Vec<RegisterRequest>,
    pub heartbeats: u64,
    /// The newest.
    pub heartbeat: Heartbeat,
    /// Every report, repeated ones as well.
    pub reports: Vec<ReportRequest>,
    /// By battle.
    pub stored: BTreeMap<String, ReportRequest>,
    /// Refuses every result, for this reason.
    pub refuses: Option<&'static str>,
    /// Speaks as a control plane of before there were credentials.
    pub is_old: bool,
    /// Credentials of before are worth nothing.
    pub keys: u64,
    /// What each `Serve` and `Report` that was let in showed.
    pub shown: Vec<String>,
    /// Tells servers to register again.
    pub forgets_servers: bool,
    /// How far its clock is ahead of this machine's; `None`: it does not tell what the time is.
    pub ahead_ms: Option<i64>,
    /// Battles to be forgotten at the next registration.
    pub forget: Vec<String>,
    /// The nodes that took up a server's stream, in order.
    pub served_by: Vec<u8>,
    orders: Vec<Order>,
    /// Seeds of the keys of join tickets, the one that signs first; none: [`SEED`].
    pub ticket_seeds: Vec<[u8; 32]>,
}

impl Told {
    fn ticket_keys(&self) -> Vec<Vec<u8>> {
        let seeds = if self.ticket_seeds.is_empty() { &[SEED][..] } else { &self.ticket_seeds };
        let key = |seed: &[u8; 32]| TicketSigner::from_seed(*seed).public_key().to_vec();
        seeds.iter().map(key).collect()
    }
}

/// What all nodes know, and the number of this one.
#[derive(Clone, Default)]
struct Shared(Arc<(Mutex<Told>, Condvar)>, u8);

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        let out = change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        out
    }
}

/// The control plane; it can go away and come back.
pub(crate) struct ControlPlane {
    shared: Shared,
    addr: SocketAddr,
    runtime: Option<Runtime>,
    /// Certificate and key; without them it speaks plainly.
    identity: Option<Identity>,
}

impl ControlPlane {
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    /// One that speaks TLS; and its certificate, PEM.
    pub(crate) fn start_with_tls() -> (Self, String) {
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = made.cert.pem();
        let identity = Identity::from_pem(&certificate, made.signing_key.serialize_pem());
        (Self::with(Some(identity)), certificate)
    }

    /// Another node of the same control plane, at an address of its own.
    pub(crate) fn node(&self, number: u8) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let shared = Shared(Arc::clone(&self.shared.0), number);
        let mut node = Self { shared, addr: any, runtime: None, identity: None };
        node.come_back();
        node
    }

    fn with(identity: Option<Identity>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut control_plane =
            Self { shared: Shared::default(), addr: any, runtime: None, identity };
        control_plane.come_back();
        control_plane
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// All connections break, and nobody listens.
    pub(crate) fn go_away(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Listens again, at the same address.
    pub(crate) fn come_back(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        let listener = loop {
            match runtime.block_on(TcpListener::bind(self.addr)) {
                Ok(listener) => break listener,
                // Its own connections of before may still be dying.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        self.addr = listener.local_addr().unwrap();
        let mut server = tonic::transport::Server::builder();
        if let Some(identity) = &self.identity {
            let tls = ServerTlsConfig::new().identity(identity.clone());
            server = server.tls_config(tls).unwrap();
        }
        let serve = server
            .add_service(FleetServer::with_interceptor(self.shared.clone(), check))
            .add_service(ResultsServer::with_interceptor(self.shared.clone(), check))
            .serve_with_incoming(TcpIncoming::from(listener));
        runtime.spawn(serve);
        self.runtime = Some(runtime);
    }

    /// From now on it speaks as before there were credentials.
    pub(crate) fn set_old(&self) {
        self.shared.with(|told| told.is_old = true);
    }

    /// Credentials that it gave out are worth nothing any more.
    pub(crate) fn renew_credentials(&self) {
        self.shared.with(|told| told.keys += 1);
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.shared.0.0.lock().unwrap()
    }

    /// Waits for a fact.
    pub(crate) fn wait<T>(&self, what: &str, found: impl Fn(&Told) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut told = self.told();
        loop {
            if let Some(found) = found(&told) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited too long for: {what}");
            told = self.shared.0.1.wait_timeout(told, left).unwrap().0;
        }
    }

    /// The result of a battle, once it is stored.
    pub(crate) fn result(&self, battle: Uuid) -> ReportRequest {
        self.wait("a result", |told| told.stored.get(&battle.to_string()).cloned())
    }

    /// Waits until a heartbeat lists the battle.
    pub(crate) fn running(&self, battle: Uuid) {
        let battle = battle.to_string();
        let lists = |told: &Told| told.heartbeat.battles.iter().any(|one| one.battle_id == battle);
        self.wait("the battle to run", |told| lists(told).then_some(()));
    }

    /// Sends an order; gives its number.
    pub(crate) fn order(&self, what: What) -> u64 {
        self.shared.with(|told| {
            let order_id = told.orders.len() as u64 + 1;
            told.orders.push(Order { order_id, what: Some(what) });
            order_id
        })
    }

    /// Orders a walk on a plain.
    pub(crate) fn open(&self, battle: Uuid, duration_s: u32) -> u64 {
        self.order(What::Open(OpenBattle {
            battle_id: battle.to_string(),
            mode: "walk".to_owned(),
            map: "plain:96".to_owned(),
            players_max: 16,
            duration_s,
        }))
    }

    pub(crate) fn end(&self, battle: Uuid) -> u64 {
        let battle_id = battle.to_string();
        self.order(What::End(StopBattle { battle_id, reason: String::new() }))
    }

    pub(crate) fn kick(&self, player: u128, reason: &str) -> u64 {
        let player_id = Uuid::from_u128(player).to_string();
        let reason = reason.to_owned();
        self.order(What::Kick(KickPlayer { battle_id: String::new(), player_id, reason }))
    }

    pub(crate) fn say(&self, battle: Uuid, text: &str) -> u64 {
        let (battle_id, text) = (battle.to_string(), text.to_owned());
        self.order(What::Message(SayInBattle { battle_id, text }))
    }

    pub(crate) fn erase(&self, player: u128) -> u64 {
        let player_id = Uuid::from_u128(player).to_string();
        self.order(What::Erase(ErasePlayer { player_id }))
    }

    pub(crate) fn drain(&self) -> u64 {
        self.order(What::Drain(DrainServer {}))
    }

    /// Waits until the server says that it carried out this order.
    pub(crate) fn done(&self, order: u64) {
        self.wait("an order to be done", |told| (told.heartbeat.order_done >= order).then_some(()));
    }
}

/// A join ticket as the control plane issues it.
pub(crate) fn ticket(battle: Uuid, ticket_id: u128, player: u128) -> Vec<u8> {
    ticket_for("test-1", battle, ticket_id, player)
}

/// A join ticket for the server of this name.
pub(crate) fn ticket_for(server: &str, battle: Uuid, ticket_id: u128, player: u128) -> Vec<u8> {
    ticket_until(machine_ms() + 20_000, server, battle, ticket_id, player)
}

/// The same, which expires at a time in milliseconds since 1970.
pub(crate) fn ticket_until(
    expires_at_ms: u64,
    server: &str,
    battle: Uuid,
    ticket_id: u128,
    player: u128,
) -> Vec<u8> {
    signed(SEED, expires_at_ms, server, battle, ticket_id, player)
}

/// A join ticket that is signed with the key of this seed.
pub(crate) fn ticket_by(seed: [u8; 32], battle: Uuid, ticket_id: u128, player: u128) -> Vec<u8> {
    signed(seed, machine_ms() + 20_000, "test-1", battle, ticket_id, player)
}

fn signed(
    seed: [u8; 32],
    expires_at_ms: u64,
    server: &str,
    battle: Uuid,
    ticket_id: u128,
    player: u128,
) -> Vec<u8> {
    let ticket = Ticket {
        ticket_id,
        player_key: player,
        battle_id: battle.as_u128(),
        team: Some((player % 2) as u8),
        class: 0,
        expires_at_ms,
        name: format!("player {player}"),
        audience: server.to_owned(),
    };
    TicketSigner::from_seed(seed).sign(&ticket).unwrap()
}

fn machine_ms() -> u64 {
    TicketClock::by_wall().now_ms()
}

fn carried<T>(request: &Request<T>) -> &str {
    let value = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

/// Of an epoch, made with so many-th keys.
fn credential(epoch: u64, keys: u64) -> String {
    format!("credential of epoch {epoch} by {keys}")
}

fn check(request: Request<()>) -> Result<Request<()>, Status> {
    let carried = carried(&request);
    match carried == SECRET || carried.starts_with("credential of epoch ") {
        true => Ok(request),
        false => Err(Status::unauthenticated("no secret")),
    }
}

impl Shared {
    /// Only the newest credential opens what is a server's own.
    fn check_credential<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let shown = carried(request).to_owned();
        self.with(|told| {
            let epoch = told.registers.len() as u64;
            let wanted = match told.is_old {
                true => SECRET.to_owned(),
                false => credential(epoch, told.keys),
            };
            if shown != wanted {
                return Err(Status::unauthenticated("not the credential"));
            }
            told.shown.push(shown);
            Ok(())
        })
    }
}

#[tonic::async_trait]
impl Fleet for Shared {
    type ServeStream = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        Ok(Response::new(self.with(|told| {
            told.registers.push(request.into_inner());
            told.forgets_servers = false;
            let epoch = told.registers.len() as u64;
            let mut ticket_keys = told.ticket_keys();
            RegisterResponse {
                server_id: Uuid::from_u128(SERVER_ID).to_string(),
                epoch,
                heartbeat_ms: 100,
                ticket_public_key: ticket_keys.remove(0),
                other_ticket_public_keys: ticket_keys,
                forget: std::mem::take(&mut told.forget),
                time_ms: told.ahead_ms.map_or(0, |ahead_ms| machine_ms() as i64 + ahead_ms),
                credential: if told.is_old { String::new() } else { credential(epoch, told.keys) },
            }
        })))
    }

    async fn serve(
        &self,
        request: Request<Streaming<Heartbeat>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        self.check_credential(&request)?;
        let mut heartbeats = request.into_inner();
        let (orders, stream) = tokio::sync::mpsc::channel(64);
        let shared = self.clone();
        self.with(|told| told.served_by.push(self.1));
        let keys = TicketKeys { public_keys: self.with(|told| told.ticket_keys()) };
        let first = Order { order_id: 0, what: Some(What::TicketKeys(keys)) };
        let _ = orders.send(Ok(first)).await;
        tokio::spawn(async move {
            let mut sent = 0;
            let mut look = tokio::time::interval(Duration::from_millis(10));
            loop {
                tokio::select! {
                    heartbeat = heartbeats.next() => {
                        let Some(Ok(heartbeat)) = heartbeat else { return };
                        let is_known = shared.with(|told| {
                            // What was acknowledged does not come again.
                            sent = sent.max(heartbeat.order_done);
                            told.heartbeats += 1;
                            told.heartbeat = heartbeat;
                            !told.forgets_servers
                        });
                        if !is_known {
                            let unknown = Status::failed_precondition("register");
                            drop(orders.send(Err(unknown)).await);
                            return;
                        }
                    }
                    _ = look.tick() => {
                        let new: Vec<Order> = shared.with(|told| {
                            let new = told.orders.iter().filter(|order| order.order_id > sent);
                            new.cloned().collect()
                        });
                        for order in new {
                            sent = order.order_id;
                            if orders.send(Ok(order)).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn list_servers(
        &self,
        _: Request<ListServersRequest>,
    ) -> Result<Response<ListServersResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn drain(&self, _: Request<DrainRequest>) -> Result<Response<DrainResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn end_battle(
        &self,
        _: Request<EndBattleRequest>,
    ) -> Result<Response<EndBattleResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }

    async fn kick(&self, _: Request<KickRequest>) -> Result<Response<KickResponse>, Status> {
        Err(Status::unimplemented("not in these tests"))
    }
}

#[tonic::async_trait]
impl Results for Shared {
    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportResponse>, Status> {
        self.check_credential(&request)?;
        let result = request.into_inner();
        let (outcome, why) = self.with(|told| {
            told.reports.push(result.clone());
            let epoch = told.registers.len() as u64;
            if let Some(why) = told.refuses {
                return ("refused", why);
            }
            if result.epoch != epoch {
                return ("refused", "ranking.old_epoch: it has registered anew");
            }
            match told.stored.insert(result.battle_id.clone(), result) {
                Some(_) => ("known", ""),
                None => ("stored", ""),
            }
        });
        let (outcome, why) = (outcome.to_owned(), why.to_owned());
        // As a control plane says it that is older than the field for the code.
        Ok(Response::new(ReportResponse { outcome, why, code: String::new() }))
    }
}
