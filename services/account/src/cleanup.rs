//! The job that forgets what is over: logins, tokens, failures, idempotency keys.
//!
//! A little at a time, rows that somebody holds are left for the next round; several nodes may do
//! it at once.

use std::time::Duration;

use sortie_control::clock::Clock;
use sortie_control::idempotency;
use sortie_control::rounds::{Round, Rounds};
use sortie_control::service::Stop;
use sqlx::PgPool;

const ROWS_MAX: i64 = 2_000;

/// Cleans up every `period` until the stop is asked for.
pub async fn run(db: PgPool, clock: Clock, period: Duration, stop: Stop) {
    let failing = "cleaning up waits for the database";
    let mut rounds = Rounds::new("account cleanup", period, failing, stop);
    while rounds.next().await {
        let cleaned = match clock.lets_remove(&db).await {
            Ok(true) => round(&db).await.map(Some),
            lets => lets.map(|_| None),
        };
        metrics::counter!("sortie_account_cleaned_rows_total")
            .increment(cleaned.as_ref().map_or(0, |removed| removed.unwrap_or_default()));
        rounds.ended(cleaned.map(|removed| match removed {
            None => Round::NotYet,
            Some(removed) if removed >= ROWS_MAX.unsigned_abs() => Round::More,
            Some(_) => Round::Done,
        }));
    }
}

/// One round; gives how many rows it removed.
///
/// # Errors
/// The database is away.
pub async fn round(db: &PgPool) -> sqlx::Result<u64> {
    // Ended logins stay for a week: who asks why finds an answer. Their tokens go with them.
    let sessions = sqlx::query!(
        "delete from personal.login_session where session_id in (
            select session_id from personal.login_session
            where expires_at < now() - interval '7 days'
                or revoked_at < now() - interval '7 days'
            limit $1 for update skip locked)",
        ROWS_MAX
    );
    // A copy of a used token is noticed without its row, too, for it names its login; the row says
    // whether it may be tried once more.
    let refresh_tokens = sqlx::query!(
        "delete from personal.refresh_token where token_hash in (
            select token_hash from personal.refresh_token
            where used_at < now() - interval '2 days' limit $1 for update skip locked)",
        ROWS_MAX
    );
    let reset_tokens = sqlx::query!(
        "delete from personal.reset_token where token_hash in (
            select token_hash from personal.reset_token
            where expires_at < now() limit $1 for update skip locked)",
        ROWS_MAX
    );
    let failures = sqlx::query!(
        "delete from personal.login_failure where guessed in (
            select guessed from personal.login_failure
            where failed_at < now() - interval '1 day'
                and (locked_until is null or locked_until < now())
            limit $1 for update skip locked)",
        ROWS_MAX
    );
    let mut removed = 0;
    for query in [sessions, refresh_tokens, reset_tokens, failures] {
        removed += query.execute(db).await?.rows_affected();
    }
    Ok(removed + idempotency::forget_old(db).await?)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn what_is_over_is_forgotten_and_nothing_else(db: PgPool) {
        let player = sortie_testing::player(&db, "Ada").await;
        for (days, hash) in [(-8, "01"), (1, "02")] {
            let session = uuid::Uuid::now_v7();
            for statement in [
                "insert into personal.login_session (session_id, player_id, expires_at)
                    values ($1, $2, now() + make_interval(days => $3))",
                "insert into personal.refresh_token (token_hash, session_id, used_at)
                    select decode(repeat($4, 32), 'hex'), $1, now() + make_interval(days => $3)
                    where $2 is not null",
                "insert into personal.reset_token (token_hash, player_id, expires_at)
                    select decode(repeat($4, 32), 'hex'), $2, now() + make_interval(days => $3)
                    where $1 is not null",
                "insert into personal.login_failure (guessed, failures, failed_at)
                    select decode(repeat($4, 32), 'hex'), 1, now() + make_interval(days => $3)
                    where $1 is not null and $2 is not null",
                "insert into idempotency_key (player_id, key, request_hash, created_at)
                    select $2, $4, '', now() + make_interval(days => $3) where $1 is not null",
            ] {
                let query = sqlx::query(statement).bind(session).bind(player).bind(days);
                query.bind(hash).execute(&db).await.unwrap();
            }
        }
        // The first login takes its token with it.
        assert_eq!(round(&db).await.unwrap(), 4);
        assert_eq!(round(&db).await.unwrap(), 0);
        let (mut stopper, stop) = sortie_control::service::stop();
        let job = tokio::spawn(run(db.clone(), Clock::default(), Duration::from_secs(3_600), stop));
        stopper.stop();
        job.await.unwrap();
        let _ = &mut stopper;
    }
}
