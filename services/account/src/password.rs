//! Passwords: which are good, how they are changed, and what helps who has forgotten one.

pub mod change;
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
/// [`AccountError::WrongPassword`], [`AccountError::Guest`], [`AccountError::Locked`],
/// [`AccountError::TooMany`], or something is away.
pub async fn ask_again(
    accounts: &Accounts,
    player_id: Uuid,
    password: String,
) -> Result<String, AccountError> {
    let (db, settings) = (&accounts.app.db, &accounts.settings);
    // Right passwords cost a hash, too.
    accounts.limit("ask-again", settings.limits.logins, &player_id.to_string()).await?;
    let guess = Guess::count(db, &Guessed::password_of(player_id), settings.lockout).await?;
    guess.settle(db, look_at(accounts, player_id, password).await).await
}

async fn look_at(
    accounts: &Accounts,
    player_id: Uuid,
    password: String,
) -> Result<String, AccountError> {
    let phc = sqlx::query_scalar!(
        "select password_phc from personal.credential where player_id = $1",
        player_id
    )
    .fetch_optional(&accounts.app.db)
    .await?
    .ok_or(AccountError::Guest)?;
    let is_right = accounts.hasher.verify(password, Some(phc.clone())).await?;
    if is_right { Ok(phc) } else { Err(AccountError::WrongPassword) }
}
