//! What several nodes tell each other and count together, behind four small traits.
//!
//! Nothing here is the truth: all of it may be emptied at any time, or be as it was an hour ago,
//! and whoever uses it can go on from Postgres. [`local`] serves one process; [`redis`] many.
//! Redis is not trusted: messages are sealed ([`seal`]), and the rest grants nothing.

pub mod local;
pub mod redis;
mod redis_link;
mod redis_topics;
pub mod seal;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;
use uuid::Uuid;

/// The four together.
#[derive(Clone)]
pub struct Bus {
    /// Messages to all nodes.
    pub topics: Arc<dyn Topics>,
    /// Token buckets.
    pub limiter: Arc<dyn Limiter>,
    /// Sorted sets of players.
    pub boards: Arc<dyn Boards>,
    /// Who is where.
    pub presence: Arc<dyn Presence>,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}

impl Bus {
    /// For one process.
    pub fn local() -> Self {
        Self {
            topics: Arc::new(local::LocalTopics::default()),
            limiter: Arc::new(local::LocalLimiter::default()),
            boards: Arc::new(local::LocalBoards::default()),
            presence: Arc::new(local::LocalPresence::default()),
        }
    }
}

/// The other side is away. What depends on it degrades; nothing is lost that Postgres has.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the bus is away: {0}")]
pub struct BusError(pub String);

/// Publish and subscribe.
#[async_trait]
pub trait Topics: Send + Sync {
    /// Tells everyone who is subscribed to `topic` now.
    async fn publish(&self, topic: &str, body: Bytes) -> Result<(), BusError>;

    /// Hears what is published from now on.
    async fn subscribe(&self, topic: &str) -> Result<Subscription, BusError>;
}

/// What is heard on a topic.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Heard>);

/// One thing heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Bytes),
    /// Something may have been missed: whoever needs all of it reads Postgres.
    Gap,
}

impl Subscription {
    /// Of a channel that a backend sends to.
    pub fn new(receiver: broadcast::Receiver<Heard>) -> Self {
        Self(receiver)
    }

    /// The next thing heard; `None`: the bus has ended.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(heard) => Some(heard),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Heard::Gap),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// So many at once, and so many a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens in a full bucket.
    pub burst: u32,
    /// Tokens a second that come back.
    pub per_s: f64,
}

impl Rate {
    /// `count` in `period`, all of them at once if need be.
    pub const fn per(count: u32, period: Duration) -> Self {
        Self { burst: count, per_s: count as f64 / period.as_secs_f64() }
    }

    /// So many times as much; `factor` is 1 or more.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let burst = (f64::from(self.burst) * factor).ceil() as u32;
        Self { burst, per_s: self.per_s * factor }
    }
}

/// Token buckets by name. Bounded: a bucket that is full again is forgotten.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Takes a token from the bucket.
    ///
    /// # Errors
    /// The bucket is empty: how long until it has a token.
    async fn take(&self, bucket: &str, rate: Rate) -> Result<(), Duration>;
}

/// Sorted sets of players, highest score first, equal scores by id.
///
/// Scores are exact from -2^53 to 2^53; Redis keeps them as floats.
#[async_trait]
pub trait Boards: Send + Sync {
    /// Sets scores.
    async fn put(&self, board: &str, scores: &[(Uuid, i64)]) -> Result<(), BusError>;
    /// Takes a player off.
    async fn remove(&self, board: &str, player: Uuid) -> Result<(), BusError>;
    /// `count` rows from place `from` on (0 is the first).
    async fn range(&self, board: &str, from: u64, count: u64)
    -> Result<Vec<(Uuid, i64)>, BusError>;
    /// A player's place (0 is the first) and score.
    async fn place(&self, board: &str, player: Uuid) -> Result<Option<(u64, i64)>, BusError>;
    /// How many there are; 0 for a board that is not there.
    async fn size(&self, board: &str) -> Result<u64, BusError>;
    /// Forgets the board with its mark; it is made anew from Postgres.
    async fn clear(&self, board: &str) -> Result<(), BusError>;
    /// How far the board is, as [`Boards::set_mark`] said last; `None`: nobody knows.
    async fn mark(&self, board: &str) -> Result<Option<i64>, BusError>;
    /// Says how far the board is, beside it: it has all changes up to this number. One that is
    /// farther already stays so.
    async fn set_mark(&self, board: &str, mark: i64) -> Result<(), BusError>;
}

/// Who is in a place, like a chat channel; whoever is not confirmed in time is gone.
#[async_trait]
pub trait Presence: Send + Sync {
    /// `player` is in `place` for another `ttl`.
    async fn confirm(&self, place: &str, player: Uuid, ttl: Duration) -> Result<(), BusError>;
    /// `player` has left.
    async fn leave(&self, place: &str, player: Uuid) -> Result<(), BusError>;
    /// Up to `count` players in `place`, and how many there are.
    async fn list(&self, place: &str, count: usize) -> Result<(Vec<Uuid>, u64), BusError>;
}
