//! Results that do not fit what is known of their battles: kept for a person to look at.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Keeps a result: what does not fit, and the result as it was read.
///
/// # Errors
/// The database failed.
pub async fn keep(
    db: &mut PgConnection,
    battle_id: Uuid,
    server_id: Uuid,
    misfits: &[String],
    result: &Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into result_review (battle_id, server_id, misfits, result)
        values ($1, $2, $3, $4)",
        battle_id,
        server_id,
        misfits,
        result
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes what came so long ago.
///
/// # Errors
/// The database failed.
pub async fn expire(db: &mut PgConnection, age_s: f64) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from result_review where received_at < now() - make_interval(secs => $1)",
        age_s
    )
    .execute(db)
    .await?;
    Ok(())
}
