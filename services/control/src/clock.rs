//! What the time is: the database's, on all nodes.
//!
//! Whatever is decided about shared rows goes by one clock, the database's. Statements ask it
//! themselves (`now()`); what has to be computed here asks [`Clock::now`], which is the
//! database's time when it was last read, and what a monotonic clock has counted since. The
//! machine's own time of day is only compared with it: a node that is off by more than
//! [`OFF_MAX`] says so, is not ready, and removes nothing ([`Clock::lets_remove`]).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

/// How far a node's time of day may be from the database's.
pub const OFF_MAX: Duration = Duration::seconds(2);

/// How long a reading is counted on from, before the database is asked again.
const FRESH: std::time::Duration = std::time::Duration::from_secs(1);

/// The deployment's time. Clones share what was read.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    read: Mutex<Option<Reading>>,
    ahead_ms: AtomicI64,
    machine_ahead_ms: AtomicI64,
}

/// The database's time, and when that was here.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    time: OffsetDateTime,
    /// How far the machine's time of day was ahead.
    ahead: Duration,
    /// How far that may be wrong: half of the way to the database and back.
    error: Duration,
}

impl Reading {
    fn now(&self) -> OffsetDateTime {
        self.time + self.at.elapsed()
    }
}

impl Clock {
    /// The time, by the database's clock.
    ///
    /// # Errors
    /// The database was not asked within a second, and is away.
    pub async fn now(&self, db: &PgPool) -> sqlx::Result<OffsetDateTime> {
        let fresh = self.read().filter(|reading| reading.at.elapsed() < FRESH);
        let time = match fresh {
            Some(reading) => reading.now(),
            None => self.ask(db).await?,
        };
        Ok(time + self.shift())
    }

    /// Asks the database what the time is, and compares this machine's with it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ask(&self, db: &PgPool) -> sqlx::Result<OffsetDateTime> {
        // A connection first: waiting for one is no part of the way.
        let mut db = db.acquire().await?;
        let before = Instant::now();
        let time = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
            .fetch_one(&mut *db)
            .await?;
        let error = before.elapsed() / 2;
        // It was read about half-way between.
        let reading = Reading {
            at: before + error,
            time,
            ahead: self.machine() - error - time,
            error: Duration::try_from(error).unwrap_or(Duration::MAX),
        };
        *self.lock() = Some(reading);
        metrics::gauge!("sortie_clock_ahead_seconds").set(reading.ahead.as_seconds_f64());
        Ok(reading.now())
    }

    /// The time for what expires and stands in no row, as access tokens: by the database's clock
    /// as it was last read; of a process that has not read it yet, the machine's.
    pub fn estimate(&self) -> OffsetDateTime {
        self.read().map_or_else(|| self.machine(), |reading| reading.now()) + self.shift()
    }

    /// How far this machine's time of day was ahead of the database's when they were last
    /// compared; `None`: they were not.
    pub fn ahead(&self) -> Option<Duration> {
        self.read().map(|reading| reading.ahead)
    }

    /// What is wrong with this machine's time of day, in words; `None`: nothing that is known.
    pub fn fault(&self) -> Option<String> {
        let Reading { ahead, error, .. } = self.read()?;
        (ahead.abs() - error > OFF_MAX).then(|| {
            let way = if ahead.is_positive() { "ahead of" } else { "behind" };
            let off = ahead.abs().as_seconds_f64();
            format!("this machine's clock is {off:.1} s {way} the database's; set it (NTP)")
        })
    }

    /// Whether this node may remove what is over: its time of day was compared with the
    /// database's, and is right. What it removes goes by the database's clock in any case; but
    /// where one of two clocks is wrong, it may be the other, and what is removed is gone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn lets_remove(&self, db: &PgPool) -> sqlx::Result<bool> {
        self.ask(db).await?;
        Ok(self.fault().is_none())
    }

    /// Puts the deployment's time ahead. For tests.
    pub fn advance(&self, by: Duration) {
        self.0.ahead_ms.fetch_add(ms(by), Ordering::Relaxed);
    }

    /// Puts this machine's time of day ahead, as a wrong clock would be. For tests.
    pub fn set_machine_ahead(&self, by: Duration) {
        self.0.machine_ahead_ms.store(ms(by), Ordering::Relaxed);
    }

    fn machine(&self) -> OffsetDateTime {
        let ahead_ms = self.0.machine_ahead_ms.load(Ordering::Relaxed);
        OffsetDateTime::now_utc() + Duration::milliseconds(ahead_ms)
    }

    fn shift(&self) -> Duration {
        Duration::milliseconds(self.0.ahead_ms.load(Ordering::Relaxed))
    }

    fn read(&self) -> Option<Reading> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Reading>> {
        self.0.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.whole_milliseconds()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[sqlx::test(migrations = false)]
    async fn the_machines_own_time_decides_nothing(db: PgPool) {
        for (hours, words) in [(9_000, "ahead of"), (-9_000, "behind"), (0, "")] {
            let clock = Clock::default();
            clock.set_machine_ahead(Duration::hours(hours));
            let before = OffsetDateTime::now_utc();
            let now = clock.now(&db).await.unwrap();
            assert!((now - before).abs() < Duration::seconds(60), "{now}");
            assert!((clock.estimate() - before).abs() < Duration::seconds(60));
            assert_eq!(clock.lets_remove(&db).await.unwrap(), hours == 0);
            match clock.fault() {
                Some(fault) => assert!(fault.contains(words), "{fault}"),
                None => assert_eq!(hours, 0),
            }
        }
    }

    #[sqlx::test(migrations = false)]
    async fn two_seconds_are_forgiven(db: PgPool) {
        let clock = Clock::default();
        for (seconds, is_right) in [(1, true), (-1, true), (60, false), (0, true)] {
            clock.set_machine_ahead(Duration::seconds(seconds));
            let lets = clock.lets_remove(&db).await.unwrap();
            assert_eq!(lets, is_right, "{seconds} s ahead: {:?}", clock.ahead());
        }
    }
}
