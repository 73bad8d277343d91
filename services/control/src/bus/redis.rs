//! The bus of several nodes, on Redis 7.
//!
//! Nothing here waits long for Redis: a command has [`COMMAND_TIMEOUT`], and while there is no
//! connection calls fail (or, for the limiter, fall back to this node's own buckets) at once. The
//! clients connect again by themselves. Keys and channels begin with the deployment's prefix, so
//! that several may share a Redis. Times of buckets and presence are those of Redis, so that clocks
//! of nodes do not matter.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use fred::prelude::{
    Builder, Client, ClientLike, Config, KeysInterface, ReconnectPolicy, SortedSetsInterface,
};
use fred::types::RespVersion;
use fred::types::config::UnresponsiveConfig;
use fred::types::scripts::Script;
use uuid::Uuid;

use super::local::LocalLimiter;
use super::redis_link::Link;
use super::redis_topics::RedisTopics;
use super::seal::Seal;
use super::{Boards, Bus, BusError, Limiter, Presence, Rate};

/// What keys and channels begin with, unless the operator says otherwise.
pub const PREFIX: &str = "sortie";

/// How long a command may take.
pub const COMMAND_TIMEOUT: Duration = Duration::from_millis(250);

/// Commands that may wait for the connection; more are refused.
const BUFFER_MAX: usize = 1_024;

/// A connection that owes an answer for so long is closed and made anew.
const UNRESPONSIVE: Duration = Duration::from_secs(1);

/// How long the first connection is waited for; without it the bus starts degraded.
const FIRST_CONNECT: Duration = Duration::from_secs(2);

/// Members in one `ZADD`, so that a large board does not outlast the command's time.
const PUT_MAX: usize = 1_000;

/// Floats hold all integers up to here.
const SCORE_MAX: i64 = 1 << 53;

/// The bus on the Redis at a URL like `redis://host:6379` or `redis+unix:///path/to/socket`.
///
/// What `prefix` (the same on all nodes of a deployment, [`PREFIX`] if it has the Redis for
/// itself) tells apart, never meets: messages, buckets, boards, presence.
///
/// When Redis is away, this returns after two seconds nevertheless: it is found once it is there.
///
/// # Errors
/// The URL cannot be read, or the prefix is not 1 to 64 letters, digits, `-`, `_` and `.`.
pub async fn connect(url: &str, prefix: &str, seal: Seal) -> anyhow::Result<Bus> {
    check_prefix(prefix)?;
    let commands = client(url)?;
    let subscriber = client(url)?;
    // The handles would only tell that the clients were closed.
    drop(commands.connect());
    drop(subscriber.connect());
    let both = async { tokio::join!(commands.wait_for_connect(), subscriber.wait_for_connect()) };
    if tokio::time::timeout(FIRST_CONNECT, both).await.is_err() {
        tracing::warn!("Redis is away; this node goes on by itself until it is there");
    }
    let client = Arc::new(Link::new(commands));
    Ok(Bus {
        topics: Arc::new(RedisTopics::new(Arc::clone(&client), subscriber, prefix, seal)),
        limiter: Arc::new(RedisLimiter {
            client: Arc::clone(&client),
            keys: format!("{prefix}:bucket:"),
            script: Script::from_lua(TAKE),
            own: LocalLimiter::default(),
        }),
        boards: Arc::new(RedisBoards {
            client: Arc::clone(&client),
            keys: format!("{prefix}:board:"),
            marks: format!("{prefix}:mark:"),
            raise: Script::from_lua(RAISE),
        }),
        presence: Arc::new(RedisPresence {
            client,
            keys: format!("{prefix}:presence:"),
            confirm: Script::from_lua(CONFIRM),
            list: Script::from_lua(LIST),
        }),
    })
}

/// Whether keys and channels may begin with this.
///
/// # Errors
/// It is empty or long, or has other characters than it may.
pub fn check_prefix(prefix: &str) -> anyhow::Result<()> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ensure!(
        (1..=64).contains(&prefix.len()) && prefix.bytes().all(is_fine),
        "a Redis prefix is 1 to 64 letters, digits, '-', '_' and '.'"
    );
    Ok(())
}

fn client(url: &str) -> anyhow::Result<Client> {
    const SCHEMES: [&str; 4] = ["redis://", "valkey://", "redis+unix://", "valkey+unix://"];
    ensure!(
        SCHEMES.iter().any(|scheme| url.starts_with(scheme)),
        "the Redis URL must begin with one of {}",
        SCHEMES.join(", ")
    );
    let mut config = Config::from_url(url).context("the Redis URL cannot be read")?;
    config.fail_fast = false;
    // Subscribers may ping only with this one.
    config.version = RespVersion::RESP3;
    Builder::from_config(config)
        .with_connection_config(|config| {
            config.connection_timeout = UNRESPONSIVE;
            config.internal_command_timeout = UNRESPONSIVE;
            // A command whose connection broke may have been done: the caller decides.
            config.max_command_attempts = 1;
            config.max_command_buffer_len = BUFFER_MAX;
            config.unresponsive =
                UnresponsiveConfig { max_timeout: Some(UNRESPONSIVE), interval: UNRESPONSIVE / 4 };
        })
        .with_performance_config(|config| {
            config.default_command_timeout = COMMAND_TIMEOUT;
            config.broadcast_channel_capacity = 4_096;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, 50, 1_000, 2))
        .build()
        .context("the Redis client cannot be made")
}

/// Takes a token. A bucket is a hash of tokens and the time they were counted at, and is
/// forgotten when it is full again. Answers the milliseconds to wait; 0: taken.
const TAKE: &str = r"
local burst, per_ms = tonumber(ARGV[1]), tonumber(ARGV[2]) / 1000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local old = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = burst
if old[1] then
    tokens = math.min(burst, tonumber(old[1]) + math.max(0, now - tonumber(old[2])) * per_ms)
end
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = math.ceil((1 - tokens) / per_ms) end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', now)
local full_in = math.ceil((burst - tokens) / per_ms)
redis.call('PEXPIRE', KEYS[1], math.min(86400000, math.max(1, full_in)))
return math.min(wait, 86400000)
";

struct RedisLimiter {
    client: Arc<Link>,
    keys: String,
    script: Script,
    /// Counts while Redis is away: each node by itself then.
    own: LocalLimiter,
}

impl RedisLimiter {
    async fn wait_ms(&self, bucket: &str, rate: Rate) -> Result<u64, BusError> {
        let arguments = vec![rate.burst.to_string(), rate.per_s.to_string()];
        let key = format!("{}{bucket}", self.keys);
        let take =
            async |client: &Client| self.script.evalsha_with_reload(client, key, arguments).await;
        self.client.ask(take).await
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn take(&self, bucket: &str, rate: Rate) -> Result<(), Duration> {
        match self.wait_ms(bucket, rate).await {
            Ok(0) => Ok(()),
            Ok(wait_ms) => Err(Duration::from_millis(wait_ms)),
            Err(_) => self.own.take(bucket, rate).await,
        }
    }
}

/// Redis orders by score ascending, then by member ascending. Scores are kept negated, and an id
/// as text orders as its bytes do: so the first of Redis is the first of ours.
struct RedisBoards {
    client: Arc<Link>,
    keys: String,
    marks: String,
    raise: Script,
}

/// Sets a number that only rises.
const RAISE: &str = r"
local old = tonumber(redis.call('GET', KEYS[1]) or '-1')
if tonumber(ARGV[1]) > old then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
";

impl RedisBoards {
    fn key(&self, board: &str) -> String {
        format!("{}{board}", self.keys)
    }

    fn mark_key(&self, board: &str) -> String {
        format!("{}{board}", self.marks)
    }
}

fn kept(score: i64) -> f64 {
    -(score.clamp(-SCORE_MAX, SCORE_MAX) as f64)
}

fn score_of(kept: f64) -> i64 {
    -(kept as i64)
}

#[async_trait]
impl Boards for RedisBoards {
    async fn put(&self, board: &str, scores: &[(Uuid, i64)]) -> Result<(), BusError> {
        for chunk in scores.chunks(PUT_MAX) {
            let rows: Vec<(f64, String)> =
                chunk.iter().map(|(player, score)| (kept(*score), player.to_string())).collect();
            let key = self.key(board);
            let put =
                async |client: &Client| client.zadd(key, None, None, false, false, rows).await;
            let _: u64 = self.client.ask(put).await?;
        }
        Ok(())
    }

    async fn remove(&self, board: &str, player: Uuid) -> Result<(), BusError> {
        let (key, member) = (self.key(board), player.to_string());
        let _: u64 = self.client.ask(async |client| client.zrem(key, member).await).await?;
        Ok(())
    }

    async fn range(
        &self,
        board: &str,
        from: u64,
        count: u64,
    ) -> Result<Vec<(Uuid, i64)>, BusError> {
        let Some(last) = from.saturating_add(count).checked_sub(1).filter(|_| count > 0) else {
            return Ok(Vec::new());
        };
        let bound = |place: u64| i64::try_from(place).unwrap_or(i64::MAX);
        let (first, last) = (bound(from), bound(last));
        let key = self.key(board);
        let range =
            async |client: &Client| client.zrange(key, first, last, None, false, None, true).await;
        let rows: Vec<(String, f64)> = self.client.ask(range).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(player, kept)| Some((player.parse().ok()?, score_of(kept))))
            .collect())
    }

    async fn place(&self, board: &str, player: Uuid) -> Result<Option<(u64, i64)>, BusError> {
        let (key, member) = (self.key(board), player.to_string());
        let rank = self.client.ask(async |client| client.zrank(&key, &member, false).await);
        let score = self.client.ask(async |client| client.zscore(&key, &member).await);
        let (rank, kept): (Option<u64>, Option<f64>) = tokio::try_join!(rank, score)?;
        Ok(rank.zip(kept).map(|(rank, kept)| (rank, score_of(kept))))
    }

    async fn size(&self, board: &str) -> Result<u64, BusError> {
        self.client.ask(async |client| client.zcard(self.key(board)).await).await
    }

    async fn clear(&self, board: &str) -> Result<(), BusError> {
        // UNLINK frees a large board beside other work.
        let both = vec![self.mark_key(board), self.key(board)];
        let _: u64 = self.client.ask(async |client| client.unlink(both).await).await?;
        Ok(())
    }

    async fn mark(&self, board: &str) -> Result<Option<i64>, BusError> {
        self.client.ask(async |client| client.get(self.mark_key(board)).await).await
    }

    async fn set_mark(&self, board: &str, mark: i64) -> Result<(), BusError> {
        let (script, key) = (&self.raise, self.mark_key(board));
        let raise = async |client: &Client| {
            script.evalsha_with_reload(client, key, vec![mark.to_string()]).await
        };
        let _: u64 = self.client.ask(raise).await?;
        Ok(())
    }
}

/// A place is a sorted set of players by the time they are gone at.
const CONFIRM: &str = r"
local ttl = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ttl, ARGV[1])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1
";

/// Who is left, and before the first of them how many there are.
const LIST: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local rows = {}
if tonumber(ARGV[1]) > 0 then rows = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1) end
table.insert(rows, 1, tostring(redis.call('ZCARD', KEYS[1])))
return rows
";

struct RedisPresence {
    client: Arc<Link>,
    keys: String,
    confirm: Script,
    list: Script,
}

impl RedisPresence {
    fn key(&self, place: &str) -> String {
        format!("{}{place}", self.keys)
    }
}

#[async_trait]
impl Presence for RedisPresence {
    async fn confirm(&self, place: &str, player: Uuid, ttl: Duration) -> Result<(), BusError> {
        let arguments = vec![player.to_string(), ttl.as_millis().max(1).to_string()];
        let (script, key) = (&self.confirm, self.key(place));
        let confirm =
            async |client: &Client| script.evalsha_with_reload(client, key, arguments).await;
        let _: u64 = self.client.ask(confirm).await?;
        Ok(())
    }

    async fn leave(&self, place: &str, player: Uuid) -> Result<(), BusError> {
        let (key, member) = (self.key(place), player.to_string());
        let _: u64 = self.client.ask(async |client| client.zrem(key, member).await).await?;
        Ok(())
    }

    async fn list(&self, place: &str, count: usize) -> Result<(Vec<Uuid>, u64), BusError> {
        let arguments = vec![count.to_string()];
        let (script, key) = (&self.list, self.key(place));
        let list = async |client: &Client| script.evalsha_with_reload(client, key, arguments).await;
        let rows: Vec<String> = self.client.ask(list).await?;
        let count = rows.first().and_then(|count| count.parse().ok()).unwrap_or(0);
        Ok((rows.iter().skip(1).filter_map(|row| row.parse().ok()).collect(), count))
    }
}
