//! One node: services on listeners, and their end in order.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use sortie_control::bus::seal::Seal;
use sortie_control::clock::Clock;
use sortie_control::http::{self, HttpOptions};
use sortie_control::internal::{self, SharedSecret};
use sortie_control::plane::Plane;
use sortie_control::query;
use sortie_control::service::{Service, Stop, Stopper, stop};
use sortie_fleet::RpcHealth;
use sortie_kit::causes;
use sortie_kit::health::Health;
use sortie_kit::metrics;
use sortie_kit::ops::OpsListener;
use tokio::net::TcpListener;
use tokio::task::{Id, JoinError, JoinSet};

use super::services::{Role, Rpc, Settings, fleet_rpc, game_rpc, of_roles};
use super::{openapi, readiness};

/// Where a node listens; port 0 takes a free one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listen {
    /// REST.
    pub rest: SocketAddr,
    /// Chat.
    pub chat: SocketAddr,
    /// What staff do.
    pub admin: SocketAddr,
    /// Game state over gRPC.
    pub grpc: SocketAddr,
    /// Battle servers over gRPC.
    pub fleet: SocketAddr,
    /// Metrics and health.
    pub ops: SocketAddr,
}

/// What a node is made of.
pub(crate) struct NodeConfig {
    /// What it does.
    pub roles: Vec<Role>,
    /// Addresses of its listeners.
    pub listen: Listen,
    /// Limits of the HTTP listeners.
    pub http: HttpOptions,
    /// Web pages that may call what staff call; those of the options may not.
    pub admin_origins: Vec<String>,
    /// Of all services.
    pub services: Settings,
    /// What battle servers show.
    pub fleet_secret: SharedSecret,
}

/// Where a node really listens.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Addresses {
    /// REST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<SocketAddr>,
    /// Chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<SocketAddr>,
    /// What staff do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<SocketAddr>,
    /// Game state over gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<SocketAddr>,
    /// Battle servers over gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<SocketAddr>,
    /// Metrics and health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops: Option<SocketAddr>,
}

/// A running node.
pub(crate) struct Node {
    /// Where it listens.
    pub addresses: Addresses,
    health: Health,
    /// Ends what listens.
    listeners: Stopper,
    /// Ends the work beside calls.
    jobs: Stopper,
    serving: JoinSet<()>,
    working: JoinSet<()>,
    /// What the tasks of both are.
    names: HashMap<Id, &'static str>,
    /// What the gRPC listeners say of themselves.
    rpc_health: Vec<RpcHealth>,
    _ops: OpsListener,
}

/// How long listeners may take to close: each gives its calls 5 s and ends then. This is for one
/// that does not.
const LISTENERS_GRACE: Duration = Duration::from_secs(8);

/// How long jobs may take to end.
const JOBS_GRACE: Duration = Duration::from_secs(5);

impl Node {
    /// Binds all listeners, then serves.
    ///
    /// # Errors
    /// An address cannot be listened at.
    pub(crate) async fn start(config: NodeConfig, plane: &Plane) -> anyhow::Result<Self> {
        let health = Health::default();
        let recorder = metrics::recorder()?;
        sortie_control::helps::describe();
        let ops = OpsListener::start(config.listen.ops, health.clone(), recorder)?;
        let (listeners, closing) = stop();
        let (jobs, ending) = stop();
        let mut node = Self {
            addresses: Addresses { ops: Some(ops.addr()), ..Addresses::default() },
            health,
            listeners,
            jobs,
            serving: JoinSet::new(),
            working: JoinSet::new(),
            names: HashMap::new(),
            rpc_health: Vec::new(),
            _ops: ops,
        };
        node.health.set_not_ready("start", Some("is starting".to_owned()));
        let mut by_role = of_roles(plane, &config.services, &config.roles, &ending);
        for (role, services) in &mut by_role {
            node.start_role(*role, std::mem::take(services), &config, plane, &closing).await?;
        }
        let revoked = listen_for_revocations(plane.clone(), ending.clone());
        node.work("revocations", revoked);
        node.work("heartbeat", readiness::beat(node.health.clone(), ending.clone()));
        let watch = readiness::watch(plane.clone(), node.health.clone(), ending);
        node.work("readiness", watch);
        node.health.set_not_ready("start", None);
        Ok(node)
    }

    async fn start_role(
        &mut self,
        role: Role,
        services: Vec<Service>,
        config: &NodeConfig,
        plane: &Plane,
        closing: &Stop,
    ) -> anyhow::Result<()> {
        let Listen { rest, chat, admin, grpc, fleet, .. } = config.listen;
        let mut router = Router::new();
        for service in services {
            router = router.merge(query::strict(service.routes));
            for job in service.jobs {
                self.work(job.name, job.work);
            }
        }
        let (wanted, flag) = match role {
            Role::Api => (rest, "--listen"),
            Role::Chat => (chat, "--chat-listen"),
            Role::Admin => (admin, "--admin-listen"),
        };
        if role == Role::Api {
            router = router.merge(query::strict(document_route().into()));
        }
        let listener = internal::bind(wanted, flag).await?;
        let bound = Some(listener.local_addr()?);
        let (addresses, mut options) = (&mut self.addresses, config.http.clone());
        match role {
            Role::Api => addresses.rest = bound,
            Role::Chat => addresses.chat = bound,
            Role::Admin => {
                addresses.admin = bound;
                options.origins.clone_from(&config.admin_origins);
            }
        }
        let (bus, stop) = (plane.bus.clone(), asked(closing.clone()));
        self.serve(flag, http::serve(listener, router, bus, options, stop));
        if role == Role::Api {
            let listener = internal::bind(grpc, "--grpc-listen").await?;
            self.addresses.grpc = Some(listener.local_addr()?);
            let Rpc { routes, health } = game_rpc(plane, &config.services, closing);
            self.rpc_health.push(health);
            let proxies = config.http.trusted_proxies.clone();
            self.serve("--grpc-listen", serve_rpc(listener, routes, proxies, closing.clone()));
            let listener = internal::bind(fleet, "--fleet-listen").await?;
            self.addresses.fleet = Some(listener.local_addr()?);
            let secret = config.fleet_secret.clone().behind(&config.http.trusted_proxies);
            let Rpc { routes, health } = fleet_rpc(plane, &config.services, &secret, closing);
            self.rpc_health.push(health);
            let proxies = config.http.trusted_proxies.clone();
            self.serve("--fleet-listen", serve_rpc(listener, routes, proxies, closing.clone()));
        }
        Ok(())
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
    /// listeners close and calls end; then the jobs.
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
        end("background work", &mut self.working, JOBS_GRACE).await;
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

/// `GET /v1/openapi.json`
fn document_route() -> Router {
    // Shared by all answers: a client that reads slowly holds no text of its own.
    let text = Bytes::from(openapi::text());
    let answer = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    Router::new().route("/v1/openapi.json", get(answer))
}

/// Hears which logins have ended; begins again when the bus was away.
async fn listen_for_revocations(plane: Plane, mut stop: Stop) {
    loop {
        tokio::select! {
            ended = plane.revoked.clone().listen(plane.bus.clone()) => {
                tracing::debug!(?ended, "listening for revocations again");
            }
            () = stop.asked() => return,
        }
        if !stop.wait(Duration::from_secs(1)).await {
            return;
        }
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
pub(crate) async fn plane(
    database_url: &str,
    connections_max: u32,
    redis: Option<RedisAt<'_>>,
    access: sortie_control::access::AccessKeys,
) -> anyhow::Result<Plane> {
    let db = sortie_control::store::pool(database_url, connections_max)?;
    let clock = Clock::default();
    let seal = Seal::new(&access, &clock);
    let bus = match redis {
        Some(RedisAt { url, prefix }) => sortie_control::bus::redis::connect(url, prefix, seal)
            .await
            .context("Redis is unusable")?,
        None => sortie_control::bus::Bus::local(),
    };
    Ok(Plane::with_clock(db, bus, access, clock))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sortie_control::access::AccessKeys;
    use sortie_control::bus::Bus;
    use sqlx::PgPool;

    use super::*;

    async fn node(db: PgPool) -> Node {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = NodeConfig {
            roles: vec![Role::Admin],
            listen: Listen {
                rest: free,
                chat: free,
                admin: free,
                grpc: free,
                fleet: free,
                ops: free,
            },
            http: HttpOptions::default(),
            admin_origins: Vec::new(),
            services: Settings::default(),
            fleet_secret: SharedSecret::new("a secret of some length").unwrap(),
        };
        let plane = Plane::new(db, Bus::local(), AccessKeys::generate());
        Node::start(config, &plane).await.unwrap()
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_node_that_lost_a_part_is_not_ready_and_ends(db: PgPool) {
        let mut panicking = node(db.clone()).await;
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

        let mut deaf = node(db.clone()).await;
        deaf.serve("--grpc-listen", async {});
        let lived = deaf.live(std::future::pending(), Duration::ZERO).await;
        assert!(lived.unwrap_err().to_string().contains("'--grpc-listen'"));

        let whole = node(db).await.live(std::future::ready(()), Duration::ZERO).await;
        assert!(whole.is_ok(), "{whole:?}");
    }

    #[tokio::test]
    async fn what_does_not_end_is_ended() {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        end("a test", &mut tasks, Duration::from_millis(10)).await;
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    }
}
