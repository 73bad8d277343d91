//! Reports: players tell staff about a message, or about another player of their battle.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A report of a message.
#[derive(Clone, Copy, Debug)]
pub struct OfMessage<'a> {
    /// Who reports.
    pub reporter: Uuid,
    /// Who wrote the message.
    pub accused: Uuid,
    /// What is bad about it.
    pub text: &'a str,
    /// Which message.
    pub message_id: Uuid,
    /// The battle in whose channels it was said.
    pub battle_id: Option<Uuid>,
}

/// Reports a message. Once each: the constraints `report_once` and `report_other` tell.
///
/// # Errors
/// The database failed, or a constraint refuses.
pub async fn message(db: impl PgExecutor<'_>, report: OfMessage<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into report (report_id, reporter, accused, kind, text, message_id, battle_id)
         values ($1, $2, $3, 'chat', $4, $5, $6)",
        Uuid::now_v7(),
        report.reporter,
        report.accused,
        report.text,
        report.message_id,
        report.battle_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A report of a player in a battle.
#[derive(Clone, Copy, Debug)]
pub struct OfPlayer<'a> {
    /// Who reports.
    pub reporter: Uuid,
    /// Who is reported.
    pub accused: Uuid,
    /// `cheating` or `behaviour`.
    pub kind: &'a str,
    /// What happened.
    pub text: &'a str,
    /// In which battle.
    pub battle_id: Uuid,
    /// When, in the battle's time.
    pub tick: Option<i32>,
}

/// Reports a player; gives the report's id. Once a battle: the constraints `report_once_a_battle`
/// and `report_other` tell.
///
/// # Errors
/// The database failed, or a constraint refuses.
pub async fn player(db: impl PgExecutor<'_>, report: OfPlayer<'_>) -> sqlx::Result<Uuid> {
    let report_id = Uuid::now_v7();
    sqlx::query!(
        "insert into report (report_id, reporter, accused, kind, text, battle_id, tick)
         values ($1, $2, $3, $4, $5, $6, $7)",
        report_id,
        report.reporter,
        report.accused,
        report.kind,
        report.text,
        report.battle_id,
        report.tick
    )
    .execute(db)
    .await?;
    Ok(report_id)
}

/// Decides a report that the caller holds: `upheld` or `dismissed`.
///
/// # Errors
/// The database failed.
pub async fn decide(
    db: &mut PgConnection,
    report_id: Uuid,
    decided: &str,
    decided_by: Uuid,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update report set state = $2, decided_by = $3, decided_at = now() where report_id = $1",
        report_id,
        decided,
        decided_by
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn erase(db: &mut PgConnection, player_id: Uuid, blank: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update report set text = $2 where reporter = $1 or accused = $1",
        player_id,
        blank,
    )
    .execute(db)
    .await?;
    Ok(())
}
