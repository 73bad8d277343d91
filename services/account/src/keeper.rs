//! What staff do to an account, for the service of the staff.

use sortie_control::keeper::{self, Keeping};
use sortie_control::vocabulary::LoginEnd;
use sqlx::PgConnection;
use uuid::Uuid;

/// Keeps accounts.
#[derive(Clone, Copy, Debug)]
pub struct AccountKeeper;

impl keeper::Keeper for AccountKeeper {
    fn rename<'a>(
        &'a self,
        db: &'a mut PgConnection,
        player_id: Uuid,
        name: &'a str,
    ) -> Keeping<'a, ()> {
        Box::pin(async move {
            sqlx::query!("update player set name = $2 where player_id = $1", player_id, name)
                .execute(db)
                .await?;
            Ok(())
        })
    }

    fn end_logins<'a>(
        &'a self,
        db: &'a mut PgConnection,
        player_id: Uuid,
        why: LoginEnd,
    ) -> Keeping<'a, Vec<Uuid>> {
        Box::pin(async move {
            sqlx::query_scalar!(
                "update personal.login_session set revoked_at = now(), revoked_why = $2
         where player_id = $1 and revoked_at is null returning session_id",
                player_id,
                why.name()
            )
            .fetch_all(db)
            .await
        })
    }

    fn take_totp<'a>(&'a self, db: &'a mut PgConnection, player_id: Uuid) -> Keeping<'a, bool> {
        Box::pin(async move {
            let taken = sqlx::query!(
                "update personal.credential
         set totp_secret = null, totp_confirmed_at = null, totp_step = null
         where player_id = $1 and totp_confirmed_at is not null",
                player_id
            )
            .execute(&mut *db)
            .await?;
            if taken.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query!(
                "delete from personal.login_failure where guessed = personal.guess_key('code', $1)",
                player_id.to_string()
            )
            .execute(db)
            .await?;
            Ok(true)
        })
    }
}
