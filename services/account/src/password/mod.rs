//! Passwords: which are good, how they are changed, and what helps who has forgotten one.

pub mod change;
pub mod mails;
pub mod policy;
pub mod reset;

use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::error::AccountError;
use crate::guess::{Guess, Guessed};
use crate::state::Accounts;

/// The routes of passwords.
pub fn router() -> OpenApiRouter<Accounts> {
    change::router().merge(reset::router())
}

/// Asks somebody who is logged in for the password again. Gives its hash.
///
/// # Errors
/// [`AccountError::WrongPassword`], [`AccountError::Guest`], [`AccountError::Locked`], or
/// something is away.
pub async fn ask_again(
    accounts: &Accounts,
    player_id: Uuid,
    password: String,
) -> Result<String, AccountError> {
    let db = &accounts.plane.db;
    let guessed = Guessed::password_of(player_id);
    let guess = Guess::count(db, &guessed, accounts.settings.lockout).await?;
    let phc = sqlx::query_scalar!(
        "select password_phc from personal.credential where player_id = $1",
        player_id
    )
    .fetch_optional(db)
    .await?
    .ok_or(AccountError::Guest)?;
    if !accounts.hasher.verify(password, Some(phc.clone())).await? {
        return Err(AccountError::WrongPassword);
    }
    guess.forgive(db).await?;
    Ok(phc)
}
