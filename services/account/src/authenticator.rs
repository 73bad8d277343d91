//! The codes of authenticators: which are right, and that each is good once.

use sqlx::PgPool;
use totp_rs::{Builder, Secret, Totp};
use uuid::Uuid;

use crate::error::AccountError;
use crate::guess::{Guess, Guessed};
use crate::state::Accounts;

const CODE_BYTES_MAX: usize = 10;

/// Uses a code up: it, and those before it, are worth nothing any more. Wrong ones are counted,
/// under a count that nothing but a right one forgives.
///
/// # Errors
/// [`AccountError::WrongCode`], [`AccountError::Locked`], or the database is away.
pub(crate) async fn use_code(
    accounts: &Accounts,
    player_id: Uuid,
    secret: &str,
    code: &str,
) -> Result<(), AccountError> {
    let (db, lockout) = (&accounts.app.db, accounts.settings.lockout);
    let guess = Guess::count(db, &Guessed::code_of(player_id), lockout).await?;
    let now_s = accounts.app.clock.estimate().unix_timestamp();
    guess.settle(db, check_code(db, player_id, secret, code, now_s).await).await
}

async fn check_code(
    db: &PgPool,
    player_id: Uuid,
    secret: &str,
    code: &str,
    now_s: i64,
) -> Result<(), AccountError> {
    let now_s = u64::try_from(now_s).unwrap_or_default();
    let step = Some(code)
        .filter(|code| code.len() <= CODE_BYTES_MAX)
        .and_then(|code| totp_of(secret, "", "")?.check(code, now_s))
        .and_then(|step| i64::try_from(step).ok())
        .ok_or(AccountError::WrongCode)?;
    let used = sqlx::query!(
        "update personal.credential set totp_step = $3
        where player_id = $1 and totp_secret = $2 and (totp_step is null or totp_step < $3)",
        player_id,
        secret,
        step,
    )
    .execute(db)
    .await?;
    if used.rows_affected() == 1 { Ok(()) } else { Err(AccountError::WrongCode) }
}

/// Six digits, thirty seconds, one step of leeway. `None`: no secret of ours, or names that cannot
/// stand in the URL.
pub(crate) fn totp_of(secret: &str, issuer: &str, name: &str) -> Option<Totp> {
    let issuer = Some(issuer).filter(|issuer| !issuer.is_empty());
    Builder::new()
        .with_secret(Secret::try_from_base32(secret).ok()?)
        .with_issuer(issuer)
        .with_account_name(name)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_what_authenticators_read() {
        let secret = Secret::from(*b"12345678901234567890").to_base32();
        let totp = totp_of(&secret, "Sortie", "Ada Lovelace").unwrap();
        let url = totp.to_url().unwrap();
        assert!(url.starts_with("otpauth://totp/Sortie:Ada%20Lovelace?secret="), "{url}");
        // The sample of RFC 6238, appendix B, in six digits.
        assert_eq!(totp.check("287082", 59), Some(1));
    }
}
