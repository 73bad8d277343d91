//! Seasons: one is open at a time, and results count in it.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

/// A span in which ratings count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Season {
    /// Rises with time.
    pub season_id: i32,
    /// Unique.
    pub name: String,
    /// When it was opened.
    pub starts_at: OffsetDateTime,
    /// `None`: it is open.
    pub ends_at: Option<OffsetDateTime>,
}

/// The open season, which stays open until the transaction ends.
pub(crate) async fn hold_open(db: &mut PgConnection) -> sqlx::Result<i32> {
    // A lock of the table, not of the row: whoever waited for the row would find it closed, and
    // not see the next one.
    sqlx::query("lock table season in row share mode").execute(&mut *db).await?;
    open_id(db).await
}

/// The open season, at the moment.
pub(crate) async fn open_id(db: impl PgExecutor<'_>) -> sqlx::Result<i32> {
    sqlx::query_scalar!("select season_id from season where ends_at is null").fetch_one(db).await
}
