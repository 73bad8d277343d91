//! What is over is removed: a job with a table of ages, for each owner of tables.
//!
//! A rule is a statement that removes some rows of one table, oldest first, and leaves those that
//! somebody holds; any number of nodes may do it at once. `docs/data-model.md` has all rules in one
//! table, with what else is forgotten where: logins by accounts, messages by chat, the battle log
//! by the fleet.

use std::time::Duration;

use sqlx::PgPool;

use crate::app::AppState;
use crate::rounds::{Round, Rounds};
use crate::service::{Job, Stop};

/// A day.
pub const DAY: Duration = Duration::from_secs(86_400);
const EVERY: Duration = Duration::from_secs(600);

/// Rows that a statement removes: locks stay short.
const ROWS_MAX: i64 = 1_000;

/// How long something stays after it is over.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Of which table.
    pub table: &'static str,
    /// How long.
    pub age: Duration,
    /// Removes rows that were over so many seconds ($1), so many at most ($2).
    pub delete: &'static str,
}

/// The rules of the tables that every service writes through this crate.
pub const RULES: &[Rule] = &[
    // Whoever was away reads Postgres; nobody reads an event that was told.
    Rule {
        table: "outbox",
        age: DAY.saturating_mul(7),
        delete: "delete from outbox where event_id in (
            select event_id from outbox where sent_at < now() - make_interval(secs => $1)
            order by event_id limit $2 for update skip locked)",
    },
    // Longer than any event can come again.
    Rule {
        table: "inbox",
        age: DAY.saturating_mul(14),
        delete: "delete from inbox where (source, message_id) in (
            select source, message_id from inbox
            where received_at < now() - make_interval(secs => $1)
            limit $2 for update skip locked)",
    },
];

/// A job of this name that keeps to `rules`.
pub fn job(name: &'static str, rules: &'static [Rule], app: &AppState, stop: &Stop) -> Job {
    let (db, clock) = (app.db.clone(), app.clock.clone());
    let mut rounds = Rounds::new(name, EVERY, "what is over is removed later", stop.clone());
    Job::new(name, async move {
        while rounds.next().await {
            rounds.ended(match clock.lets_remove(&db).await {
                Ok(true) => apply_rules(&db, rules).await.map(|_| Round::Done),
                lets => lets.map(|_| Round::NotYet),
            });
        }
    })
}

/// All rules, until nothing is left to remove; says how many rows that were.
///
/// # Errors
/// The database is away; what was removed stays so.
pub async fn apply_rules(db: &PgPool, rules: &[Rule]) -> sqlx::Result<u64> {
    let mut all = 0;
    for rule in rules {
        loop {
            let query = sqlx::query(rule.delete).bind(rule.age.as_secs_f64()).bind(ROWS_MAX);
            let removed = query.execute(db).await?.rows_affected();
            metrics::counter!("sortie_retention_removed_total", "table" => rule.table)
                .increment(removed);
            all += removed;
            if removed < ROWS_MAX.unsigned_abs() {
                break;
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row of each table that is over so many days ago.
    async fn plant(db: &PgPool, days: i32, key: &str) {
        for statement in [
            "insert into outbox (topic, key, body, sent_at)
                select 't', $1, '{}', now() - make_interval(days => $2)",
            "insert into outbox (topic, key, body, created_at)
                select 't', $1, '{}', now() - make_interval(days => $2)",
            "insert into inbox (source, message_id, received_at)
                select 's', $1, now() - make_interval(days => $2)",
        ] {
            let query = sqlx::query(statement).bind(key).bind(days);
            query.execute(db).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    async fn left(db: &PgPool) -> (i64, i64) {
        let left = "select (select count(*) from outbox), (select count(*) from inbox)";
        sqlx::query_as(left).fetch_one(db).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn what_is_long_over_is_removed_and_nothing_else(db: PgPool) {
        plant(&db, 15, "A").await;
        plant(&db, -1, "B").await;
        assert_eq!(left(&db).await, (4, 2));
        assert_eq!(apply_rules(&db, RULES).await.unwrap(), 2);
        // An event that was never told stays, however old it is.
        assert_eq!(left(&db).await, (3, 1));
        assert_eq!(apply_rules(&db, RULES).await.unwrap(), 0);
    }
}
