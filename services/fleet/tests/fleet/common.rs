//! A node of the control plane, and battle servers as the node sees them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use sortie_control::app::AppState;
use sortie_control::internal::{self, FleetDoor, SharedSecret};
use sortie_control::service::{Stop, Stopper, stop};
use sortie_fleet::Settings;
use sortie_keys::PublicKeys;
use sortie_rpc::fleet::v1 as rpc;
use sortie_rpc::fleet::v1::fleet_client::FleetClient;
use sortie_rpc::game::v1::game_client::GameClient;
use sortie_rpc::ranking::v1::results_server::{Results, ResultsServer};
use sortie_rpc::ranking::v1::{ReportRequest, ReportResponse};
use sortie_testing::grpc::connect;
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

/// What the listeners of a node serve; the results are nobody's here.
pub(crate) const PUBLIC: &[&str] = &["sortie.game.v1.Game"];
pub(crate) const INTERNAL: &[&str] = &["sortie.fleet.v1.Fleet", "sortie.ranking.v1.Results"];

pub(crate) const SECRET: &str = "the secret of the tests";

/// Nothing in these tests takes longer, unless it is broken.
const DEADLINE: Duration = Duration::from_secs(20);

/// Times that are short enough to wait for.
pub(crate) fn quick() -> Settings {
    Settings {
        ticket_keys: PublicKeys::new([7; 32], [[8; 32]]).unwrap(),
        heartbeat: Duration::from_millis(100),
        lease: Duration::from_millis(800),
        order_poll: Duration::from_millis(200),
        placement_every: Duration::from_millis(30),
        waiting_after: Duration::from_millis(100),
        cleanup_every: Duration::from_millis(100),
        watch_every: Duration::from_millis(50),
        spectator_delay: Duration::from_millis(500),
        ..Settings::default()
    }
}

/// One node: both listeners and, if asked for, the jobs.
pub(crate) struct Node {
    pub app: AppState,
    pub internal: SocketAddr,
    pub public: SocketAddr,
    stopper: Stopper,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    pub(crate) async fn start(db: &PgPool, settings: Settings) -> Self {
        let node = Self::without_jobs(db, settings.clone()).await;
        node.with_jobs(settings)
    }

    pub(crate) async fn without_jobs(db: &PgPool, settings: Settings) -> Self {
        let app = AppState::local(db.clone());
        let (stopper, stop) = stop();
        let secret = SharedSecret::new(SECRET).unwrap();
        let mut routes = Routes::builder();
        let wakes = sortie_fleet::add_rpc(&mut routes, &app, &settings, &secret, &stop);
        let door = FleetDoor::new(secret, app.access.clone());
        routes.add_service(InterceptedService::new(ResultsServer::new(NoResults), door));
        sortie_fleet::health_and_reflection(&mut routes, INTERNAL.iter().copied());
        let (internal, inside) = listen(routes.routes(), stop.clone()).await;
        let mut routes = Routes::builder();
        sortie_fleet::game::add_rpc(&mut routes, &app, &settings, &stop);
        sortie_fleet::health_and_reflection(&mut routes, PUBLIC.iter().copied());
        let (public, outside) = listen(routes.routes(), stop).await;
        Self {
            app,
            internal,
            public,
            stopper,
            tasks: vec![tokio::spawn(wakes.work), inside, outside],
        }
    }

    fn with_jobs(mut self, settings: Settings) -> Self {
        let (stopper, stop) = stop();
        let service = sortie_fleet::service(&self.app, settings, &stop);
        self.tasks.extend(service.jobs.into_iter().map(|job| tokio::spawn(job.work)));
        let first = std::mem::replace(&mut self.stopper, stopper);
        // Both stop together.
        let mut both = stop;
        self.tasks.push(tokio::spawn(async move {
            both.asked().await;
            first.stop();
        }));
        self
    }

    /// Stops everything, so that the test's database is let go.
    pub(crate) async fn stop(self) {
        self.stopper.stop();
        for task in self.tasks {
            soon("a node stops", task).await.unwrap();
        }
    }

    pub(crate) async fn fleet(&self) -> Fleet {
        Fleet::connect(self.internal).await
    }

    pub(crate) async fn game(&self) -> GameClient<Channel> {
        GameClient::new(connect(self.public).await)
    }
}

async fn listen(routes: Routes, mut stop: Stop) -> (SocketAddr, JoinHandle<()>) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = internal::bind(any, "--test").await.unwrap();
    let at = listener.local_addr().unwrap();
    let stopped = async move { stop.asked().await };
    let task = tokio::spawn(async move {
        internal::serve(listener, routes, Vec::new(), stopped).await.unwrap();
    });
    (at, task)
}

/// The ranking service is another crate; here it only stands behind the same door.
struct NoResults;

#[tonic::async_trait]
impl Results for NoResults {
    async fn report(&self, _: Request<ReportRequest>) -> Result<Response<ReportResponse>, Status> {
        Ok(Response::new(ReportResponse::default()))
    }
}

/// A request with a bearer credential.
pub(crate) fn with<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value: AsciiMetadataValue = format!("Bearer {credential}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// The fleet's client with the secret.
#[derive(Clone)]
pub(crate) struct Fleet(pub FleetClient<Channel>);

impl Fleet {
    pub(crate) async fn connect(at: SocketAddr) -> Self {
        Self(FleetClient::new(connect(at).await))
    }

    pub(crate) async fn register(&self, request: rpc::RegisterRequest) -> Server {
        let answer = self.try_register(request).await.unwrap();
        Server { fleet: self.clone(), id: answer.server_id.clone(), epoch: answer.epoch, answer }
    }

    pub(crate) async fn try_register(
        &self,
        request: rpc::RegisterRequest,
    ) -> Result<rpc::RegisterResponse, Status> {
        let mut client = self.0.clone();
        client.register(with(request, SECRET)).await.map(Response::into_inner)
    }

    pub(crate) async fn servers(&self) -> Vec<rpc::Server> {
        let request = with(rpc::ListServersRequest {}, SECRET);
        self.0.clone().list_servers(request).await.unwrap().into_inner().servers
    }

    pub(crate) async fn drain(&self, server_id: &str) -> Result<(), Status> {
        let request = rpc::DrainRequest { server_id: server_id.into() };
        self.0.clone().drain(with(request, SECRET)).await.map(drop)
    }
}

/// A registration that is as it should be.
pub(crate) fn registration(name: &str, battles_max: u32) -> rpc::RegisterRequest {
    rpc::RegisterRequest {
        name: name.into(),
        address: "127.0.0.1:4433".into(),
        fingerprint: vec![1; 32],
        version: "0.1.0".into(),
        protocol_version: 3,
        battles_max,
        players_max: 128,
        battles: Vec::new(),
        identity: identity(name),
    }
}

/// What a server of this name proves with that it is itself.
pub(crate) fn identity(name: &str) -> Vec<u8> {
    let mut identity = name.as_bytes().to_vec();
    identity.resize(32, 0);
    identity
}

/// A registered battle server.
pub(crate) struct Server {
    pub fleet: Fleet,
    pub id: String,
    pub epoch: u64,
    pub answer: rpc::RegisterResponse,
}

impl Server {
    pub(crate) fn uuid(&self) -> Uuid {
        self.id.parse().unwrap()
    }

    /// What it shows.
    pub(crate) fn credential(&self) -> &str {
        match self.answer.credential.as_str() {
            "" => SECRET,
            credential => credential,
        }
    }

    /// A heartbeat that says nothing but that the server lives.
    pub(crate) fn beat(&self) -> rpc::Heartbeat {
        let (server_id, epoch) = (self.id.clone(), self.epoch);
        rpc::Heartbeat { server_id, epoch, ..Default::default() }
    }

    /// A stream with its first heartbeat sent.
    pub(crate) async fn serve(&self) -> Line {
        self.serve_with(self.beat()).await
    }

    pub(crate) async fn serve_with(&self, first: rpc::Heartbeat) -> Line {
        let (beats, receiver) = mpsc::channel(16);
        beats.send(first).await.unwrap();
        let request = with(ReceiverStream::new(receiver), self.credential());
        let orders = self.fleet.0.clone().serve(request).await.unwrap().into_inner();
        Line { beats, orders }
    }
}

/// A `Serve` stream.
pub(crate) struct Line {
    pub beats: mpsc::Sender<rpc::Heartbeat>,
    pub orders: Streaming<rpc::Order>,
}

impl Line {
    pub(crate) async fn send(&self, beat: rpc::Heartbeat) {
        self.beats.send(beat).await.unwrap();
    }

    /// The next order, the keys that come first left out.
    pub(crate) async fn order(&mut self) -> rpc::Order {
        loop {
            let order = self.message().await;
            if !matches!(order.what, Some(rpc::order::What::TicketKeys(_))) {
                return order;
            }
        }
    }

    /// What comes next.
    pub(crate) async fn message(&mut self) -> rpc::Order {
        soon("an order comes", self.orders.message()).await.unwrap().expect("an order")
    }

    /// How the stream ends; orders before that are dropped.
    pub(crate) async fn end(&mut self) -> Status {
        end(&mut self.orders).await
    }

    /// How it ends when the server says no more.
    pub(crate) async fn hang_up(self) -> Status {
        let Self { beats, mut orders } = self;
        drop(beats);
        end(&mut orders).await
    }
}

async fn end(orders: &mut Streaming<rpc::Order>) -> Status {
    loop {
        match soon("the stream ends", orders.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => return Status::ok(""),
            Err(status) => return status,
        }
    }
}

/// How a battle stands, as its server tells it.
pub(crate) fn status(battle_id: Uuid, tick: u32) -> rpc::BattleStatus {
    rpc::BattleStatus {
        battle_id: battle_id.to_string(),
        tick,
        tick_hz: 60,
        players: 2,
        score: vec![100, 90],
        regions: vec![rpc::Region { max_x_m: 512.0, players: 2, ..Default::default() }],
        positions: vec![rpc::Position { x_m: 7, ..Default::default() }],
        ..Default::default()
    }
}

/// A battle that waits for a server.
pub(crate) async fn ask(db: &PgPool, players_max: i32) -> Uuid {
    let battle_id = Uuid::now_v7();
    sqlx::query(
        "insert into battle (battle_id, mode, map, is_ranked, players_max, duration_s)
         values ($1, 'conquest', 'ridge', true, $2, 600)",
    )
    .bind(battle_id)
    .bind(players_max)
    .execute(db)
    .await
    .unwrap();
    battle_id
}

/// A player of a battle.
pub(crate) async fn enlist(db: &PgPool, battle_id: Uuid, player_id: Uuid) {
    sqlx::query("insert into battle_player (battle_id, player_id, team) values ($1, $2, 0)")
        .bind(battle_id)
        .bind(player_id)
        .execute(db)
        .await
        .unwrap();
}

/// State of a battle.
pub(crate) async fn state(db: &PgPool, battle_id: Uuid) -> String {
    sqlx::query_scalar("select state from battle where battle_id = $1")
        .bind(battle_id)
        .fetch_one(db)
        .await
        .unwrap()
}

/// Waits until a battle is in a state.
pub(crate) async fn until_state(db: &PgPool, battle_id: Uuid, wanted: &str) {
    until(wanted, || async { state(db, battle_id).await == wanted }).await;
}

/// Waits for a fact.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, fact: impl Fn() -> F) {
    let end = tokio::time::Instant::now() + DEADLINE;
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    while !fact().await {
        assert!(tokio::time::Instant::now() < end, "this did not come true: {what}");
        looks.tick().await;
    }
}

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("this did not come in time: {what}"))
}
