//! The audit log: what staff did, tried and were refused, append-only and hash-chained.
//!
//! The chain is the database's (`migrations/0002_operations.sql`): whoever inserts cannot choose
//! the hash, and a row is neither changed nor removed. An act and its row are one transaction.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::request;

/// One act.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who; `None`: the product itself.
    pub actor: Option<Uuid>,
    /// What was called, like `bans.create`.
    pub action: &'a str,
    /// Whether it came to pass.
    pub outcome: Outcome,
    /// What it was done to, like `player:UUID`; empty: nothing in particular.
    pub target: String,
    /// How that was before.
    pub before: Option<Value>,
    /// How it was after.
    pub after: Option<Value>,
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The actor may not do this.
    Refused,
    /// The input was bad, or something broke.
    Failed,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl<'a> Entry<'a> {
    /// Something that `actor` did to `target`.
    pub fn done(actor: Uuid, action: &'a str, target: String) -> Self {
        let outcome = Outcome::Done;
        Self { actor: Some(actor), action, outcome, target, before: None, after: None }
    }
}

/// Appends an entry; in a transaction, it stands or falls with it.
///
/// # Errors
/// The database is away.
pub async fn append(db: &mut PgConnection, entry: &Entry<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into audit (actor, action, outcome, target, before, after, request_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
        entry.actor,
        entry.action,
        entry.outcome.name(),
        entry.target,
        entry.before,
        entry.after,
        request::id(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The first row that does not fit the chain; `None` when all do.
///
/// # Errors
/// The database is away.
pub async fn first_broken(db: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select audit_first_broken()").fetch_one(db).await
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn a_tampered_row_is_named(db: PgPool) {
        let mut db = db.acquire().await.unwrap();
        for action in ["bans.create", "bans.lift", "flags.set"] {
            let entry = Entry::done(Uuid::from_u128(1), action, "player:2".to_owned());
            append(&mut db, &entry).await.unwrap();
        }
        assert_eq!(first_broken(&mut db).await.unwrap(), None);
        let change = "update audit set target = 'player:3' where seq = 2";
        let refused = sqlx::query(change).execute(&mut *db).await.unwrap_err();
        assert!(refused.to_string().contains("never changed"), "{refused}");
        // Whoever owns the database can switch the trigger off; the chain tells.
        for statement in ["alter table audit disable trigger audit_keep", change] {
            sqlx::query(statement).execute(&mut *db).await.unwrap();
        }
        assert_eq!(first_broken(&mut db).await.unwrap(), Some(2));
        sqlx::query("delete from audit where seq = 2").execute(&mut *db).await.unwrap();
        assert_eq!(first_broken(&mut db).await.unwrap(), Some(3));
    }
}
