//! One node: services on listeners, and their end in order.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::header;
use axum::routing::get;
use sortie_control::http::{self, HttpOptions};
use sortie_control::internal::{self, SharedSecret};
use sortie_control::plane::Plane;
use sortie_control::service::{Service, Stop, Stopper, stop};
use sortie_kit::health::Health;
use sortie_kit::metrics;
use sortie_kit::ops::OpsListener;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::services::{Role, Settings, fleet_rpc, game_rpc, of_roles};
use super::{openapi, readiness};

/// Where a node listens; port 0 takes a free one.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
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
pub struct NodeConfig {
    /// What it does.
    pub roles: Vec<Role>,
    /// Where.
    pub listen: Listen,
    /// Limits of the HTTP listeners.
    pub http: HttpOptions,
    /// Of all services.
    pub services: Settings,
    /// What battle servers show.
    pub fleet_secret: SharedSecret,
}

/// Where a node really listens.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Addresses {
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
pub struct Node {
    /// Where it listens.
    pub addresses: Addresses,
    health: Health,
    /// Ends what listens.
    listeners: Stopper,
    /// Ends the work beside calls.
    jobs: Stopper,
    serving: JoinSet<()>,
    working: JoinSet<()>,
    _ops: OpsListener,
}

/// How long jobs may take to end.
const JOBS_GRACE: Duration = Duration::from_secs(5);

impl Node {
    /// Binds all listeners, then serves.
    ///
    /// # Errors
    /// An address cannot be listened at.
    pub async fn start(config: NodeConfig, plane: &Plane) -> anyhow::Result<Self> {
        let health = Health::default();
        let ops = OpsListener::start(config.listen.ops, health.clone(), metrics::recorder()?)?;
        let (listeners, closing) = stop();
        let (jobs, ending) = stop();
        let mut node = Self {
            addresses: Addresses { ops: Some(ops.addr()), ..Addresses::default() },
            health,
            listeners,
            jobs,
            serving: JoinSet::new(),
            working: JoinSet::new(),
            _ops: ops,
        };
        node.health.set_not_ready("start", Some("is starting".to_owned()));
        let mut by_role = of_roles(plane, &config.services, &config.roles, &ending);
        for (role, services) in &mut by_role {
            node.start_role(*role, std::mem::take(services), &config, plane, &closing).await?;
        }
        let revoked = listen_for_revocations(plane.clone(), ending.clone());
        node.working.spawn(revoked);
        node.working.spawn(readiness::beat(node.health.clone(), ending.clone()));
        let watch = readiness::watch(plane.db.clone(), node.health.clone(), ending);
        node.working.spawn(watch);
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
            let (routes, _) = service.routes.split_for_parts();
            router = router.merge(routes);
            for job in service.jobs {
                self.working.spawn(job.work);
            }
        }
        let (wanted, flag) = match role {
            Role::Api => (rest, "--listen"),
            Role::Chat => (chat, "--chat-listen"),
            Role::Admin => (admin, "--admin-listen"),
        };
        if role == Role::Api {
            router = router.merge(document_route());
        }
        let listener = internal::bind(wanted, flag).await?;
        let bound = Some(listener.local_addr()?);
        let (addresses, options) = (&mut self.addresses, config.http.clone());
        match role {
            Role::Api => addresses.rest = bound,
            Role::Chat => addresses.chat = bound,
            Role::Admin => addresses.admin = bound,
        }
        let (bus, stop) = (plane.bus.clone(), asked(closing.clone()));
        self.serving.spawn(http::serve(listener, router, bus, options, stop));
        if role == Role::Api {
            let listener = internal::bind(grpc, "--grpc-listen").await?;
            self.addresses.grpc = Some(listener.local_addr()?);
            let routes = game_rpc(plane, &config.services, closing);
            self.serving.spawn(serve_rpc(listener, routes, closing.clone()));
            let listener = internal::bind(fleet, "--fleet-listen").await?;
            self.addresses.fleet = Some(listener.local_addr()?);
            let routes = fleet_rpc(plane, &config.services, &config.fleet_secret, closing);
            self.serving.spawn(serve_rpc(listener, routes, closing.clone()));
        }
        Ok(())
    }

    /// Ends in order: not ready first, so that load balancers look elsewhere; after `drain` the
    /// listeners close and calls end; then the jobs.
    pub async fn stop(mut self, drain: Duration) {
        self.health.set_not_ready("drain", Some("is shutting down".to_owned()));
        tokio::time::sleep(drain).await;
        self.listeners.stop();
        while let Some(ended) = self.serving.join_next().await {
            note(ended);
        }
        self.jobs.stop();
        let all = async {
            while let Some(ended) = self.working.join_next().await {
                note(ended);
            }
        };
        if tokio::time::timeout(JOBS_GRACE, all).await.is_err() {
            tracing::warn!("some background work did not end in time");
        }
    }

    /// Whether something ended that never should: a node without it is not whole.
    pub fn lost_work(&mut self) -> bool {
        let mut lost = false;
        while let Some(ended) = self.working.try_join_next() {
            tracing::error!("background work has ended by itself");
            note(ended);
            lost = true;
        }
        lost
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task of this node panicked");
    }
}

async fn asked(mut stop: Stop) {
    stop.asked().await;
}

async fn serve_rpc(listener: TcpListener, routes: tonic::service::Routes, stop: Stop) {
    if let Err(error) = internal::serve(listener, routes, asked(stop)).await {
        tracing::error!(error = format!("{error:#}"), "a gRPC listener ended");
    }
}

/// `GET /v1/openapi.json`
fn document_route() -> Router {
    let text = openapi::text();
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

/// The pool and the bus of a node.
///
/// # Errors
/// A URL cannot be read.
pub async fn plane(
    database_url: &str,
    connections_max: u32,
    redis_url: Option<&str>,
    access: sortie_control::access::AccessKeys,
) -> anyhow::Result<Plane> {
    let db = sortie_control::store::pool(database_url, connections_max)?;
    let bus = match redis_url {
        Some(url) => {
            sortie_control::bus::redis::connect(url).await.context("the Redis URL is unusable")?
        }
        None => sortie_control::bus::Bus::local(),
    };
    Ok(Plane::new(db, bus, access))
}
