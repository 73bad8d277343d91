//! The bus of one process. Same behaviour as Redis, one node only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::{Boards, BusError, Heard, Limiter, Presence, Rate, Subscription, Topics};

/// Messages that a slow subscriber may be behind before it hears a gap.
const BACKLOG: usize = 1_024;

/// Buckets kept before full ones are swept out.
const BUCKETS_MAX: usize = 100_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Topics as channels.
#[derive(Debug, Default)]
pub struct LocalTopics(Mutex<HashMap<String, broadcast::Sender<Heard>>>);

#[async_trait]
impl Topics for LocalTopics {
    async fn publish(&self, topic: &str, body: Bytes) -> Result<(), BusError> {
        let mut topics = lock(&self.0);
        if let Some(sender) = topics.get(topic)
            && sender.send(Heard::Message(body)).is_err()
        {
            // Nobody listens any more.
            topics.remove(topic);
        }
        Ok(())
    }

    async fn subscribe(&self, topic: &str) -> Result<Subscription, BusError> {
        let mut topics = lock(&self.0);
        let sender =
            topics.entry(topic.to_owned()).or_insert_with(|| broadcast::channel(BACKLOG).0);
        Ok(Subscription::new(sender.subscribe()))
    }
}

/// Token buckets in memory.
#[derive(Debug, Default)]
pub struct LocalLimiter(Mutex<HashMap<String, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
    full_at: Instant,
}

impl LocalLimiter {
    /// As [`Limiter::take`], at a time.
    ///
    /// # Errors
    /// The bucket is empty: how long until it has a token.
    pub fn take_at(&self, bucket: &str, rate: Rate, now: Instant) -> Result<(), Duration> {
        let mut buckets = lock(&self.0);
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, bucket| bucket.full_at > now);
            if buckets.len() >= BUCKETS_MAX {
                // More strangers than buckets: let the newest wait rather than forget anybody.
                return Err(Duration::from_secs(1));
            }
        }
        let full = f64::from(rate.burst);
        let old = buckets.get(bucket).copied();
        let mut tokens = old.map_or(full, |old| {
            let since = now.saturating_duration_since(old.at).as_secs_f64();
            (old.tokens + since * rate.per_s).min(full)
        });
        let outcome = if tokens >= 1.0 {
            tokens -= 1.0;
            Ok(())
        } else {
            Err(seconds((1.0 - tokens) / rate.per_s))
        };
        let full_at = now + seconds((full - tokens) / rate.per_s);
        buckets.insert(bucket.to_owned(), Bucket { tokens, at: now, full_at });
        outcome
    }
}

/// At most a day, whatever the rate.
fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.001, 86_400.0))
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn take(&self, bucket: &str, rate: Rate) -> Result<(), Duration> {
        self.take_at(bucket, rate, Instant::now())
    }
}

/// Boards as ordered sets.
#[derive(Debug, Default)]
pub struct LocalBoards(Mutex<HashMap<String, Board>>);

#[derive(Debug, Default)]
struct Board {
    mark: Option<i64>,
    scores: HashMap<Uuid, i64>,
    order: BTreeSet<(Reverse<i64>, Uuid)>,
}

#[async_trait]
impl Boards for LocalBoards {
    async fn put(&self, board: &str, scores: &[(Uuid, i64)]) -> Result<(), BusError> {
        let mut boards = lock(&self.0);
        let board = boards.entry(board.to_owned()).or_default();
        for &(player, score) in scores {
            if let Some(old) = board.scores.insert(player, score) {
                board.order.remove(&(Reverse(old), player));
            }
            board.order.insert((Reverse(score), player));
        }
        Ok(())
    }

    async fn remove(&self, board: &str, player: Uuid) -> Result<(), BusError> {
        if let Some(board) = lock(&self.0).get_mut(board)
            && let Some(old) = board.scores.remove(&player)
        {
            board.order.remove(&(Reverse(old), player));
        }
        Ok(())
    }

    async fn range(
        &self,
        board: &str,
        from: u64,
        count: u64,
    ) -> Result<Vec<(Uuid, i64)>, BusError> {
        let boards = lock(&self.0);
        let Some(board) = boards.get(board) else { return Ok(Vec::new()) };
        let (from, count) = (from as usize, count as usize);
        let rows = board.order.iter().skip(from).take(count);
        Ok(rows.map(|&(Reverse(score), player)| (player, score)).collect())
    }

    async fn place(&self, board: &str, player: Uuid) -> Result<Option<(u64, i64)>, BusError> {
        let boards = lock(&self.0);
        let Some(board) = boards.get(board) else { return Ok(None) };
        let Some(&score) = board.scores.get(&player) else { return Ok(None) };
        let before = board.order.range(..(Reverse(score), player)).count();
        Ok(Some((before as u64, score)))
    }

    async fn size(&self, board: &str) -> Result<u64, BusError> {
        Ok(lock(&self.0).get(board).map_or(0, |board| board.scores.len() as u64))
    }

    async fn clear(&self, board: &str) -> Result<(), BusError> {
        lock(&self.0).remove(board);
        Ok(())
    }

    async fn mark(&self, board: &str) -> Result<Option<i64>, BusError> {
        Ok(lock(&self.0).get(board).and_then(|board| board.mark))
    }

    async fn set_mark(&self, board: &str, mark: i64) -> Result<(), BusError> {
        let mut boards = lock(&self.0);
        let board = boards.entry(board.to_owned()).or_default();
        board.mark = board.mark.max(Some(mark));
        Ok(())
    }
}

/// Presence in memory.
#[derive(Debug, Default)]
pub struct LocalPresence(Mutex<HashMap<String, BTreeMap<Uuid, Instant>>>);

#[async_trait]
impl Presence for LocalPresence {
    async fn confirm(&self, place: &str, player: Uuid, ttl: Duration) -> Result<(), BusError> {
        let mut places = lock(&self.0);
        places.entry(place.to_owned()).or_default().insert(player, Instant::now() + ttl);
        Ok(())
    }

    async fn leave(&self, place: &str, player: Uuid) -> Result<(), BusError> {
        let mut places = lock(&self.0);
        if let Some(players) = places.get_mut(place) {
            players.remove(&player);
            if players.is_empty() {
                places.remove(place);
            }
        }
        Ok(())
    }

    async fn list(&self, place: &str, count: usize) -> Result<(Vec<Uuid>, u64), BusError> {
        let now = Instant::now();
        let mut places = lock(&self.0);
        let Some(players) = places.get_mut(place) else { return Ok((Vec::new(), 0)) };
        players.retain(|_, until| *until > now);
        Ok((players.keys().take(count).copied().collect(), players.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_with_time() {
        let limiter = LocalLimiter::default();
        let rate = Rate::per(2, Duration::from_secs(10));
        let start = Instant::now();
        let take = |s| limiter.take_at("a", rate, start + Duration::from_secs(s));
        assert!(take(0).is_ok() && take(0).is_ok());
        let wait = take(0).unwrap_err();
        assert_eq!(wait.as_secs_f64().round(), 5.0);
        assert!(take(4).is_err());
        assert!(take(6).is_ok() && take(6).is_err());
        assert!(limiter.take_at("b", rate, start).is_ok(), "buckets know nothing of each other");
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let limiter = LocalLimiter::default();
        let now = Instant::now();
        let rate = Rate::per(1, Duration::from_secs(60));
        for stranger in 0..BUCKETS_MAX + 10 {
            let _ = limiter.take_at(&stranger.to_string(), rate, now);
        }
        assert_eq!(lock(&limiter.0).len(), BUCKETS_MAX);
        let later = now + Duration::from_secs(61);
        assert!(limiter.take_at("new", rate, later).is_ok());
        assert_eq!(lock(&limiter.0).len(), 1);
    }
}
