//! The job `battle log`: makes the partitions of the months to come, drops those that are kept
//! long enough, and with them orders that were carried out long ago and results under review.

use std::time::Duration;

use sortie_battles::{log, order, review};
use sortie_control::clock::Clock;
use sortie_control::rounds::{Round, Rounds};
use sortie_control::service::Stop;
use sqlx::PgPool;

use crate::settings::Settings;

const EVERY: Duration = Duration::from_secs(3_600);

/// Deletes what is old until the stop is asked for.
pub(crate) async fn run(db: PgPool, clock: Clock, settings: Settings, stop: Stop) {
    let failing = "the battle log was not looked after";
    let mut rounds = Rounds::new("battle log", EVERY, failing, stop);
    while rounds.next().await {
        rounds.ended(match clock.lets_remove(&db).await {
            Ok(true) => apply_rules(&db, &settings).await.map(|_| Round::Done),
            lets => lets.map(|_| Round::NotYet),
        });
    }
}

/// Once; says how many partitions were dropped.
pub(crate) async fn apply_rules(db: &PgPool, settings: &Settings) -> sqlx::Result<i32> {
    let mut tx = db.begin().await?;
    // Making and dropping partitions locks the table: one node is enough.
    let is_ours = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended('battle_log', 3)) as "ours!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    if !is_ours {
        return Ok(0);
    }
    let age_s = settings.battle_log_keep.as_secs_f64();
    log::prepare(&mut tx).await?;
    let dropped = log::expire(&mut tx, age_s).await?;
    order::expire(&mut tx, settings.orders_keep.as_secs_f64(), age_s).await?;
    review::expire(&mut tx, age_s).await?;
    tx.commit().await?;
    if dropped > 0 {
        tracing::info!(dropped, "months of the battle log were dropped");
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn months(db: &PgPool) -> Vec<String> {
        sqlx::query_scalar(
            "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = 'battle_log'::regclass order by 1",
        )
        .fetch_all(db)
        .await
        .unwrap()
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn next_month_is_there_and_old_months_are_dropped(db: PgPool) {
        let before = months(&db).await;
        sqlx::query(
            "select battle_log_partition('2020-01-15'), battle_log_partition('2020-02-01')",
        )
        .execute(&db)
        .await
        .unwrap();
        sqlx::query(
            "insert into battle_log (battle_id, tick, place, kind, body, at)
             values (gen_random_uuid(), 1, 0, 'kill', '{}', '2020-01-20')",
        )
        .execute(&db)
        .await
        .unwrap();
        assert_eq!(months(&db).await.len(), before.len() + 2);
        assert_eq!(apply_rules(&db, &Settings::default()).await.unwrap(), 2);
        assert_eq!(months(&db).await, before);
        assert_eq!(apply_rules(&db, &Settings::default()).await.unwrap(), 0);
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_month_that_nobody_prepared_stops_nothing(db: PgPool) {
        let unprepared = "do $$ begin
            execute 'drop table battle_log_' || to_char(current_date, 'YYYY_MM');
            insert into battle_log (battle_id, tick, place, kind, body, at)
            values (gen_random_uuid(), 1, 0, 'kill', '{}', now()),
                (gen_random_uuid(), 1, 0, 'kill', '{}', now() - interval '3 years');
            perform battle_log_partition('2020-01-15'); end $$";
        sqlx::query(unprepared).execute(&db).await.unwrap();
        assert_eq!(apply_rules(&db, &Settings::default()).await.unwrap(), 1);
        let left = sqlx::query_scalar("select at > now() - interval '1 day' from battle_log");
        let left: Vec<bool> = left.fetch_all(&db).await.unwrap();
        assert_eq!(left, [true], "this month's event is kept, the old one is not");
    }
}
