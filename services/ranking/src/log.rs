//! Events of battles: partitions for the months to come, and none older than is kept.

use sqlx::PgPool;

use sortie_control::service::Stop;

use crate::settings::Settings;

/// Keeps the log until the stop is asked for. Nodes do it in turn.
pub(crate) async fn job(db: PgPool, settings: Settings, mut stop: Stop) {
    let mut is_away = false;
    loop {
        match keep_log(&db, settings.log_kept_months).await {
            Ok(0) => is_away = false,
            Ok(dropped) => {
                is_away = false;
                tracing::info!(dropped, "old months of battle events were dropped");
            }
            Err(error) if !is_away => {
                is_away = true;
                tracing::warn!(%error, "the log of battles is not kept in order");
            }
            Err(_) => (),
        }
        if !stop.wait(settings.log_period).await {
            return;
        }
    }
}

/// Makes the partitions of this month and the next, and drops those that are older than
/// `kept_months` before this one; gives the number of dropped ones.
///
/// # Errors
/// The database is away.
pub async fn keep_log(db: &PgPool, kept_months: u32) -> sqlx::Result<u64> {
    let dropped = sqlx::query_scalar!(
        r#"select battle_log_keep($1) as "dropped!""#,
        kept_months.clamp(1, 120).cast_signed()
    )
    .fetch_one(db)
    .await?;
    Ok(u64::from(dropped.unsigned_abs()))
}
