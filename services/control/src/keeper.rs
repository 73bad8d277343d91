//! What staff do to somebody's account: they ask for it at one service, and another one keeps
//! accounts. Services do not import each other; the program that runs both hands the one to the
//! other.

use std::fmt::Debug;
use std::pin::Pin;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::vocabulary::LoginEnd;

/// What the functions of a [`Keeper`] give.
pub type Keeping<'a, T> = Pin<Box<dyn Future<Output = sqlx::Result<T>> + Send + 'a>>;

/// Whoever keeps accounts. All of it happens in the caller's transaction, which holds the player's
/// row.
pub trait Keeper: Debug + Send + Sync {
    /// Gives a player a name; the constraint `player_name_taken` refuses another's. Its look is
    /// noted by the caller.
    fn rename<'a>(
        &'a self,
        db: &'a mut PgConnection,
        player_id: Uuid,
        name: &'a str,
    ) -> Keeping<'a, ()>;

    /// Ends all logins of a player; gives which they were.
    fn end_logins<'a>(
        &'a self,
        db: &'a mut PgConnection,
        player_id: Uuid,
        why: LoginEnd,
    ) -> Keeping<'a, Vec<Uuid>>;

    /// Takes a player's authenticator, and forgives wrong codes; false: there is none.
    fn take_totp<'a>(&'a self, db: &'a mut PgConnection, player_id: Uuid) -> Keeping<'a, bool>;
}
