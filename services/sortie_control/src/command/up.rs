//! `sortie-control up`: the whole product on one machine.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_account::mail::LogMailer;
use sortie_control::app::AppState;
use sortie_control::bus::redis::PREFIX;
use sortie_control::http::HttpOptions;
use sortie_control::internal::SharedSecret;
use sortie_control::service;
use sortie_control::store;
use sortie_control::vocabulary::GameMode;
use sortie_kit::causes;
use sortie_kit::telemetry::errors_logged;
use sortie_matchmaking::{Queue, Window};
use sortie_players::scenario::Scenario;
use sortie_private_postgres::{PrivateCluster, closed_to_others};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::control_plane::first;
use crate::control_plane::keys::{KeyFiles, Keys};
use crate::control_plane::listeners::WebOptions;
use crate::control_plane::node::{self, Node, NodeConfig, RedisAt};
use crate::control_plane::services::{Role, Settings};
use crate::demo::bots::BotPool;
use crate::demo::child::{BattleServer, News};
use crate::demo::leftover::{self, Leftover};
use crate::demo::ports::Ports;
use crate::demo::program::battle_program;
use crate::demo::report::{EndedBy, UpReport};
use crate::demo::screen::Screen;
use crate::demo::servers::Site;
use crate::demo::tally::Tally;
use crate::runtime;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::signals;
use sortie_cli::units::{Span, number_in};

/// Options of `sortie-control up`.
#[derive(Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[command(after_help = "\
Examples:
  sortie-control up                                    everything, until Ctrl-C
  sortie-control up --bots 100                         the same, with life in it
  sortie-control up --bots 100 --duration 3m --json    and does it all add up?

Starts a private Postgres in the data directory, migrates it, serves API, chat and admin, and runs
battle servers as child processes. All of it ends with this command. A Postgres that ends by itself
is started again on the same data; when it does so twice within a minute, or a battle server or a
part of the node fails, the command ends with a sentence and exit code 4. A battle server that was
drained ends in order, and a fresh one takes its place.

With --duration, bots sign up, queue and fight for so long, by the clock, from the line `ready` on;
then battles that are under way are stopped, and the exit code tells whether every promise of the
report was kept. Starting and ending come on top of it.

With --json, stdout carries one JSON object a line: `ready` when everything is there (addresses,
database_url, first_admin_token, what an earlier run left), `report` at the end. The log is on
stderr, and there is no display.")]
pub(crate) struct UpArgs {
    /// Bots that sign up, queue, fight and climb the ranking
    #[arg(long, value_name = "COUNT", default_value_t = 0, env = "SORTIE_UP_BOTS")]
    #[arg(value_parser = number_in(0..=2_000))]
    pub bots: u16,
    /// Let bots play for this long, then end [default: until Ctrl-C]
    #[arg(long, value_name = "DURATION", env = "SORTIE_UP_DURATION")]
    pub duration: Option<Span>,
    /// Length of a battle; one is rated from 30 s on, or from nine tenths of this if that is less
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

/// A battle begins within this after its players were matched.
const BEGINS_WITHIN: Duration = Duration::from_secs(8);

/// How long bots may take to leave when the run is over.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How long the end waits for a database that somebody else looks after.
const DATABASE_WITHIN: Duration = Duration::from_secs(60);

const SECOND: Duration = Duration::from_secs(1);

/// Runs everything.
pub(crate) fn run(args: &UpArgs, common: &Common) -> Result {
    let round = args.round.0;
    if !(SECOND * 5..=SECOND * 86_400).contains(&round) {
        return Err(Failure::Usage.because(anyhow!("--round: a battle takes 5 s to 24 h")));
    }
    if args.duration.is_some_and(|duration| duration.0 < round + BEGINS_WITHIN) {
        let cause = anyhow!("--duration: there is no time for a battle of {}", args.round);
        return Err(Failure::Usage.because(cause));
    }
    let ports = Ports::new(args.port, args.servers).or_fail(Failure::Usage)?;
    let flag = signals::stop_flag().or_fail(Failure::Start)?;
    runtime::server().or_fail(Failure::Start)?.block_on(async {
        let up = Up::start(args, common, ports).await.or_fail(Failure::Start)?;
        let report = up.live(args, common, &flag).await.or_fail(Failure::Run)?;
        report.show(common.json).or_fail(Failure::Run)?;
        if let Some(failure) = report.failure {
            return Err(Failure::Run.because(anyhow!("{failure}")));
        }
        match (&args.duration, report.missed.as_slice()) {
            (None, _) | (_, []) => Ok(()),
            (_, missed) => Err(Failure::Promise.because(anyhow!("{}", missed.join("; ")))),
        }
    })
}

/// Everything that runs; fields end in this order.
struct Up {
    servers: Vec<BattleServer>,
    site: Site,
    node: Node,
    app: AppState,
    cluster: Option<PrivateCluster>,
    secret: String,
    started: OffsetDateTime,
}

impl Up {
    /// Starts everything, or nothing: what cannot be is found before anything is made as far as
    /// possible, and what was started ends with an error.
    async fn start(args: &UpArgs, common: &Common, ports: Ports) -> anyhow::Result<Self> {
        let program = battle_program(args.battle_program.as_deref())?;
        ports.check()?;
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
        let app = node::app(&url, 32, redis, keys.access.clone()).await?;
        store::migrate(&app.db).await?;
        let earlier = Arc::new(leftover::unfinished(&app.db).await?);
        let mut left = Leftover::default();
        if cluster.is_some() {
            left = leftover::clear(&app.db, "its players are gone: all was started anew").await?;
        }
        let started = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(&app.db).await?;
        let config = NodeConfig {
            roles: Role::ALL.to_vec(),
            listen: ports.listen(),
            web: WebOptions {
                http: HttpOptions {
                    // Bots tell an address of their own each, as a proxy in front of players would.
                    trusted_proxies: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
                    grace: SECOND * 2,
                    ..HttpOptions::default()
                },
                admin_origins: Vec::new(),
            },
            services: settings(args, &keys, &data_dir),
            fleet_secret: SharedSecret::new(&keys.fleet_secret)?,
        };
        let node = Node::start(config, &app).await?;
        let site = Site {
            program,
            fleet: node.addresses.at("fleet").context("the API has a fleet listener")?,
            secret_file: files.fleet_secret.clone(),
            ports,
            data_dir,
            log: common.log.clone(),
            log_format: common.log_format,
            earlier,
        };
        let (servers, secret) = (Vec::new(), keys.fleet_secret);
        let mut up = Self { servers, site, node, app, cluster, secret, started };
        for number in 0..args.servers {
            up.servers.push(up.site.start(number, News::default()).await?);
        }
        up.show(&url, &left, common.json).await?;
        Ok(up)
    }

    /// Tells where everything is.
    async fn show(&self, url: &str, left: &Leftover, json: bool) -> anyhow::Result<()> {
        // Made anew at each start until somebody has used it: only the newest is good.
        let token = first::token(&self.app.db).await;
        let addresses = &self.node.addresses;
        let battle: Vec<&str> = self.servers.iter().map(|server| &*server.address).collect();
        if json {
            let mut line = addresses.json();
            let rest = json!({
                "event": "ready", "battle": battle, "database_url": url,
                "first_admin_token": token, "earlier": left,
            });
            line.extend(rest.as_object().cloned().unwrap_or_default());
            sortie_cli::say!("{}", json!(line));
            return Ok(());
        }
        for line in addresses.lines() {
            sortie_cli::say!("{line}");
        }
        sortie_cli::say!("battle      udp://{}", battle.join(", udp://"));
        sortie_cli::say!("database    psql '{url}'");
        if let Some(sentence) = left.sentence() {
            sortie_cli::say!("{sentence}");
        }
        if let (Some(token), Some(admin)) = (token, addresses.at("admin")) {
            sortie_cli::say!("{}", first::lines(&token, admin));
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
        let rest = self.node.addresses.at("rest").context("the API has a REST listener")?;
        let pool = Arc::new(BotPool::new(rest, QUEUE.name().to_owned(), self.secret.clone())?);
        let news = self.servers.iter().map(|server| server.news.clone()).collect();
        let whole = args.duration.map(|duration| duration.0);
        let mut screen = Screen::new(common.json || args.bots == 0, whole, &pool, news);
        let (gate, closing) = service::stop();
        let bots = pool.settle(usize::from(args.bots), &closing);
        let mut report = UpReport { bots: args.bots, ..UpReport::default() };
        report.ended_by = self.watch(whole, flag, &mut screen, &mut report).await;
        report.duration_s = screen.elapsed().as_secs_f64();
        gate.stop();
        screen.enter("ending  ");
        let ended = screen.during(self.end(&mut report, bots)).await;
        screen.end();
        ended?;
        report.add_counters(&pool.counters);
        if report.failure.is_none() {
            report.check();
        }
        Ok(report)
    }

    /// Watches over everything until the run is to end; says why.
    async fn watch(
        &mut self,
        whole: Option<Duration>,
        flag: &Arc<AtomicBool>,
        screen: &mut Screen,
        report: &mut UpReport,
    ) -> EndedBy {
        let mut look = tokio::time::interval(SECOND);
        let over = tokio::time::sleep(whole.unwrap_or(Duration::MAX));
        let mut over = std::pin::pin!(over);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = &mut over => return EndedBy::Duration,
                () = runtime::is_set(Arc::clone(flag)) => return EndedBy::Signal,
            }
            tokio::select! {
                () = self.look_after(report) => {}
                () = runtime::is_set(Arc::clone(flag)) => return EndedBy::Signal,
            }
            // A server that starts is waited for: it would be nobody's.
            match self.site.replace_drained(&mut self.servers).await {
                Ok(replaced) => report.servers_replaced += replaced,
                Err(error) => report.failure = Some(format!("{error:#}")),
            }
            if report.failure.is_some() {
                return EndedBy::Failure;
            }
            screen.show();
        }
    }

    /// Whether every part is there.
    async fn look_after(&mut self, report: &mut UpReport) {
        keep(&mut self.cluster, report).await;
        if let Some(failure) = self.servers.iter_mut().find_map(BattleServer::failure) {
            report.failure = Some(format!("{failure}; its last lines are above"));
        }
        if self.node.lost_work() {
            let failure = "a part of the node has ended by itself; the log says which";
            report.failure = Some(failure.to_owned());
        }
    }

    /// Battle servers first: they end their battles, and hand over what waits in their spools.
    async fn end(self, report: &mut UpReport, mut bots: JoinSet<()>) -> anyhow::Result<()> {
        let Self { servers, node, app, mut cluster, started, .. } = self;
        let is_own = cluster.is_some();
        if !is_own {
            // Without it, battle servers would end with results that nobody has taken.
            wait_for(&app.db).await;
        }
        let ids: Vec<Uuid> = servers.iter().map(|server| server.server_id).collect();
        let ends: Vec<_> = servers
            .into_iter()
            .map(|server| tokio::task::spawn_blocking(move || server.end()))
            .collect();
        let ending = async {
            // Those who wait in a queue leave it, and the others are told that it is over.
            let leaving = async { while bots.join_next().await.is_some() {} };
            drop(tokio::time::timeout(LEAVE_WITHIN, leaving).await);
            bots.shutdown().await;
            let mut told = Vec::new();
            for end in ends {
                told.push(end.await);
            }
            told
        };
        let mut ending = std::pin::pin!(ending);
        let mut look = tokio::time::interval(SECOND);
        let all_told = loop {
            tokio::select! {
                told = &mut ending => break told,
                _ = look.tick() => keep(&mut cluster, report).await,
            }
        };
        for told in all_told {
            match told? {
                Ok(told) => report.told = std::mem::take(&mut report.told).plus(told),
                Err(error) => tracing::error!(error = causes::told(&error), "at the end"),
            }
        }
        let mut asked = tally(&app.db, is_own, started, &ids).await;
        if asked.is_err() {
            if is_own {
                keep(&mut cluster, report).await;
            } else {
                wait_for(&app.db).await;
            }
            asked = tally(&app.db, is_own, started, &ids).await;
        }
        node.stop(Duration::ZERO).await;
        app.db.close().await;
        if let Some(cluster) = cluster {
            tokio::task::spawn_blocking(move || cluster.stop()).await??;
        }
        report.errors_logged = errors_logged() + report.told.errors;
        match asked {
            Ok(tally) => report.tally = tally,
            // Why it is away is what matters then.
            Err(_) if report.failure.is_some() => {}
            Err(error) => bail!("the database could not be asked at the end: {error}"),
        }
        Ok(())
    }
}

/// Starts a Postgres again that has ended by itself, unless the run is failing already.
async fn keep(cluster: &mut Option<PrivateCluster>, report: &mut UpReport) {
    let (Some(cluster), None) = (cluster, &report.failure) else { return };
    match cluster.look_after().await {
        Ok(was_started) => report.database_restarts += u64::from(was_started),
        Err(error) => {
            report.failure = Some(causes::told(&error));
            report.ended_by = EndedBy::Failure;
        }
    }
}

/// Waits until a database answers that somebody else starts again, and says that it waits. One that
/// stays away for [`DATABASE_WITHIN`] is left to whoever asks it next.
async fn wait_for(db: &PgPool) {
    let answers = async {
        let mut is_told = false;
        // An answer takes a second at most: the pool has no connection in time.
        while let Err(error) = sqlx::query("select 1").execute(db).await {
            if !std::mem::replace(&mut is_told, true) {
                let within = DATABASE_WITHIN.as_secs();
                tracing::warn!(%error, "the database is away; the end waits for it, {within} s");
            }
            tokio::time::sleep(SECOND).await;
        }
    };
    drop(tokio::time::timeout(DATABASE_WITHIN, answers).await);
}

/// What the database has of the run. Nobody comes any more to what still waits: the next run on
/// this database is not to take it up.
async fn tally(
    db: &PgPool,
    is_own: bool,
    started: OffsetDateTime,
    servers: &[Uuid],
) -> sqlx::Result<Tally> {
    if is_own {
        leftover::clear(db, "the run is over").await?;
    }
    Tally::since(db, started, servers, MODE.name()).await
}

/// What is played by bots, and by whoever wants to fight them.
const MODE: GameMode = GameMode::Conquest;
/// Their queue: the shipped one that has the mode's name.
const QUEUE: GameMode = MODE;

/// Those of all services.
fn settings(args: &UpArgs, keys: &Keys, data_dir: &Path) -> Settings {
    let mut settings = Settings::new(keys, data_dir);
    settings.matchmaking.queues = queues(args);
    // Whoever asks for short battles wants them to count.
    let rules = &mut settings.ranking.rules;
    rules.battle_min = rules.battle_min.min(args.round.0.mul_f64(0.9));
    // One person on one machine; `serve` asks staff for a second factor.
    settings.admin.require_totp = false;
    settings.account.mailer = Some(Arc::new(LogMailer));
    settings
}

/// The shipped queues with short battles, in which everyone who waits meets within seconds.
fn queues(args: &UpArgs) -> Vec<Queue> {
    let per_server = u32::from(args.bots).div_ceil(u32::from(args.servers));
    // Bots come in parties of up to four.
    let team_max_least = if args.bots == 0 { 8 } else { 4 };
    let mut queues = Queue::shipped();
    for queue in &mut queues {
        queue.duration_s = Some(args.round.0.as_secs() as u32);
        if queue.name == QUEUE.name() {
            queue.team_min = 2;
            queue.team_max = per_server.div_ceil(2).max(team_max_least);
            // Seats for whoever comes later.
            queue.players_max = queue.team_max * 2 + 16;
            queue.map = Scenario::Conquest.map_for(per_server as usize);
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
