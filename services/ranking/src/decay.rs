//! Idleness: who has not fought for long is known less well.
//!
//! `rating.decays_at` says when the uncertainty next grows; a ranked battle puts it off. The mean
//! stays, so that the ledger of means has no gap; the uncertainty before a battle may be wider
//! than it was after the one before.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;

use crate::rating::Skill;
use crate::settings::Settings;

const AT_ONCE: i64 = 1_000;

/// Looks for idle ratings until the stop is asked for. Nodes share the work.
pub(crate) async fn job(db: PgPool, settings: Settings, stop: Stop) {
    let (period, failing) = (settings.decay_period, "idle ratings are not looked for");
    let mut rounds = Rounds::new("rating-decay", period, failing, stop).later();
    while rounds.next().await {
        let decayed = decay(&db).await;
        if let Ok(ratings @ 1..) = decayed {
            tracing::info!(ratings, "idle ratings became less certain");
        }
        rounds.ended(decayed.map(drop));
    }
}

/// Widens the uncertainty of everybody whose time has come, by the days that have passed; gives
/// the number of ratings.
///
/// # Errors
/// The database is away; what was done before stays.
pub async fn decay(db: &PgPool) -> sqlx::Result<u64> {
    let mut all = 0;
    loop {
        let ratings = decay_some(db).await?;
        all += ratings as u64;
        if (ratings as i64) < AT_ONCE {
            return Ok(all);
        }
    }
}

async fn decay_some(db: &PgPool) -> sqlx::Result<usize> {
    let mut tx = db.begin().await?;
    // Skipped are those whom another node has, or a result: that one puts the decay off.
    let rows = sqlx::query!(
        r#"select player_id, season_id, mode, rating, uncertainty, decays_at as "decays_at!",
            now() as "now!"
        from rating
        where decays_at <= now()
            and season_id = (select season_id from season where ends_at is null)
        order by decays_at limit $1 for update of rating skip locked"#,
        AT_ONCE
    )
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut skills: Vec<Skill> = Vec::with_capacity(rows.len());
    let mut next: Vec<Option<OffsetDateTime>> = Vec::with_capacity(rows.len());
    for row in &rows {
        let days = (row.now - row.decays_at).whole_days().max(0) + 1;
        let skill = Skill { rating: row.rating, uncertainty: row.uncertainty };
        let skill = skill.after_idle_days(u32::try_from(days).unwrap_or(u32::MAX));
        next.push((!skill.is_widest()).then(|| row.decays_at + time::Duration::days(days)));
        skills.push(skill);
    }
    sqlx::query!(
        "update rating set uncertainty = wider.uncertainty, shown = wider.shown,
            decays_at = wider.decays_at, changed_at = clock_timestamp()
        from unnest($1::uuid[], $2::int4[], $3::text[], $4::float8[], $5::int4[],
            $6::timestamptz[]) as wider (player_id, season_id, mode, uncertainty, shown, decays_at)
        where (rating.player_id, rating.season_id, rating.mode)
            = (wider.player_id, wider.season_id, wider.mode)",
        &rows.iter().map(|row| row.player_id).collect::<Vec<Uuid>>(),
        &rows.iter().map(|row| row.season_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.mode.clone()).collect::<Vec<_>>(),
        &skills.iter().map(|skill| skill.uncertainty).collect::<Vec<_>>(),
        &skills.iter().map(|skill| skill.shown()).collect::<Vec<_>>(),
        &next as &[Option<OffsetDateTime>],
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows.len())
}
