//! What is kept of a player is forgotten by whoever owns the tables that it is in.
//!
//! Accounts erase players, and know no other service; the program that runs all of them hands over
//! the list of [`Eraser`]s. Whoever adds a table in which a player can be named adds its owner's
//! eraser there.

use std::pin::Pin;

use sqlx::PgConnection;
use uuid::Uuid;

/// What stands where a text was.
pub const BLANK: &str = "[erased]";

/// What an [`Eraser`] gives.
pub type Erasing<'a> = Pin<Box<dyn Future<Output = sqlx::Result<()>> + Send + 'a>>;

/// Forgets a player in the tables of one owner, in the caller's transaction, which holds the
/// player's row.
pub type Eraser = for<'a> fn(&'a mut PgConnection, Uuid) -> Erasing<'a>;
