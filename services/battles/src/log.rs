//! The battle log: what happened in battles, in partitions by month.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Events of a battle, a column each.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// When, in the battle's time.
    pub ticks: Vec<i32>,
    /// Order among the events of a tick.
    pub places: Vec<i32>,
    /// Kind of each event.
    pub kinds: Vec<String>,
    /// With what, JSON.
    pub bodies: Vec<String>,
    /// Time of day of each.
    pub times: Vec<OffsetDateTime>,
}

/// Writes events; those that are there stay.
///
/// # Errors
/// The database failed.
pub async fn write(db: &mut PgConnection, battle_id: Uuid, events: &Events) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into battle_log (battle_id, tick, place, kind, body, at)
        select $1, tick, place, kind, body::jsonb, at
        from unnest($2::int4[], $3::int4[], $4::text[], $5::text[], $6::timestamptz[])
            as event (tick, place, kind, body, at)
        on conflict do nothing",
        battle_id,
        &events.ticks,
        &events.places,
        &events.kinds,
        &events.bodies,
        &events.times,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes the partitions of this month and the next one, if they are not there.
///
/// # Errors
/// The database failed.
pub async fn prepare(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"select battle_log_partition((current_date + make_interval(months => m))::date)::text
           from generate_series(0, 1) as m"#
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// Drops the partitions of months that ended so long ago; gives how many.
///
/// # Errors
/// The database failed.
pub async fn expire(db: &mut PgConnection, age_s: f64) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        r#"select battle_log_expire(now() - make_interval(secs => $1)) as "dropped!""#,
        age_s
    )
    .fetch_one(db)
    .await
}
