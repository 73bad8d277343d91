//! What other systems must learn: rows of `outbox` on their way to the bus, and `inbox`, where
//! whoever acts on one remembers it.
//!
//! An event is written in the transaction that makes it true, and published on the topic of its
//! name: at least once, in the order of its key. Who must act on it once asks [`is_new`] in the
//! transaction of the act.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use crate::app::AppState;
use crate::bus::BusError;
use crate::rounds::{Round, Rounds};
use crate::service::{Job, Stop};

/// How often it is looked for events.
const EVERY: Duration = Duration::from_millis(250);

/// Events of one pass: it holds its transaction until they are published.
const EVENTS_MAX: i64 = 200;

/// Unsent events that are counted; more are as bad.
const COUNTED_MAX: i64 = 10_000;

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The same however often it comes.
    pub event_id: i64,
    /// Its name, and the topic that it is told on.
    pub topic: String,
    /// Events of one key come in their order.
    pub key: String,
    /// The event's own fields, as JSON.
    pub body: Value,
}

/// Why events are not sent. They stay, and are tried again.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Nobody can be told.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The database is away.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Writes an event, in the transaction that makes it true.
///
/// # Errors
/// The database is away.
pub async fn write(db: &mut PgConnection, topic: &str, key: &str, body: Value) -> sqlx::Result<()> {
    sqlx::query!("insert into outbox (topic, key, body) values ($1, $2, $3)", topic, key, body)
        .execute(db)
        .await?;
    Ok(())
}

/// The job that tells, on as many nodes as there are: one at a time does it.
pub fn relay(app: &AppState, stop: &Stop) -> Job {
    let app = app.clone();
    let mut rounds = Rounds::new("outbox", EVERY, "events are told later", stop.clone());
    Job::new("outbox", async move {
        while rounds.next().await {
            let sent = relay_once(&app).await;
            let round = |sent| if sent as i64 == EVENTS_MAX { Round::More } else { Round::Done };
            rounds.ended(sent.map(round));
        }
    })
}

/// One pass; says how many events were told.
///
/// # Errors
/// The bus or the database is away. What was told before is not told again, unless it is the
/// database.
pub async fn relay_once(app: &AppState) -> Result<usize, RelayError> {
    let mut tx = app.db.begin().await?;
    // Two nodes at once would mix the order up.
    let is_ours = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended('outbox', 4)) as "ours!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    if !is_ours {
        return Ok(0);
    }
    let events = sqlx::query_as!(
        Event,
        "select event_id, topic, key, body from outbox where sent_at is null
         order by event_id limit $1 for update skip locked",
        EVENTS_MAX
    )
    .fetch_all(&mut *tx)
    .await?;
    let (mut sent, mut failed) = (Vec::with_capacity(events.len()), None);
    for event in events {
        let body = serde_json::to_vec(&event).expect("an event of ours serialises");
        if let Err(error) = app.bus.topics.publish(&event.topic, Bytes::from(body)).await {
            failed = Some(error);
            break;
        }
        sent.push(event.event_id);
    }
    if !sent.is_empty() {
        sqlx::query!("update outbox set sent_at = now() where event_id = any($1)", &sent[..])
            .execute(&mut *tx)
            .await?;
    }
    let unsent = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
               select from outbox where sent_at is null limit $1) as counted"#,
        COUNTED_MAX
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    metrics::gauge!("sortie_outbox_unsent").set(unsent as f64);
    metrics::counter!("sortie_outbox_sent_total").increment(sent.len() as u64);
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(sent.len()),
    }
}

/// Whether `source` has not acted on this event yet; from now on it has, if the transaction is
/// committed. Others who ask meanwhile wait for that.
///
/// # Errors
/// The database is away.
pub async fn is_new(db: &mut PgConnection, source: &str, event_id: i64) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into inbox (source, message_id) values ($1, $2) on conflict do nothing",
        source,
        event_id.to_string()
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use sqlx::PgPool;

    use super::*;
    use crate::bus::{Bus, Heard, Subscription, Topics, local::LocalTopics};

    async fn write(db: &PgPool, count: i32) {
        sqlx::query(
            "insert into outbox (topic, key, body)
             select 'test.done', 'one', jsonb_build_object('nth', n)
             from generate_series(1, $1) as n",
        )
        .bind(count)
        .execute(db)
        .await
        .unwrap();
    }

    async fn unsent(db: &PgPool) -> i64 {
        let count = "select count(*) from outbox where sent_at is null";
        sqlx::query_scalar(count).fetch_one(db).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn every_event_is_told_in_order_and_once_by_several_nodes(db: PgPool) {
        let app = AppState::local(db.clone());
        let mut heard = app.bus.topics.subscribe("test.done").await.unwrap();
        write(&db, 450).await;
        let mut sent = 0;
        while sent < 450 {
            let (one, two) = tokio::join!(relay_once(&app), relay_once(&app));
            sent += one.unwrap() + two.unwrap();
        }
        assert_eq!((sent, unsent(&db).await), (450, 0));
        for nth in 1..=450 {
            let Some(Heard::Message(body)) = heard.next().await else { panic!("{nth}") };
            let event: Event = serde_json::from_slice(&body).unwrap();
            assert_eq!((event.topic.as_str(), &event.body["nth"]), ("test.done", &nth.into()));
        }
    }

    /// Fails after a few.
    struct Tired(LocalTopics, std::sync::atomic::AtomicI32);

    #[async_trait]
    impl Topics for Tired {
        async fn publish(&self, topic: &str, body: Bytes) -> Result<(), BusError> {
            match self.1.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) {
                1.. => self.0.publish(topic, body).await,
                _ => Err(BusError("tired".to_owned())),
            }
        }

        async fn subscribe(&self, topic: &str) -> Result<Subscription, BusError> {
            self.0.subscribe(topic).await
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn what_could_not_be_told_is_told_when_the_bus_is_back(db: PgPool) {
        let mut app = AppState::local(db.clone());
        let topics = Arc::new(Tired(LocalTopics::default(), 3.into()));
        app.bus = Bus { topics: topics.clone(), ..app.bus };
        write(&db, 5).await;
        assert!(relay_once(&app).await.is_err());
        assert_eq!(unsent(&db).await, 2);
        topics.1.store(9, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(relay_once(&app).await.unwrap(), 2);
        assert_eq!(unsent(&db).await, 0);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn an_event_is_new_to_each_who_asks_until_it_is_committed(db: PgPool) {
        let mut tx = db.begin().await.unwrap();
        assert!(is_new(&mut tx, "one", 7).await.unwrap());
        tx.rollback().await.unwrap();
        let mut db = db.acquire().await.unwrap();
        assert!(is_new(&mut db, "one", 7).await.unwrap());
        assert!(!is_new(&mut db, "one", 7).await.unwrap());
        assert!(is_new(&mut db, "two", 7).await.unwrap());
    }
}
