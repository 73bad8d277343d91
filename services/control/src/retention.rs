//! What is over is removed: one job with one table of ages.
//!
//! A rule is a statement that removes some rows of one table, oldest first, and leaves those that
//! somebody holds; any number of nodes may do it at once. `docs/data-model.md` has the same table
//! with what else is forgotten where: logins by accounts, messages by chat, the battle log by the
//! fleet.

use std::time::Duration;

use sqlx::PgPool;

use crate::plane::Plane;
use crate::service::{Job, Stop};

const DAY: Duration = Duration::from_secs(86_400);
const EVERY: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(60);

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
    delete: &'static str,
}

/// Every rule.
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
    Rule {
        table: "replay",
        age: Duration::ZERO,
        delete: "delete from replay where battle_id in (
            select battle_id from replay where expires_at < now() - make_interval(secs => $1)
            limit $2 for update skip locked)",
    },
    Rule {
        table: "room",
        age: DAY.saturating_mul(7),
        delete: "delete from room where room_id in (
            select room_id from room
            where state = 'closed' and closed_at < now() - make_interval(secs => $1)
            limit $2 for update skip locked)",
    },
    // A party is over when nobody of it was there for so long; its members go with it.
    Rule {
        table: "party",
        age: DAY,
        delete: "delete from party where party_id in (
            select party_id from party
            where created_at < now() - make_interval(secs => $1) and not exists (
                select from party_member m left join personal.login_session s
                    on s.player_id = m.player_id
                        and s.seen_at >= now() - make_interval(secs => $1)
                    left join ticket_open o on o.player_id = m.player_id
                where m.party_id = party.party_id
                    and (s.session_id is not null or o.player_id is not null))
            limit $2 for update skip locked)",
    },
];

/// The job.
pub fn job(plane: &Plane, stop: &Stop) -> Job {
    let (db, clock, mut stop) = (plane.db.clone(), plane.clock.clone(), stop.clone());
    Job::new("retention", async move {
        loop {
            let kept = match clock.lets_remove(&db).await {
                Ok(true) => keep_house(&db).await.map(|_| EVERY),
                lets => lets.map(|_| AGAIN),
            };
            let pause = match kept {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "what is over is removed later");
                    AGAIN
                }
            };
            if !stop.wait(pause).await {
                return;
            }
        }
    })
}

/// All rules, until nothing is left to remove; says how many rows that were.
///
/// # Errors
/// The database is away; what was removed stays so.
pub async fn keep_house(db: &PgPool) -> sqlx::Result<u64> {
    let mut all = 0;
    for rule in RULES {
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
    use uuid::Uuid;

    use super::*;
    use crate::testing;

    /// One row of each table that is over so many days ago.
    async fn plant(db: &PgPool, days: i32, code: &str) {
        let player = testing::player(db, &format!("Player {code}")).await;
        let id = Uuid::now_v7();
        for statement in [
            "insert into outbox (topic, key, body, sent_at)
                select 't', $3, '{}', now() - make_interval(days => $4) where $1 <> $2",
            "insert into outbox (topic, key, body, created_at)
                select 't', $3, '{}', now() - make_interval(days => $4) where $1 <> $2",
            "insert into inbox (source, message_id, received_at)
                select 's', $3, now() - make_interval(days => $4) where $1 <> $2",
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state)
                select $1, 'walk', $3, false, 8, 'cancelled' where $4 is not null and $1 <> $2",
            "insert into replay (battle_id, place, bytes, expires_at)
                select $1, $3, 1, now() - make_interval(days => $4) where $1 <> $2",
            "insert into room (room_id, code, owner, name, mode, map, players_max, state,
                closed_at) select $1, $3, $2, 'x', 'walk', 'x', 8, 'closed',
                now() - make_interval(days => $4)",
            "insert into party (party_id, leader, code, created_at)
                select $1, $2, $3, now() - make_interval(days => $4)",
            "insert into party_member (player_id, party_id)
                select $2, $1 where $3 <> '' and $4 is not null",
        ] {
            let query = sqlx::query(statement).bind(id).bind(player).bind(code).bind(days);
            query.execute(db).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    async fn left(db: &PgPool) -> Vec<i64> {
        let mut left = Vec::new();
        for table in RULES.iter().map(|rule| rule.table).chain(["party_member", "battle"]) {
            let count = format!("select count(*) from {table}");
            let count = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(db).await;
            left.push(count.unwrap());
        }
        left
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn what_is_long_over_is_removed_and_nothing_else(db: PgPool) {
        plant(&db, 15, "AAAAAA").await;
        plant(&db, -1, "BBBBBB").await;
        assert_eq!(left(&db).await, [4, 2, 2, 2, 2, 2, 2]);
        assert_eq!(keep_house(&db).await.unwrap(), 5);
        // An event that was never told stays, however old it is; so does the battle.
        assert_eq!(left(&db).await, [3, 1, 1, 1, 1, 1, 2]);
        assert_eq!(keep_house(&db).await.unwrap(), 0);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn a_party_stays_while_somebody_of_it_is_there(db: PgPool) {
        plant(&db, 2, "AAAAAA").await;
        sqlx::query(
            "insert into personal.login_session (session_id, player_id, expires_at)
             select player_id, player_id, now() + interval '1 day' from player",
        )
        .execute(&db)
        .await
        .unwrap();
        keep_house(&db).await.unwrap();
        let parties = "select count(*) from party";
        let count: i64 = sqlx::query_scalar(parties).fetch_one(&db).await.unwrap();
        assert_eq!(count, 1);
        let gone = "update personal.login_session set seen_at = now() - interval '25 hours'";
        sqlx::query(gone).execute(&db).await.unwrap();
        keep_house(&db).await.unwrap();
        let count: i64 = sqlx::query_scalar(parties).fetch_one(&db).await.unwrap();
        assert_eq!(count, 0);
    }
}
