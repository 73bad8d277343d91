//! `sortie-control up`: the whole product on one machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_account::mail::LogMailer;
use sortie_control::bus::redis::PREFIX;
use sortie_control::cluster::{PrivateCluster, closed_to_others};
use sortie_control::http::HttpOptions;
use sortie_control::internal::SharedSecret;
use sortie_control::plane::Plane;
use sortie_control::service;
use sortie_control::store;
use sortie_kit::telemetry::errors_logged;
use sortie_matchmaking::{Queue, Window};
use time::OffsetDateTime;

use crate::command::serve;
use crate::demo::bots::{Deeds, Town};
use crate::demo::child::{BattleServer, BattleServerOptions, Told};
use crate::demo::program::battle_program;
use crate::demo::report::UpReport;
use crate::demo::tally::Tally;
use crate::plane::first;
use crate::plane::keys::KeyFiles;
use crate::plane::node::{self, Addresses, Listen, Node, NodeConfig, RedisAt};
use crate::plane::services::{Role, Settings};
use crate::runtime;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::units::Span;
use sortie_cli::{progress, signals};

/// Options of `sortie-control up`.
#[derive(Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[command(after_help = "\
Examples:
  sortie-control up                                    everything, until Ctrl-C
  sortie-control up --bots 100                         the same, with life in it
  sortie-control up --bots 100 --duration 3m --json    and does it all add up?

Starts a private Postgres in the data directory, migrates it, serves API, chat and admin, and runs
battle servers as child processes. All of it ends with this command. With --duration, the exit
code tells whether every promise of the report was kept.")]
pub struct UpArgs {
    /// Bots that sign up, queue, fight and climb the ranking
    #[arg(long, value_name = "COUNT", default_value_t = 0, env = "SORTIE_UP_BOTS")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=2_000))]
    pub bots: u16,
    /// End after this long [default: at Ctrl-C]
    #[arg(long, value_name = "DURATION", env = "SORTIE_UP_DURATION")]
    pub duration: Option<Span>,
    /// Length of a battle
    #[arg(long, value_name = "DURATION", default_value = "45s", env = "SORTIE_UP_ROUND")]
    pub round: Span,
    /// Battle servers
    #[arg(long, value_name = "COUNT", default_value_t = 1, env = "SORTIE_UP_SERVERS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=16))]
    pub servers: u16,
    /// Program of battle servers [default: `sortie` beside this program, or in PATH]
    #[arg(long, value_name = "FILE", env = "SORTIE_BATTLE_PROGRAM")]
    pub battle_program: Option<PathBuf>,
    /// This database instead of a private one
    #[arg(long, value_name = "URL", env = "SORTIE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Redis, for more nodes beside this one
    #[arg(long, value_name = "URL", env = "SORTIE_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// What keys and channels in Redis begin with: another for each deployment that shares one
    #[arg(long, value_name = "NAME", default_value = PREFIX, env = "SORTIE_REDIS_PREFIX")]
    pub redis_prefix: String,
    /// Database, journals, replays, keys [default: sortie-data, or /var/lib/sortie for root
    /// where Postgres's user cannot enter that]
    #[arg(long, value_name = "DIR", env = "SORTIE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Listen at this port (REST) and the next ones; 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 7_700, env = "SORTIE_UP_PORT")]
    pub port: u16,
}

/// Results of battles that have ended are stored within this.
const RESULTS_WITHIN: Duration = Duration::from_secs(15);

/// A battle begins within this after its players were matched.
const BEGINS_WITHIN: Duration = Duration::from_secs(8);

/// Battles that may be before the last one when nobody queues any more.
const BACKLOG_MAX: u32 = 4;

const SECOND: Duration = Duration::from_secs(1);

/// Runs everything.
pub fn run(args: &UpArgs, common: &Common) -> Result {
    let round = args.round.0;
    if !(SECOND * 5..=SECOND * 86_400).contains(&round) {
        return Err(Failure::Usage.because(anyhow!("--round: a battle takes 5 s to 24 h")));
    }
    if args.duration.is_some_and(|duration| duration.0 < round + BEGINS_WITHIN) {
        let cause = anyhow!("--duration: there is no time for a battle of {}", args.round);
        return Err(Failure::Usage.because(cause));
    }
    let flag = signals::stop_flag().or_fail(Failure::Start)?;
    runtime::server().or_fail(Failure::Start)?.block_on(async {
        let up = Up::start(args, common).await.or_fail(Failure::Start)?;
        let outcome = up.live(args, common, &flag).await;
        let report = outcome.or_fail(Failure::Run)?;
        report.show(common.json).or_fail(Failure::Run)?;
        match (&args.duration, report.missed.as_slice()) {
            (None, _) | (_, []) => Ok(()),
            (_, missed) => Err(Failure::Promise.because(anyhow!("{}", missed.join("; ")))),
        }
    })
}

/// Everything that runs; fields end in this order.
struct Up {
    servers: Vec<BattleServer>,
    node: Node,
    plane: Plane,
    cluster: Option<PrivateCluster>,
    secret: String,
    started: OffsetDateTime,
}

impl Up {
    async fn start(args: &UpArgs, common: &Common) -> anyhow::Result<Self> {
        let program = battle_program(args.battle_program.as_deref())?;
        let data_dir = args.data_dir.clone().unwrap_or_else(default_data_dir);
        let (cluster, url) = match &args.database_url {
            Some(url) => (None, url.clone()),
            None => {
                let cluster = PrivateCluster::start(&data_dir).await?;
                let url = cluster.url();
                (Some(cluster), url)
            }
        };
        std::fs::create_dir_all(&data_dir).context("cannot make the data directory")?;
        let files = KeyFiles::in_dir(&data_dir);
        files.make_missing()?;
        let keys = files.read()?;
        let prefix = &args.redis_prefix;
        let redis = args.redis_url.as_deref().map(|url| RedisAt { url, prefix });
        let plane = node::plane(&url, 32, redis, keys.access.clone()).await?;
        store::migrate(&plane.db).await?;
        let started = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(&plane.db).await?;
        let mut settings = Settings::new(&keys, &data_dir);
        settings.matchmaking.queues = queues(args);
        // One person on one machine; `serve` asks staff for a second factor.
        settings.admin.require_totp = false;
        settings.account.mailer = Some(Arc::new(LogMailer));
        let config = NodeConfig {
            roles: Role::ALL.to_vec(),
            listen: listen(args.port),
            http: HttpOptions {
                // Bots tell an address of their own each, as a proxy in front of players would.
                trusted_proxies: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
                grace: SECOND * 2,
                ..HttpOptions::default()
            },
            services: settings,
            fleet_secret: SharedSecret::new(&keys.fleet_secret)?,
        };
        let node = Node::start(config, &plane).await?;
        let mut up =
            Self { servers: Vec::new(), node, plane, cluster, secret: keys.fleet_secret, started };
        let fleet = up.node.addresses.fleet.context("the API has a fleet listener")?;
        for number in 1..=args.servers {
            let port = if args.port == 0 { 0 } else { args.port.saturating_add(9 + number) };
            let (name, log) = (format!("local-{number}"), common.log.clone());
            let (folder, secret_file) = (data_dir.join(&name), files.fleet_secret.clone());
            let program = program.clone();
            let server = tokio::task::spawn_blocking(move || {
                BattleServer::start(&BattleServerOptions {
                    program: &program,
                    name: &name,
                    fleet,
                    secret_file: &secret_file,
                    listen: loopback(port),
                    data_dir: &folder,
                    log: &log,
                })
            });
            up.servers.push(server.await??);
        }
        up.show(&url, common.json).await?;
        Ok(up)
    }

    /// Tells where everything is.
    async fn show(&self, url: &str, json: bool) -> anyhow::Result<()> {
        // Made anew at each start until somebody has used it: only the newest is good.
        let token = first::token(&self.plane.db).await;
        let Addresses { rest, chat, admin, grpc, fleet, ops } = self.node.addresses;
        let battle: Vec<&str> = self.servers.iter().map(|server| &*server.address).collect();
        if json {
            let line = json!({
                "event": "ready", "rest": rest, "chat": chat, "admin": admin, "grpc": grpc,
                "fleet": fleet, "ops": ops, "battle": battle, "database_url": url,
                "first_admin_token": token,
            });
            println!("{line}");
            return Ok(());
        }
        for line in serve::lines(&self.node.addresses) {
            println!("{line}");
        }
        println!("battle      udp://{}", battle.join(", udp://"));
        println!("database    psql '{url}'");
        if let (Some(token), Some(admin)) = (token, admin) {
            println!("{}", first::lines(&token, admin));
        }
        Ok(())
    }

    /// Lets everything live until it is to end, ends it in order, and asks whether it adds up.
    async fn live(
        mut self,
        args: &UpArgs,
        common: &Common,
        flag: &Arc<AtomicBool>,
    ) -> anyhow::Result<UpReport> {
        let began = Instant::now();
        let (gate, closing) = service::stop();
        let rest = self.node.addresses.rest.context("the API has a REST listener")?;
        let town = Arc::new(Town::new(rest, QUEUE.to_owned(), self.secret.clone())?);
        let mut groups = town.settle(usize::from(args.bots), &closing);
        self.wait(args, common, flag, &town.deeds, began).await;
        gate.stop();
        if !flag.load(Relaxed) {
            // Bots come back when their battles are over; some battles wait for a free server.
            let patience = args.round.0 * BACKLOG_MAX + RESULTS_WITHIN;
            let all = async { while groups.join_next().await.is_some() {} };
            tokio::select! {
                _ = tokio::time::timeout(patience, all) => {}
                () = runtime::is_set(Arc::clone(flag)) => {}
            }
            self.wait_for_results(flag).await;
        }
        groups.shutdown().await;
        let mut report = UpReport {
            duration_s: began.elapsed().as_secs_f64(),
            bots: args.bots,
            ..UpReport::default()
        };
        report.add_deeds(&town.deeds);
        drop(town);
        self.end(report).await
    }

    async fn wait(
        &mut self,
        args: &UpArgs,
        common: &Common,
        flag: &Arc<AtomicBool>,
        deeds: &Deeds,
        began: Instant,
    ) {
        // Whoever queues later would not be back in time.
        let until = args
            .duration
            .map(|duration| duration.0.saturating_sub(args.round.0 + BEGINS_WITHIN).max(SECOND));
        let whole = args.duration.map(|duration| duration.0);
        let mut bar = progress::Lines::new(common.json || args.bots == 0, whole);
        let mut look = tokio::time::interval(SECOND);
        while !flag.load(Relaxed) && until.is_none_or(|until| began.elapsed() < until) {
            tokio::select! {
                _ = look.tick() => {}
                () = runtime::is_set(Arc::clone(flag)) => break,
            }
            if self.node.lost_work() || self.servers.iter_mut().any(BattleServer::has_failed) {
                tracing::error!("a part of this installation has ended by itself");
                break;
            }
            let told = self.told();
            let count = |number: &std::sync::atomic::AtomicU64| number.load(Relaxed);
            bar.show(began.elapsed(), || {
                format!(
                    "{} bots in, {} waiting, {} fighting  {} battles  {} errors",
                    count(&deeds.entered),
                    count(&deeds.waiting),
                    count(&deeds.fighting),
                    told.battles,
                    errors_logged() + told.errors,
                )
            });
        }
        bar.end();
    }

    /// Waits until no battle is under way, within reason.
    async fn wait_for_results(&self, flag: &Arc<AtomicBool>) {
        let deadline = Instant::now() + RESULTS_WITHIN;
        while Instant::now() < deadline && !flag.load(Relaxed) {
            let open = sqlx::query_scalar!(
                r#"select count(*) as "count!" from battle
                   where state in ('asked', 'allocated', 'running') and asked_at >= $1"#,
                self.started
            );
            if matches!(open.fetch_one(&self.plane.db).await, Ok(0)) {
                return;
            }
            tokio::time::sleep(SECOND / 4).await;
        }
    }

    fn told(&self) -> Told {
        self.servers.iter().map(BattleServer::told).fold(Told::default(), Told::plus)
    }

    /// Battle servers first: they hand over what waits in their spools.
    async fn end(self, mut report: UpReport) -> anyhow::Result<UpReport> {
        let Self { servers, node, plane, cluster, started, .. } = self;
        let ends: Vec<_> = servers
            .into_iter()
            .map(|server| tokio::task::spawn_blocking(move || server.end()))
            .collect();
        for end in ends {
            match end.await? {
                Ok(told) => report.told = report.told.plus(told),
                Err(error) => tracing::error!(error = format!("{error:#}"), "at the end"),
            }
        }
        let tally = Tally::since(&plane.db, started).await;
        node.stop(Duration::ZERO).await;
        plane.db.close().await;
        if let Some(cluster) = cluster {
            tokio::task::spawn_blocking(move || cluster.stop()).await??;
        }
        report.tally = tally.context("the database could not be asked at the end")?;
        report.errors_logged = errors_logged() + report.told.errors;
        report.check();
        Ok(report)
    }
}

/// The queue of bots, and of whoever wants to fight them.
const QUEUE: &str = "conquest";

/// The shipped queues with short battles, in which everyone who waits meets within seconds.
fn queues(args: &UpArgs) -> Vec<Queue> {
    let per_server = u32::from(args.bots).div_ceil(u32::from(args.servers));
    let mut queues = Queue::shipped();
    for queue in &mut queues {
        queue.duration_s = Some(args.round.0.as_secs() as u32);
        if queue.name == QUEUE {
            queue.team_min = 2;
            queue.team_max = per_server.div_ceil(2).max(8);
            // Seats for whoever comes later.
            queue.players_max = queue.team_max * 2 + 16;
            queue.map = if per_server <= 200 { "ridge" } else { "steppe" }.to_owned();
            queue.window = Window {
                start: 30.0,
                per_s: 10.0,
                widest: 100.0,
                unfair_per_s: 0.1,
                patience_s: 8,
                ..Window::default()
            };
        }
    }
    queues
}

fn default_data_dir() -> PathBuf {
    let here = PathBuf::from("sortie-data");
    let is_root = rustix::process::geteuid().is_root();
    if is_root && closed_to_others(&here).is_some() { "/var/lib/sortie".into() } else { here }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn listen(port: u16) -> Listen {
    let at = |offset: u16| loopback(if port == 0 { 0 } else { port.saturating_add(offset) });
    Listen { rest: at(0), chat: at(1), admin: at(2), grpc: at(3), fleet: at(4), ops: at(5) }
}
