//! The audit log: what staff did, tried and were refused, append-only and hash-chained.
//!
//! The chain is the database's (`migrations/0002_operations.sql`): whoever inserts cannot choose
//! the hash, and a row is neither changed nor removed. An act and its row are one transaction.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;
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
    pub outcome: AuditOutcome,
    /// What it was done to, like `player:UUID`; empty: nothing in particular.
    pub target: String,
    /// How that was before.
    pub before: Option<Value>,
    /// How it was after.
    pub after: Option<Value>,
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// The actor may not do this.
    Refused,
    /// The input was bad, or something broke.
    Failed,
}

impl AuditOutcome {
    /// As the log and answers name it.
    pub fn name(self) -> &'static str {
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
        let outcome = AuditOutcome::Done;
        Self { actor: Some(actor), action, outcome, target, before: None, after: None }
    }
}

/// What an entry keeps of a text that somebody wrote or may be named in: enough to tell two apart,
/// and to see whether a text that somebody brings is this one. An append-only log must not keep
/// the text itself, because erasure could not take it away.
pub fn digest(text: &str) -> Value {
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let short = HEXLOWER.encode(&hash.as_ref()[..4]);
    json!({ "chars": text.chars().count(), "sha256": short })
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

/// Rows that a statement verifies: a second or so.
const RANGE: i32 = 20_000;

/// The first row that does not fit the chain, or is missing at its end; `None` when all is well.
/// It is looked for in ranges: a log of years takes longer than a statement may.
///
/// # Errors
/// The database is away.
pub async fn first_broken(db: &PgPool) -> sqlx::Result<Option<i64>> {
    first_broken_in(db, RANGE).await
}

async fn first_broken_in(db: &PgPool, range: i32) -> sqlx::Result<Option<i64>> {
    let mut after = 0;
    loop {
        let verified = sqlx::query!("select last, broken from audit_verify($1, $2)", after, range)
            .fetch_one(db)
            .await?;
        match verified.last {
            Some(last) if verified.broken.is_none() => after = last,
            Some(_) => return Ok(verified.broken),
            // Whoever removes the newest rows leaves a chain that fits, with another end.
            None => return sqlx::query_scalar!("select audit_end_broken()").fetch_one(db).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same whatever the ranges: a row at the edge of one has its neighbour in another.
    async fn first_broken(db: &PgPool) -> Option<i64> {
        let found = super::first_broken(db).await.unwrap();
        for range in 1..=7 {
            assert_eq!(first_broken_in(db, range).await.unwrap(), found, "ranges of {range}");
        }
        found
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn a_tampered_row_is_named(db: PgPool) {
        let mut own = db.acquire().await.unwrap();
        assert_eq!(first_broken(&db).await, None);
        for action in ["bans.create", "bans.lift", "flags.set", "flags.set", "bans.lift"] {
            let entry = Entry::done(Uuid::from_u128(1), action, "player:2".to_owned());
            append(&mut own, &entry).await.unwrap();
        }
        assert_eq!(first_broken(&db).await, None);
        let change = "update audit set target = 'player:3' where seq = 3";
        let refused = sqlx::query(change).execute(&mut *own).await.unwrap_err();
        assert!(refused.to_string().contains("never changed"), "{refused}");
        // Whoever owns the database can switch the trigger off; the chain tells.
        for statement in ["alter table audit disable trigger audit_keep", change] {
            sqlx::query(statement).execute(&mut *own).await.unwrap();
        }
        assert_eq!(first_broken(&db).await, Some(3));
        for (remove, broken) in [
            ("delete from audit where seq = 3", 4),
            ("delete from audit where seq <= 3", 4),
            ("delete from audit where seq <= 4", 5),
        ] {
            sqlx::query(remove).execute(&mut *own).await.unwrap();
            assert_eq!(first_broken(&db).await, Some(broken), "{remove}");
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn rows_that_are_missing_at_the_end_are_missed(db: PgPool) {
        let mut own = db.acquire().await.unwrap();
        for nth in 0..5 {
            let entry = Entry::done(Uuid::from_u128(1), "flags.set", format!("flag:{nth}"));
            append(&mut own, &entry).await.unwrap();
        }
        for change in [
            "update audit_head set seq = 3",
            "update audit_head set hash = ''",
            // One step, as a row takes it: to a hash of one's own, to the old one, and on.
            "update audit_head set seq = seq + 1, hash = sha256('mine')",
            "update audit_head set seq = seq + 1",
            "update audit_head set seq = seq + 1, hash = (select hash from audit where seq = 4)",
            "delete from audit_head",
            "truncate audit_head",
        ] {
            let refused = sqlx::query(change).execute(&mut *own).await.unwrap_err();
            assert!(refused.to_string().contains("only moves on"), "{change}: {refused}");
        }
        assert_eq!(first_broken(&db).await, None);
        for (change, broken) in [
            ("alter table audit disable trigger audit_keep", None),
            ("delete from audit where seq > 3", Some(4)),
            ("delete from audit", Some(1)),
            // Without the end, nothing is known of it.
            ("alter table audit_head disable trigger audit_head_keep", Some(1)),
            ("delete from audit_head", Some(1)),
        ] {
            sqlx::query(change).execute(&mut *own).await.unwrap();
            assert_eq!(first_broken(&db).await, broken, "{change}");
        }
    }
}
