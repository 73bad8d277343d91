//! `sortie-control serve`: a node of the control plane.

use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sortie_account::mail::Mailer;
use sortie_control::access::AccessKeys;
use sortie_control::app::AppState;
use sortie_control::bus::redis::{PREFIX, check_prefix};
use sortie_control::http::{HttpOptions, PLAYERS_PER_ADDRESS, crowd};
use sortie_control::internal::SharedSecret;
use sortie_control::store;
use sortie_kit::causes;
use sqlx::PgPool;

use super::origin;
use crate::control_plane::first;
use crate::control_plane::keys::{KeyFiles, Keys};
use crate::control_plane::listeners::{Addresses, WebOptions};
use crate::control_plane::mail::{self, MailOptions};
use crate::control_plane::node::{self, Node, NodeConfig, RedisAt};
use crate::control_plane::services::{Role, Settings};
use crate::{queues, runtime};
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::signals;
use sortie_cli::units::Span;

/// Options of `sortie-control serve`.
#[derive(Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[command(after_help = "\
Examples:
  sortie-control serve --dev --database-url postgres://sortie@localhost/sortie
  sortie-control serve --role api --listen 0.0.0.0:7700 --redis-url redis://cache:6379 \\
      --access-key-file KEY --ticket-key-file KEY --fleet-secret-file SECRET
  sortie-control serve --role chat --chat-listen 0.0.0.0:7701 …

Any number of nodes of each role may run on one database; more than one need Redis. SIGTERM
drains: /readyz fails first, after --drain the listeners close, then calls and work end.")]
pub(crate) struct ServeArgs {
    /// What this node does
    #[arg(long, value_enum, value_delimiter = ',', default_value = "api,chat,admin")]
    #[arg(env = "SORTIE_ROLE")]
    pub role: Vec<Role>,
    /// The database: postgres://user@host/name
    #[arg(long, value_name = "URL", env = "SORTIE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Database connections at a time
    #[arg(long, value_name = "COUNT", default_value_t = 32, env = "SORTIE_DATABASE_CONNECTIONS")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub database_connections: u32,
    /// Redis, for more than one node: redis://host:6379
    #[arg(long, value_name = "URL", env = "SORTIE_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// What keys and channels in Redis begin with: another for each deployment that shares one
    #[arg(long, value_name = "NAME", default_value = PREFIX, env = "SORTIE_REDIS_PREFIX")]
    pub redis_prefix: String,
    /// How long messages of chat are kept; reported ones stay
    #[arg(long, value_name = "DURATION", default_value = "2160h", env = "SORTIE_CHAT_KEPT")]
    pub chat_kept: Span,
    /// How long the log of battles is kept
    #[arg(long, value_name = "DURATION", default_value = "2160h", env = "SORTIE_BATTLE_LOG_KEPT")]
    pub battle_log_kept: Span,
    /// How long the places of replays are kept
    #[arg(long, value_name = "DURATION", default_value = "720h", env = "SORTIE_REPLAYS_KEPT")]
    pub replays_kept: Span,
    /// How much later than it happens spectators see where soldiers are, up to 60 s
    #[arg(long, value_name = "DURATION", default_value = "10s", env = "SORTIE_SPECTATOR_DELAY")]
    pub spectator_delay: Span,
    /// Web pages that may open chat, like `https://play.example`; *: all [default: those of the
    /// same host, and programs that are no browsers]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "SORTIE_CHAT_ORIGINS")]
    #[serde(default)]
    pub chat_origin: Vec<String>,
    /// Web pages that may call REST and the history of chat (CORS), like `https://play.example`;
    /// *: all [default: none of another origin]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "SORTIE_CORS_ORIGINS")]
    #[serde(default)]
    pub cors_origin: Vec<String>,
    /// Web pages that may call what staff call (CORS) [default: none of another origin]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "SORTIE_ADMIN_CORS_ORIGINS")]
    #[serde(default)]
    pub admin_cors_origin: Vec<String>,
    /// Players who may share one address: limits by address are for so many, and for 16 at least
    #[arg(long, value_name = "COUNT", default_value_t = PLAYERS_PER_ADDRESS)]
    #[arg(env = "SORTIE_PLAYERS_PER_ADDRESS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub players_per_address: u32,
    /// Queues of matchmaking: a TOML file of `[[queue]]` tables [default: those that are shipped]
    #[arg(long, value_name = "FILE", env = "SORTIE_QUEUES")]
    pub queues: Option<PathBuf>,
    /// Pictures, and keys of development
    #[arg(long, value_name = "DIR", default_value = "sortie-data", env = "SORTIE_DATA_DIR")]
    pub data_dir: PathBuf,
    /// How long to be not ready before the listeners close
    #[arg(long, value_name = "DURATION", default_value = "2s", env = "SORTIE_DRAIN")]
    pub drain: Span,

    /// Where its listeners are.
    #[command(flatten)]
    #[serde(flatten)]
    pub listen: Addresses,
    /// Proxies whose x-forwarded-for is believed
    #[arg(long, value_name = "IP", value_delimiter = ',', env = "SORTIE_TRUSTED_PROXIES")]
    #[arg(help_heading = "Listeners")]
    #[serde(default)]
    pub trusted_proxy: Vec<IpAddr>,

    /// The mail server: smtps://user:password@host; flags can be seen by all users of a machine
    #[arg(long, value_name = "URL", env = "SORTIE_SMTP_URL", hide_env_values = true)]
    #[arg(help_heading = "Mail")]
    pub smtp_url: Option<String>,
    /// File with the mail server's URL
    #[arg(long, value_name = "FILE", env = "SORTIE_SMTP_URL_FILE", help_heading = "Mail")]
    pub smtp_url_file: Option<PathBuf>,
    /// Whom mails are from: Sortie <no-reply@example.org>
    #[arg(long, value_name = "ADDRESS", env = "SORTIE_MAIL_FROM", help_heading = "Mail")]
    pub mail_from: Option<String>,
    /// What the link in a mail begins with; the token follows
    #[arg(long, value_name = "URL", default_value = "sortie://reset/", env = "SORTIE_RESET_LINK")]
    #[arg(help_heading = "Mail")]
    pub reset_link: String,
    /// Without a mail server, write mails to the log (info), links that open accounts included
    #[arg(long, env = "SORTIE_MAIL_LOG", help_heading = "Mail")]
    #[serde(default)]
    pub mail_log: bool,

    /// File with the Ed25519 seed that signs access tokens, hexadecimal; the same on all nodes
    #[arg(long, value_name = "FILE", env = "SORTIE_ACCESS_KEY_FILE", help_heading = "Keys")]
    pub access_key_file: Option<PathBuf>,
    /// File with the Ed25519 seed that signs join tickets, hexadecimal
    #[arg(long, value_name = "FILE", env = "SORTIE_TICKET_KEY_FILE", help_heading = "Keys")]
    pub ticket_key_file: Option<PathBuf>,
    /// Files like --access-key-file whose tokens are good as well, up to 3, while keys are
    /// exchanged
    #[arg(long, value_name = "FILE", value_delimiter = ',', help_heading = "Keys")]
    #[arg(env = "SORTIE_ACCESS_VERIFICATION_KEY_FILE")]
    #[serde(default)]
    pub access_verification_key_file: Vec<PathBuf>,
    /// Files like --ticket-key-file whose tickets are good as well, up to 3, while keys are
    /// exchanged
    #[arg(long, value_name = "FILE", value_delimiter = ',', help_heading = "Keys")]
    #[arg(env = "SORTIE_TICKET_VERIFICATION_KEY_FILE")]
    #[serde(default)]
    pub ticket_verification_key_file: Vec<PathBuf>,
    /// File with the secret that battle servers show, 16 characters or more
    #[arg(long, value_name = "FILE", env = "SORTIE_FLEET_SECRET_FILE", help_heading = "Keys")]
    pub fleet_secret_file: Option<PathBuf>,
    /// Development: make missing keys in the data directory, write mails to the log
    #[arg(long, env = "SORTIE_DEV", help_heading = "Keys")]
    #[serde(default)]
    pub dev: bool,
}

impl ServeArgs {
    /// The Redis to use, if there is one.
    pub(crate) fn redis(&self) -> Option<RedisAt<'_>> {
        let url = self.redis_url.as_deref()?;
        Some(RedisAt { url, prefix: &self.redis_prefix })
    }
}

/// Spectators' pictures are kept for so long.
const SPECTATOR_DELAY_MAX: Duration = Duration::from_secs(60);

/// The first administrator's token is in the first line if the database gives it within this.
const FIRST_WITHIN: Duration = Duration::from_secs(2);

/// How long the last connections to the database may take to come back.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Everything that a node needs, checked.
pub(crate) struct Checked {
    keys: Keys,
    settings: Settings,
    database_url: String,
}

impl Checked {
    /// Where the database is, and the keys of access tokens.
    pub(crate) fn outside(&self) -> (&str, AccessKeys) {
        (&self.database_url, self.keys.access.clone())
    }
}

/// Reads keys and files and checks all options, without touching anything outside.
///
/// # Errors
/// What is wrong (2), or cannot be read (3).
pub(crate) fn check(args: &ServeArgs) -> Result<Checked> {
    let database_url = args.database_url.clone().context(
        "--database-url (or SORTIE_DATABASE_URL) is needed; `sortie-control up` brings a database \
         of its own",
    );
    let database_url = database_url.or_fail(Failure::Usage)?;
    if args.spectator_delay.0 > SPECTATOR_DELAY_MAX {
        return Err(Failure::Usage.because(anyhow!("--spectator-delay: at most 60s are kept")));
    }
    origin::check("--chat-origin", &args.chat_origin).or_fail(Failure::Usage)?;
    origin::check("--cors-origin", &args.cors_origin).or_fail(Failure::Usage)?;
    origin::check("--admin-cors-origin", &args.admin_cors_origin).or_fail(Failure::Usage)?;
    if args.role.is_empty() {
        return Err(Failure::Usage.because(anyhow!("--role: a node does something")));
    }
    let files = key_files(args).or_fail(Failure::Start)?;
    let keys = files.read().or_fail(Failure::Start)?;
    SharedSecret::new(&keys.fleet_secret).or_fail(Failure::Start)?;
    check_prefix(&args.redis_prefix).or_fail(Failure::Usage)?;
    let mut settings = Settings::new(&keys, &args.data_dir);
    let players = args.players_per_address;
    settings.account.limits = settings.account.limits.for_players(players);
    settings.chat.per_address_max = many(settings.chat.per_address_max, players);
    settings.chat.kept = args.chat_kept.0;
    settings.chat.origins.clone_from(&args.chat_origin);
    settings.fleet.battle_log_keep = args.battle_log_kept.0;
    settings.fleet.spectator_delay = args.spectator_delay.0;
    settings.ranking.replay_kept_days = days(args.replays_kept.0);
    settings.account.reset_link.clone_from(&args.reset_link);
    settings.account.mailer = mailer(args).or_fail(Failure::Start)?;
    if let Some(file) = &args.queues {
        settings.matchmaking.queues = queues::read(file).or_fail(Failure::Start)?;
    }
    settings.matchmaking.check().map_err(|fault| anyhow!(fault)).or_fail(Failure::Usage)?;
    Ok(Checked { keys, settings, database_url })
}

fn mailer(args: &ServeArgs) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
    let mailer = mail::mailer(MailOptions {
        smtp_url: args.smtp_url.as_deref(),
        smtp_url_file: args.smtp_url_file.as_deref(),
        from: args.mail_from.as_deref(),
        is_logged: args.mail_log || args.dev,
    })?;
    if mailer.is_none() && args.role.contains(&Role::Api) {
        tracing::warn!(
            "no mails: who forgets a password stays out; give --smtp-url-file and --mail-from"
        );
    }
    Ok(mailer)
}

/// So many of an address, for so many players who share one.
fn many(count: usize, players: u32) -> usize {
    (count as f64 * crowd(players)).ceil() as usize
}

/// Begun ones are whole.
fn days(time: Duration) -> u32 {
    u32::try_from(time.as_secs().div_ceil(86_400)).unwrap_or(u32::MAX)
}

fn key_files(args: &ServeArgs) -> anyhow::Result<KeyFiles> {
    let mut files = KeyFiles::in_dir(&args.data_dir);
    let given = [
        (&mut files.access, &args.access_key_file, "--access-key-file"),
        (&mut files.ticket, &args.ticket_key_file, "--ticket-key-file"),
        (&mut files.fleet_secret, &args.fleet_secret_file, "--fleet-secret-file"),
    ];
    files.other_access.clone_from(&args.access_verification_key_file);
    files.other_tickets.clone_from(&args.ticket_verification_key_file);
    let mut missing = Vec::new();
    for (place, file, flag) in given {
        match file {
            Some(file) => place.clone_from(file),
            None => missing.push(flag),
        }
    }
    if args.dev {
        files.make_missing()?;
    } else if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(anyhow!("keys are missing: give {missing}; --dev makes them in --data-dir"));
    }
    Ok(files)
}

/// Serves until a signal comes.
pub(crate) fn run(args: &ServeArgs, common: &Common) -> Result {
    let checked = check(args)?;
    let flag = signals::stop_flag().or_fail(Failure::Start)?;
    runtime::server().or_fail(Failure::Start)?.block_on(async {
        let (url, access) = checked.outside();
        let app = node::app(url, args.database_connections, args.redis(), access).await;
        let app = app.or_fail(Failure::Start)?;
        refuse_foreign_schema(&app).await?;
        let config = NodeConfig {
            roles: args.role.clone(),
            listen: args.listen.clone(),
            web: WebOptions {
                http: HttpOptions {
                    trusted_proxies: args.trusted_proxy.clone(),
                    origins: args.cors_origin.clone(),
                    ..HttpOptions::default().for_players(args.players_per_address)
                },
                admin_origins: args.admin_cors_origin.clone(),
            },
            services: checked.settings,
            fleet_secret: SharedSecret::new(&checked.keys.fleet_secret).or_fail(Failure::Start)?,
        };
        let node = Node::start(config, &app).await.or_fail(Failure::Start)?;
        let (addresses, db, json) = (node.addresses.clone(), app.db.clone(), common.json);
        let telling = tokio::spawn(async move { tell(&addresses, &db, json).await });
        let lived = node.live(runtime::is_set(flag), args.drain.0).await;
        telling.abort();
        drop(tokio::time::timeout(CLOSE_WITHIN, app.db.close()).await);
        lived.or_fail(Failure::Run)
    })
}

/// A schema that is not ours ends the start. A database that is away does not: it is waited for,
/// and /readyz tells.
async fn refuse_foreign_schema(app: &AppState) -> Result {
    match store::schema_state(&app.db).await {
        Ok(_) => store::require_current(&app.db).await.or_fail(Failure::Start),
        // The pool does not say why it has no connection.
        Err(sqlx::Error::PoolTimedOut | sqlx::Error::Database(_)) => refuse_pooler(app).await,
        Err(error) => {
            tracing::warn!(%error, "the database is away; this node waits for it");
            Ok(())
        }
    }
}

/// A pooler that drops what sessions are started with ends the start.
async fn refuse_pooler(app: &AppState) -> Result {
    match store::require_direct(&app.db).await {
        Err(error) if error.is::<store::PoolerError>() => Err(Failure::Start.because(error)),
        Err(error) => {
            tracing::warn!(error = causes::told(&error), "the database is away; this node waits");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Tells where the node listens, and what makes the first administrator: at once, or as soon as
/// the database can be asked.
async fn tell(addresses: &Addresses, db: &PgPool, json: bool) {
    let Some(admin) = addresses.at("admin") else { return show(addresses, None, json) };
    let mut token = pin!(first::token(db));
    if let Ok(token) = tokio::time::timeout(FIRST_WITHIN, &mut token).await {
        show(addresses, token.as_deref(), json);
        return;
    }
    show(addresses, None, json);
    match token.await {
        Some(token) if json => {
            sortie_cli::say!("{}", json!({"event": "first_admin", "first_admin_token": token}));
        }
        Some(token) => sortie_cli::say!("{}", first::lines(&token, admin)),
        None => {}
    }
}

fn show(addresses: &Addresses, token: Option<&str>, json: bool) {
    if json {
        let mut line = addresses.json();
        line.insert("event".to_owned(), json!("ready"));
        line.insert("first_admin_token".to_owned(), json!(token));
        sortie_cli::say!("{}", json!(line));
        return;
    }
    for line in addresses.lines() {
        sortie_cli::say!("{line}");
    }
    if let (Some(token), Some(admin)) = (token, addresses.at("admin")) {
        sortie_cli::say!("{}", first::lines(token, admin));
    }
}
