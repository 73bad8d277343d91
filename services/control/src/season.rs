//! Opening a season: staff ask for it at one service, and another one knows how ratings begin in
//! it. Services do not import each other; the program that runs both hands the one to the other.

use std::fmt::Debug;
use std::pin::Pin;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::ApiResult;

/// A season that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The new one's.
    pub season_id: i32,
    /// Unique.
    pub name: String,
    /// When it was opened.
    pub starts_at: OffsetDateTime,
    /// The one that was closed for it.
    pub closed: i32,
}

/// What [`Seasons::open`] gives.
pub type Opening<'a> = Pin<Box<dyn Future<Output = ApiResult<Opened>> + Send + 'a>>;

/// Whoever can open seasons.
pub trait Seasons: Debug + Send + Sync {
    /// Closes the open season and opens the next, in the caller's transaction.
    fn open<'a>(&'a self, db: &'a mut PgConnection, name: &'a str) -> Opening<'a>;

    /// What is left to do once that transaction is committed.
    fn opened<'a>(&'a self, opened: &'a Opened) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}
