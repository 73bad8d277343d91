//! The job that forgets guests who cannot come back: a guest has nothing but its refresh token, and
//! when the last login of one is gone, so is the guest.
//!
//! Such a guest is erased like anybody who asks for it; the row goes, too, when no battle and
//! nothing else refers to it.

use std::time::Duration;

use sortie_control::rounds::{Round, Rounds};
use sortie_control::service::Stop;
use uuid::Uuid;

use crate::erasure::erased;
use crate::error::AccountError;
use crate::state::Accounts;

const EVERY: Duration = Duration::from_secs(3_600);

/// Guests of one round.
const ROUND: i64 = 100;

/// A new guest may not have a login yet that others see.
const AGE_DAYS: i32 = 30;

/// Forgets guests until the stop.
pub async fn run(accounts: Accounts, stop: Stop) {
    let mut rounds = Rounds::new("account guests", EVERY, "guests are forgotten later", stop);
    while rounds.next().await {
        rounds.ended(match accounts.app.clock.lets_remove(&accounts.app.db).await {
            Ok(true) => round(&accounts).await.map(|forgotten| match forgotten as i64 {
                ROUND => Round::More,
                _ => Round::Done,
            }),
            lets => lets.map(|_| Round::NotYet).map_err(AccountError::from),
        });
    }
}

/// One round; says how many guests it erased.
///
/// # Errors
/// Something is away; who was erased stays so.
pub async fn round(accounts: &Accounts) -> Result<u64, AccountError> {
    let gone = sqlx::query_scalar!(
        "select player_id from player
         where is_guest and erased_at is null
             and created_at < now() - make_interval(days => $1)
             and not exists (select from personal.login_session s
                 where s.player_id = player.player_id)
         order by created_at limit $2",
        AGE_DAYS,
        ROUND
    )
    .fetch_all(&accounts.app.db)
    .await?;
    let mut forgotten = 0;
    for player_id in gone {
        match erased(accounts, player_id).await {
            Ok(()) => forgotten += 1,
            // Another node was first.
            Err(AccountError::UnknownPlayer) => {}
            Err(error) => return Err(error),
        }
        remove_row(accounts, player_id).await?;
    }
    metrics::counter!("sortie_account_guests_forgotten_total").increment(forgotten);
    Ok(forgotten)
}

/// Removes an erased guest's row, unless something refers to it: others fought with this one.
async fn remove_row(accounts: &Accounts, player_id: Uuid) -> Result<(), AccountError> {
    let removed = sqlx::query!(
        "delete from player where player_id = $1 and is_guest and erased_at is not null",
        player_id
    )
    .execute(&accounts.app.db)
    .await;
    match removed {
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
