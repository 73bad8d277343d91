//! Guesses at passwords and codes: counted before they are looked at, so that sixty-four at once
//! count as sixty-four; forgiven when one is right.
//!
//! The lock lies on what was guessed at: a login name or mail address as it was typed, whether
//! there is such an account or not, or the player who is logged in. It ends by itself, at most
//! [`Lockout::longest`](crate::settings::Lockout) later; logins that are there go on meanwhile.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use crate::error::AccountError;
use crate::settings::Lockout;
use crate::token::digest_of;

/// One guess, counted as a failure until it is forgiven.
#[derive(Clone, Debug)]
#[must_use]
pub struct Guess(Vec<u8>);

/// What is guessed at when somebody logs in: what was typed.
pub fn key_of_login(login: &str) -> Vec<u8> {
    digest_of(format!("login/{}", login.to_lowercase()).as_bytes())
}

/// What is guessed at when somebody who is logged in must show the password again.
pub fn key_of_player(player_id: Uuid) -> Vec<u8> {
    digest_of(format!("player/{player_id}").as_bytes())
}

impl Guess {
    /// Counts a guess at `key`.
    ///
    /// # Errors
    /// [`AccountError::Locked`], or the database is away.
    pub async fn count(db: &PgPool, key: Vec<u8>, lockout: Lockout) -> Result<Self, AccountError> {
        let failures = sqlx::query_scalar!(
            r#"insert into personal.login_failure as old (guessed, failures, locked_until)
            values ($1, 1, case when $2 <= 1 then now() + make_interval(secs => $3) end)
            on conflict (guessed) do update set failed_at = now(),
                (failures, locked_until) = (
                    select n, case when n >= $2 then now()
                        + make_interval(secs => least($3 * power(2, least(n - $2, 20)), $4)) end
                    from (select case when old.failed_at < now() - make_interval(secs => $5)
                        then 1 else old.failures + 1 end as n) as counted)
            where old.locked_until is null or old.locked_until <= now()
            returning failures"#,
            key,
            i32::try_from(lockout.failures_max).unwrap_or(i32::MAX),
            lockout.first.as_secs_f64(),
            lockout.longest.as_secs_f64(),
            lockout.forget.as_secs_f64(),
        )
        .fetch_optional(db)
        .await?;
        if failures.is_some() {
            return Ok(Self(key));
        }
        metrics::counter!("sortie_account_guesses_locked_total").increment(1);
        let left_s = sqlx::query_scalar!(
            r#"select extract(epoch from locked_until - now())::float8 as "left_s!"
            from personal.login_failure where guessed = $1 and locked_until is not null"#,
            key
        )
        .fetch_optional(db)
        .await?;
        let wait = Duration::from_secs_f64(left_s.unwrap_or_default().ceil().max(1.0));
        Err(AccountError::Locked(wait))
    }

    /// It was right: everything before it is forgiven.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forgive(self, db: &PgPool) -> Result<(), AccountError> {
        sqlx::query!("delete from personal.login_failure where guessed = $1", self.0)
            .execute(db)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKOUT: Lockout = Lockout {
        failures_max: 3,
        first: Duration::from_secs(30),
        longest: Duration::from_secs(45),
        forget: Duration::from_secs(3_600),
    };

    async fn guess(db: &PgPool, key: &str) -> Result<Guess, AccountError> {
        Guess::count(db, key_of_login(key), LOCKOUT).await
    }

    /// As if the guesses had been made so long ago.
    async fn age(db: &PgPool, seconds: i32) {
        sqlx::query(
            "update personal.login_failure set failed_at = failed_at - make_interval(secs => $1),
                locked_until = locked_until - make_interval(secs => $1)",
        )
        .bind(f64::from(seconds))
        .execute(db)
        .await
        .unwrap();
    }

    fn locked_s(outcome: Result<Guess, AccountError>) -> u64 {
        match outcome {
            Err(AccountError::Locked(wait)) => wait.as_secs(),
            other => panic!("not locked: {other:?}"),
        }
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn each_lock_is_longer_up_to_a_bound_and_ends(db: PgPool) {
        for _ in 0..3 {
            drop(guess(&db, "ada").await.unwrap());
        }
        assert_eq!(locked_s(guess(&db, "Ada").await), 30, "whatever the case");
        drop(guess(&db, "bob").await.unwrap());
        age(&db, 31).await;
        drop(guess(&db, "ada").await.unwrap());
        assert_eq!(locked_s(guess(&db, "ada").await), 45, "twice thirty is over the bound");
        age(&db, 3_601).await;
        for _ in 0..3 {
            drop(guess(&db, "ada").await.unwrap());
        }
        assert_eq!(locked_s(guess(&db, "ada").await), 30, "an hour later all is forgotten");
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_right_guess_forgives_those_before(db: PgPool) {
        for _ in 0..10 {
            drop(guess(&db, "ada").await.unwrap());
            guess(&db, "ada").await.unwrap().forgive(&db).await.unwrap();
        }
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn guesses_at_once_are_all_counted(db: PgPool) {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let db = db.clone();
            tasks.spawn(async move { guess(&db, "ada").await.is_ok() });
        }
        let passed = tasks.join_all().await.into_iter().filter(|passed| *passed).count();
        assert_eq!(passed, 3);
    }
}
