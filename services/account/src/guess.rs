//! Guesses at passwords and codes: counted before they are looked at, so that sixty-four at once
//! count as sixty-four; forgiven when one is right, and taken back when nobody could look at it.
//!
//! The lock lies on what was guessed at: a login name or mail address as it was typed, whether
//! there is such an account or not, or the player who is logged in. It ends by itself, at most
//! [`Lockout::longest`](crate::settings::Lockout) later; logins that are there go on meanwhile.
//!
//! Which spellings of a name are the same the database says, in the counting statement: it finds
//! the account by the same rule, and a spelling with a count of its own would be free guesses.

use std::time::Duration;

use sqlx::PgPool;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::error::AccountError;
use crate::settings::Lockout;
use crate::state::has_control_characters;

/// What is guessed at.
#[derive(Clone, Debug)]
pub struct Guessed {
    kind: &'static str,
    whom: String,
}

impl Guessed {
    /// Whose login: what was typed, composed as names are. Each spelling would be a count of its
    /// own otherwise.
    pub fn login(typed: &str) -> Self {
        // Nobody is called so, and Postgres cannot read it: all of them are one.
        let whom = if has_control_characters(typed) { "" } else { typed };
        Self { kind: "login", whom: whom.nfkc().collect() }
    }

    /// The password of somebody who is logged in, and must show it again.
    pub fn password_of(player_id: Uuid) -> Self {
        Self { kind: "player", whom: player_id.to_string() }
    }

    /// The code of a player's authenticator, wherever it is asked for. Apart from the password: who
    /// knows that one must not be forgiven the codes for it.
    pub fn code_of(player_id: Uuid) -> Self {
        Self { kind: "code", whom: player_id.to_string() }
    }

    /// What guesses are counted under.
    ///
    /// # Errors
    /// The database is away.
    pub async fn key(&self, db: &PgPool) -> Result<Vec<u8>, AccountError> {
        let key = sqlx::query_scalar!(
            r#"select personal.guess_key($1, $2) as "key!""#,
            self.kind,
            self.whom
        );
        Ok(key.fetch_one(db).await?)
    }
}

/// One guess, counted as a failure until it is settled. Dropped, because its caller hung up, it
/// stays one: otherwise hanging up would be a way to guess.
#[derive(Clone, Debug)]
#[must_use]
pub struct Guess {
    key: Vec<u8>,
    /// It was the so-many-th.
    failures: i32,
    failures_max: i32,
}

impl Guess {
    /// Counts a guess.
    ///
    /// # Errors
    /// [`AccountError::Locked`], or the database is away.
    pub async fn count(
        db: &PgPool,
        guessed: &Guessed,
        lockout: Lockout,
    ) -> Result<Self, AccountError> {
        let failures_max = i32::try_from(lockout.failures_max).unwrap_or(i32::MAX);
        let counted = sqlx::query!(
            r#"insert into personal.login_failure as old (guessed, failures, locked_until)
            values (personal.guess_key($5, $6), 1,
                case when $1 <= 1 then now() + make_interval(secs => $2) end)
            on conflict (guessed) do update set failed_at = now(),
                (failures, locked_until) = (
                    select n, case when n >= $1 then now()
                        + make_interval(secs => least($2 * power(2, least(n - $1, 20)), $3)) end
                    from (select case when old.failed_at < now() - make_interval(secs => $4)
                        then 1 else old.failures + 1 end as n) as counted)
            where old.locked_until is null or old.locked_until <= now()
            returning guessed, failures"#,
            failures_max,
            lockout.first.as_secs_f64(),
            lockout.longest.as_secs_f64(),
            lockout.forget.as_secs_f64(),
            guessed.kind,
            guessed.whom,
        )
        .fetch_optional(db)
        .await?;
        if let Some(counted) = counted {
            return Ok(Self { key: counted.guessed, failures: counted.failures, failures_max });
        }
        metrics::counter!("sortie_account_guesses_locked_total").increment(1);
        let left_s = sqlx::query_scalar!(
            r#"select extract(epoch from locked_until - now())::float8 as "left_s!"
            from personal.login_failure
            where guessed = personal.guess_key($1, $2) and locked_until is not null"#,
            guessed.kind,
            guessed.whom,
        )
        .fetch_optional(db)
        .await?;
        let wait = Duration::from_secs_f64(left_s.unwrap_or_default().ceil().max(1.0));
        Err(AccountError::Locked(wait))
    }

    /// What came of it: a right guess is forgiven, with all before it, and a wrong one stays. One
    /// that could not be looked at, because too much is going on or something is away, never was.
    ///
    /// # Errors
    /// That of the outcome, or the database is away.
    pub async fn settle<T>(
        self,
        db: &PgPool,
        outcome: Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        use AccountError as E;
        match &outcome {
            Ok(_) => self.forgive(db).await?,
            Err(E::WrongLogin | E::WrongPassword | E::WrongCode) => {}
            Err(_) => {
                if let Err(error) = self.take_back(db).await {
                    tracing::warn!(%error, "a guess that nobody looked at stays counted");
                }
            }
        }
        outcome
    }

    async fn forgive(self, db: &PgPool) -> sqlx::Result<()> {
        sqlx::query!("delete from personal.login_failure where guessed = $1", self.key)
            .execute(db)
            .await?;
        Ok(())
    }

    /// With it goes the lock that it brought: if it was the last one, or too few are left.
    async fn take_back(self, db: &PgPool) -> sqlx::Result<()> {
        sqlx::query!(
            "update personal.login_failure set failures = greatest(failures - 1, 0),
                locked_until = case when failures > $3 and failures <> $2 then locked_until end
            where guessed = $1",
            self.key,
            self.failures,
            self.failures_max,
        )
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

    async fn guess(db: &PgPool, login: &str) -> Result<Guess, AccountError> {
        Guess::count(db, &Guessed::login(login), LOCKOUT).await
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
            guess(&db, "ada").await.unwrap().settle(&db, Ok(())).await.unwrap();
        }
    }

    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn a_guess_that_nobody_could_look_at_never_was(db: PgPool) {
        let busy = async |guess: Guess| {
            let outcome = guess.settle::<()>(&db, Err(AccountError::Busy)).await;
            assert!(matches!(outcome, Err(AccountError::Busy)));
        };
        drop(guess(&db, "ada").await.unwrap());
        for _ in 0..5 {
            // The last of three, each time: it takes its lock with it.
            let (second, third) = (guess(&db, "ada").await.unwrap(), guess(&db, "ada").await);
            assert_eq!(locked_s(guess(&db, "ada").await), 30);
            busy(third.unwrap()).await;
            busy(second).await;
        }
        let wrong = guess(&db, "ada").await.unwrap();
        let outcome = wrong.settle::<()>(&db, Err(AccountError::WrongLogin)).await;
        assert!(matches!(outcome, Err(AccountError::WrongLogin)));
        drop(guess(&db, "ada").await.unwrap());
        assert_eq!(locked_s(guess(&db, "ada").await), 30, "wrong ones stay");
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
    #[sqlx::test(migrator = "sortie_control::store::MIGRATOR")]
    async fn spellings_that_find_the_same_account_have_one_count(db: PgPool) {
        let lower = "select lower($1)";
        for (name, typed) in [("nick", "n\u{130}ck"), ("nick", "NICK"), ("kim", "\u{212a}im")] {
            let found = sqlx::query_scalar::<_, String>(lower).bind(typed).fetch_one(&db).await;
            let is_found = found.unwrap() == name;
            let key = async |login| Guessed::login(login).key(&db).await.unwrap();
            assert_eq!(key(typed).await == key(name).await, is_found, "{typed}");
        }
        for login in ["nick", "NICK", "nIcK"] {
            drop(guess(&db, login).await.unwrap());
        }
        assert_eq!(locked_s(guess(&db, "Nick").await), 30);
        for login in ["a\u{0}b", "\u{7}"] {
            drop(guess(&db, login).await.unwrap());
        }
    }
}
