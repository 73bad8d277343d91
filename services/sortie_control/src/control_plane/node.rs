//! One node: services on listeners, and their end in order.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use sortie_control::app::AppState;
use sortie_control::bus::seal::Seal;
use sortie_control::clock::Clock;
use sortie_control::http;
use sortie_control::internal::{self, SharedSecret};
use sortie_control::service::{Job, Service, Stop, Stopper, stop};
use sortie_control::tasks::Tasks;
use sortie_control::{query, revoked};
use sortie_fleet::RpcHealth;
use sortie_kit::causes;
use sortie_kit::health::Health;
use sortie_kit::metrics;
use sortie_kit::ops::OpsListener;
use tokio::net::TcpListener;
use tokio::task::{Id, JoinError, JoinSet};

use super::listeners::{Addresses, Listener, Rpc, RpcNode, Serves, WebOptions};
use super::services::{Role, Settings, of_roles};
use super::{openapi, readiness};

/// What a node is made of.
pub(crate) struct NodeConfig {
    /// What it does.
    pub roles: Vec<Role>,
    /// Listeners that it may have, and where.
    pub listen: Addresses,
    /// Of the HTTP listeners.
    pub web: WebOptions,
    /// Of all services.
    pub services: Settings,
    /// What battle servers show.
    pub fleet_secret: SharedSecret,
}

/// A running node.
pub(crate) struct Node {
    /// Where it listens, in the order of the table.
    pub addresses: Addresses,
    health: Health,
    /// Ends what listens.
    listeners: Stopper,
    /// Ends the work beside calls.
    jobs: Stopper,
    serving: JoinSet<()>,
    working: JoinSet<()>,
    /// What calls have begun and may not be cut off.
    tasks: Tasks,
    /// What the tasks of both are.
    names: HashMap<Id, &'static str>,
    /// What the gRPC listeners say of themselves.
    rpc_health: Vec<RpcHealth>,
    ops: Option<OpsListener>,
}

/// What all listeners of a node are opened with.
struct Opening<'a> {
    config: &'a NodeConfig,
    app: &'a AppState,
    /// Of the services, by role.
    routes: BTreeMap<Role, Router>,
    secret: SharedSecret,
    closing: Stop,
}

/// How long listeners may take to close: each gives its calls 5 s and ends then. This is for one
/// that does not.
const LISTENERS_GRACE: Duration = Duration::from_secs(8);

/// How long jobs may take to end.
const JOBS_GRACE: Duration = Duration::from_secs(5);

impl Node {
    /// Binds all listeners, then begins to work and to serve: a node that cannot be is none that
    /// has done something.
    ///
    /// # Errors
    /// An address cannot be listened at.
    pub(crate) async fn start(config: NodeConfig, app: &AppState) -> anyhow::Result<Self> {
        let health = Health::default();
        let recorder = metrics::recorder()?;
        sortie_control::helps::describe();
        let is_operations = |listener: &Listener| matches!(listener.serves, Serves::Operations);
        let ops = config.listen.0.iter().find(|(listener, _)| is_operations(listener));
        let ops = ops.map(|(_, addr)| OpsListener::start(*addr, health.clone(), recorder));
        let (listeners, closing) = stop();
        let (jobs, ending) = stop();
        let mut node = Self {
            addresses: Addresses::default(),
            health,
            listeners,
            jobs,
            serving: JoinSet::new(),
            working: JoinSet::new(),
            tasks: app.tasks.clone(),
            names: HashMap::new(),
            rpc_health: Vec::new(),
            ops: ops.transpose()?,
        };
        node.health.set_not_ready("start", Some("is starting".to_owned()));
        let mut sockets = Vec::new();
        for (listener, addr) in &config.listen.0 {
            if listener.is_of(&config.roles) {
                let (socket, addr) = node.bind(listener, *addr).await?;
                node.addresses.0.push((listener, addr));
                sockets.extend(socket.map(|socket| (*listener, socket)));
            }
        }
        let by_role = of_roles(app, &config.services, &config.roles, &ending);
        let routes = by_role.into_iter().map(|(role, services)| (role, node.take_on(services)));
        let mut routes: BTreeMap<Role, Router> = routes.collect();
        if let Some(api) = routes.remove(&Role::Api) {
            routes.insert(Role::Api, api.merge(query::strict(openapi::route().into())));
        }
        let opening = Opening {
            routes,
            secret: config.fleet_secret.clone().behind(&config.web.http.trusted_proxies),
            config: &config,
            app,
            closing,
        };
        for (listener, socket) in sockets {
            node.open(listener, socket, &opening);
        }
        node.work_all(vec![
            revoked::job(&app.revoked, &app.bus, &ending),
            Job::new("heartbeat", readiness::beat(node.health.clone(), ending.clone())),
            Job::new("readiness", readiness::watch(app.clone(), node.health.clone(), ending)),
        ]);
        node.health.set_not_ready("start", None);
        Ok(node)
    }

    /// Begins the work of services; gives their routes.
    fn take_on(&mut self, services: Vec<Service>) -> Router {
        let mut router = Router::new();
        for service in services {
            router = router.merge(query::strict(service.routes));
            self.work_all(service.jobs);
        }
        router
    }

    /// The socket of a listener, and where it is; that of operations is open already.
    async fn bind(
        &self,
        listener: &Listener,
        addr: SocketAddr,
    ) -> anyhow::Result<(Option<TcpListener>, SocketAddr)> {
        if let (Serves::Operations, Some(ops)) = (&listener.serves, &self.ops) {
            return Ok((None, ops.addr()));
        }
        let socket = internal::bind(addr, listener.flag).await?;
        let addr = socket.local_addr()?;
        Ok((Some(socket), addr))
    }

    /// Begins to serve what a listener serves.
    fn open(&mut self, listener: &Listener, socket: TcpListener, with: &Opening<'_>) {
        let Opening { config, app, routes, secret, closing } = with;
        match &listener.serves {
            Serves::Http { routes: chosen, limits } => {
                let of_role = listener.role.and_then(|role| routes.get(&role)).cloned();
                let (router, limits) = (chosen(of_role.unwrap_or_default()), limits(&config.web));
                let (bus, stop) = (app.bus.clone(), asked(closing.clone()));
                self.serve(listener.flag, http::serve(socket, router, bus, limits, stop));
            }
            Serves::Rpc(services) => {
                let settings = &config.services;
                let of = RpcNode { app, settings, secret, stop: closing };
                let Rpc { routes, health, jobs } = Rpc::new(services, &of);
                self.rpc_health.push(health);
                self.work_all(jobs);
                let proxies = config.web.http.trusted_proxies.clone();
                self.serve(listener.flag, serve_rpc(socket, routes, proxies, closing.clone()));
            }
            Serves::Operations => {}
        }
    }

    fn work_all(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            self.work(job.name, job.work);
        }
    }

    fn work(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let id = self.working.spawn(work).id();
        self.names.insert(id, name);
    }

    fn serve(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let id = self.serving.spawn(work).id();
        self.names.insert(id, name);
    }

    /// Lives until `asked` resolves, or a part of it ends by itself; then ends in order.
    ///
    /// # Errors
    /// A part ended: whoever watches over the process is to start it anew.
    pub(crate) async fn live(
        mut self,
        asked: impl Future<Output = ()>,
        drain: Duration,
    ) -> anyhow::Result<()> {
        let lost = tokio::select! {
            () = asked => None,
            name = self.lost() => Some(name),
        };
        if let Some(name) = lost {
            self.health.set_not_ready("work", Some(format!("'{name}' has ended by itself")));
        }
        self.stop(drain).await;
        if let Some(name) = lost {
            bail!("'{name}' has ended by itself, and a node without it is not whole; start it anew")
        }
        Ok(())
    }

    /// Ends in order: not ready first, so that load balancers look elsewhere; after `drain` the
    /// listeners close and calls end; then the jobs, and what calls began.
    pub(crate) async fn stop(mut self, drain: Duration) {
        self.health.set_not_ready("drain", Some("is shutting down".to_owned()));
        for health in &self.rpc_health {
            health.drain().await;
        }
        tokio::time::sleep(drain).await;
        self.listeners.stop();
        self.jobs.close();
        // Jobs end in any case: a listener that hangs may not keep them from what they do last.
        end("listeners", &mut self.serving, LISTENERS_GRACE).await;
        self.jobs.stop();
        let begun = tokio::time::timeout(JOBS_GRACE, self.tasks.ended());
        let (begun, ()) =
            tokio::join!(begun, end("background work", &mut self.working, JOBS_GRACE));
        if begun.is_err() {
            tracing::warn!(left = self.tasks.open(), "not all that calls began has ended in time");
        }
    }

    /// Whether something ended that never should: a node without it is not whole.
    pub(crate) fn lost_work(&mut self) -> bool {
        let ended = self.working.try_join_next_with_id();
        let Some(ended) = ended.or_else(|| self.serving.try_join_next_with_id()) else {
            return false;
        };
        self.note_lost(ended);
        true
    }

    /// The name of the first part that ends by itself.
    async fn lost(&mut self) -> &'static str {
        let ended = tokio::select! {
            Some(ended) = self.working.join_next_with_id() => ended,
            Some(ended) = self.serving.join_next_with_id() => ended,
            else => return std::future::pending().await,
        };
        self.note_lost(ended)
    }

    fn note_lost(&self, ended: Result<(Id, ()), JoinError>) -> &'static str {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.get(&id).copied().unwrap_or("a part");
        match ended {
            Ok(_) => tracing::error!(name, "a part of this node has ended by itself"),
            Err(error) => tracing::error!(name, %error, "a part of this node panicked"),
        }
        name
    }
}

/// Waits for tasks that were asked to end, and ends those that do not.
async fn end(what: &str, tasks: &mut JoinSet<()>, grace: Duration) {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of this node panicked at its end");
            }
        }
    };
    if tokio::time::timeout(grace, all).await.is_err() {
        tracing::warn!(what, left = tasks.len(), "not all ended in time");
        tasks.abort_all();
    }
}

async fn asked(mut stop: Stop) {
    stop.asked().await;
}

async fn serve_rpc(
    listener: TcpListener,
    routes: tonic::service::Routes,
    proxies: Vec<IpAddr>,
    stop: Stop,
) {
    if let Err(error) = internal::serve(listener, routes, proxies, asked(stop)).await {
        tracing::error!(error = causes::told(&error), "a gRPC listener ended");
    }
}

/// Where a deployment's Redis is, and what tells its keys from those of other deployments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RedisAt<'a> {
    /// As `redis://host:6379`.
    pub url: &'a str,
    /// What its keys and channels begin with.
    pub prefix: &'a str,
}

/// The pool and the bus of a node.
///
/// # Errors
/// A URL or the prefix cannot be.
pub(crate) async fn app(
    database_url: &str,
    connections_max: u32,
    redis: Option<RedisAt<'_>>,
    access: sortie_control::access::AccessKeys,
) -> anyhow::Result<AppState> {
    let db = sortie_control::store::pool(database_url, connections_max)?;
    let clock = Clock::default();
    let seal = Seal::new(&access, &clock);
    let bus = match redis {
        Some(RedisAt { url, prefix }) => sortie_control::bus::redis::connect(url, prefix, seal)
            .await
            .context("Redis is unusable")?,
        None => sortie_control::bus::Bus::local(),
    };
    Ok(AppState::with_clock(db, bus, access, clock))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use axum::routing::get;
    use sortie_control::access::AccessKeys;
    use sortie_control::bus::Bus;
    use sortie_control::http::HttpOptions;
    use sqlx::PgPool;
    use tokio::net::TcpStream;
    use tonic::transport::Endpoint;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;

    use super::super::listeners::{LISTENERS, RpcService};
    use super::*;

    const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// A node for staff, at free ports; with these listeners beside those that all have.
    async fn node(db: PgPool, planted: &'static [Listener]) -> Node {
        let all = LISTENERS.iter().chain(planted).map(|listener| (listener, FREE));
        started(db, all.collect()).await.unwrap()
    }

    async fn started(
        db: PgPool,
        listen: Vec<(&'static Listener, SocketAddr)>,
    ) -> anyhow::Result<Node> {
        let config = NodeConfig {
            roles: vec![Role::Admin],
            listen: Addresses(listen),
            web: WebOptions { http: HttpOptions::default(), admin_origins: Vec::new() },
            services: Settings::default(),
            fleet_secret: SharedSecret::new("a secret of some length").unwrap(),
        };
        let app = AppState::new(db, Bus::local(), AccessKeys::generate());
        Node::start(config, &app).await
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_node_that_lost_a_part_is_not_ready_and_ends(db: PgPool) {
        let mut panicking = node(db.clone(), &[]).await;
        let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
        panicking.work("matchmaker", async move {
            wait.await.unwrap();
            panic!("as a test wants it");
        });
        let health = panicking.health.clone();
        assert!(!panicking.lost_work(), "all is there");
        go_on.send(()).unwrap();
        let lived = panicking.live(std::future::pending(), Duration::ZERO).await;
        assert!(lived.unwrap_err().to_string().contains("'matchmaker'"));
        let reasons = health.not_ready().join("\n");
        assert!(reasons.contains("'matchmaker' has ended by itself"), "{reasons}");

        let mut deaf = node(db.clone(), &[]).await;
        deaf.serve("--grpc-listen", async {});
        let lived = deaf.live(std::future::pending(), Duration::ZERO).await;
        assert!(lived.unwrap_err().to_string().contains("'--grpc-listen'"));

        let whole = node(db, &[]).await.live(std::future::ready(()), Duration::ZERO).await;
        assert!(whole.is_ok(), "{whole:?}");
    }

    /// Two entries beside the table's, of each kind one.
    static PLANTED: &[Listener] = &[
        Listener {
            key: "planted",
            name: "planted",
            about: "What a test wants",
            protocol: Some("REST"),
            is_inner: false,
            url: ("http", "/v1/planted"),
            flag: "--planted-listen",
            variable: "A_TEST_LISTENS",
            default: "127.0.0.1:7709",
            role: Some(Role::Admin),
            serves: Serves::Http {
                routes: |_| Router::new().route("/v1/planted", get(async || "here")),
                limits: |web| web.http.clone(),
            },
        },
        Listener {
            key: "planted-rpc",
            name: "planted rpc",
            about: "What a test wants",
            protocol: Some("gRPC"),
            is_inner: true,
            url: ("grpc", ""),
            flag: "--planted-rpc-listen",
            variable: "A_TEST_LISTENS_TO_RPC",
            default: "127.0.0.1:7710",
            role: Some(Role::Admin),
            serves: Serves::Rpc(&[RpcService {
                name: "sortie.planted.v1.Planted",
                add: |_, node| {
                    let mut stop = node.stop.clone();
                    vec![Job::new("planted job", async move { stop.asked().await })]
                },
            }]),
        },
    ];

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_listener_is_one_entry(db: PgPool) {
        let node = node(db, PLANTED).await;
        let at = |key| node.addresses.at(key).unwrap();
        let (rest, rpc, ops) = (at("planted"), at("planted-rpc"), at("ops"));
        let get = async |url: String| reqwest::get(url).await.unwrap();
        let answer = get(format!("http://{rest}/v1/planted")).await;
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "its limits hold");
        assert_eq!(answer.text().await.unwrap(), "here");
        while get(format!("http://{ops}/readyz")).await.status() != 200 {
            tokio::task::yield_now().await;
        }
        let channel = Endpoint::from_shared(format!("http://{rpc}")).unwrap();
        let mut health = HealthClient::new(channel.connect().await.unwrap());
        let ask = || HealthCheckRequest { service: "sortie.planted.v1.Planted".to_owned() };
        let status = health.check(ask()).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving);

        let lines = node.addresses.lines();
        assert!(lines.contains(&format!("planted     http://{rest}/v1/planted")), "{lines:?}");
        assert_eq!(node.addresses.json()["planted-rpc"], rpc.to_string());
        assert!(node.addresses.at("rest").is_none(), "that is another role's");
        let names: Vec<&str> = node.names.values().copied().collect();
        for part in ["--planted-listen", "--planted-rpc-listen", "planted job"] {
            assert!(names.contains(&part), "{names:?}");
        }

        node.stop(Duration::ZERO).await;
        for addr in [rest, rpc, ops] {
            assert!(TcpStream::connect(addr).await.is_err(), "{addr} is still there");
        }
    }

    static HAS_WORKED: AtomicBool = AtomicBool::new(false);

    static WORKING: &[Listener] = &[Listener {
        key: "working",
        name: "working",
        about: "What a test wants",
        protocol: Some("gRPC"),
        is_inner: true,
        url: ("grpc", ""),
        flag: "--working-listen",
        variable: "A_TEST_WORKS",
        default: "127.0.0.1:7711",
        role: Some(Role::Admin),
        serves: Serves::Rpc(&[RpcService {
            name: "sortie.planted.v1.Working",
            add: |_, _| {
                HAS_WORKED.store(true, Relaxed);
                Vec::new()
            },
        }]),
    }];

    /// Somebody has started the same node twice.
    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_node_without_all_of_its_addresses_does_nothing(db: PgPool) {
        let taken = TcpListener::bind(FREE).await.unwrap();
        let admin = LISTENERS.iter().find(|listener| listener.key == "admin").unwrap();
        let listen = vec![(&WORKING[0], FREE), (admin, taken.local_addr().unwrap())];
        let refused = started(db, listen).await.err().unwrap();
        assert!(format!("{refused:#}").contains("--admin-listen"), "{refused:#}");
        assert!(!HAS_WORKED.load(Relaxed));
    }

    #[tokio::test]
    async fn what_does_not_end_is_ended() {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        end("a test", &mut tasks, Duration::from_millis(10)).await;
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    }
}
