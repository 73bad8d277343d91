//! Ratings on their way from one season into the next, where each begins halfway back to the
//! default and less certain.
//!
//! - A season is open before its ratings are there. While its row stands in `season_carrying`, a
//!   player without a rating in it may have one in the season before.
//! - The job carries ratings in the order of players, a batch a transaction. The row says how far
//!   it is: after a crash, any node goes on from there.
//! - A result does not wait for the job: it carries what its players have in its own transaction.
//!   Whoever comes second changes nothing.
//! - Seasons that were opened one soon after the other are carried in their order.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use sortie_control::rounds::Rounds;
use sortie_control::service::Stop;

use crate::rating::Skill;

/// How often a node looks whether a season was opened.
const PERIOD: Duration = Duration::from_secs(5);

/// Ratings that one transaction carries. A result or a login of one of these players may have to
/// wait for it.
const AT_ONCE: i64 = 1_000;

/// Carries ratings until the stop is asked for. Nodes share the work.
pub(crate) async fn job(db: PgPool, stop: Stop) {
    let failing = "ratings are not carried into the open season";
    let mut rounds = Rounds::new("season-carrying", PERIOD, failing, stop.clone());
    while rounds.next().await {
        let carried = carry_until(&db, || stop.is_asked()).await;
        if let Ok(ratings @ 1..) = carried {
            tracing::info!(ratings, "ratings were carried into the open season");
        }
        rounds.ended(carried.map(drop));
    }
}

/// Notes that ratings are to be carried between two seasons.
pub(crate) async fn begin(db: &mut PgConnection, from: i32, to: i32) -> sqlx::Result<()> {
    sqlx::query!("insert into season_carrying (season_id, from_season) values ($1, $2)", to, from)
        .execute(db)
        .await?;
    Ok(())
}

/// Carries all ratings that are still to be carried; gives the number of ratings looked at. Leaves
/// them to another node that is at it.
///
/// # Errors
/// The database is away; what was done before stays.
pub async fn carry_over(db: &PgPool) -> sqlx::Result<u64> {
    carry_until(db, || false).await
}

/// As [`carry_over`], a batch after the other until `is_over`.
async fn carry_until(db: &PgPool, is_over: impl Fn() -> bool) -> sqlx::Result<u64> {
    let mut all = 0;
    while !is_over()
        && let Some(ratings) = carry_some(db).await?
    {
        all += ratings as u64;
    }
    Ok(all)
}

/// Carries a batch; `None`: there is nothing to do, or another node does it.
async fn carry_some(db: &PgPool) -> sqlx::Result<Option<usize>> {
    let mut tx = db.begin().await?;
    // Before any rating, as results do: otherwise a season that is being opened stands between.
    sqlx::query("lock table season in row share mode").execute(&mut *tx).await?;
    // Never a later season: its ratings come out of the first.
    let carrying = sqlx::query!(
        "select season_id, from_season, player_id, mode from season_carrying
        where season_id = (select min(season_id) from season_carrying)
        for update skip locked"
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(carrying) = carrying else { return Ok(None) };
    let rows = sqlx::query_as!(
        Carried,
        "select player_id, mode, rating, uncertainty from rating
        where season_id = $1 and (player_id, mode) > ($2, $3)
        order by player_id, mode limit $4",
        carrying.from_season,
        carrying.player_id,
        carrying.mode,
        AT_ONCE
    )
    .fetch_all(&mut *tx)
    .await?;
    insert(&mut tx, carrying.season_id, &rows).await?;
    match rows.last() {
        Some(last) => {
            sqlx::query!(
                "update season_carrying set player_id = $2, mode = $3 where season_id = $1",
                carrying.season_id,
                last.player_id,
                last.mode
            )
            .execute(&mut *tx)
            .await?;
        }
        None => {
            sqlx::query!("delete from season_carrying where season_id = $1", carrying.season_id)
                .execute(&mut *tx)
                .await?;
        }
    }
    tx.commit().await?;
    Ok(Some(rows.len()))
}

/// Carries what some players have in a mode into the open season, which the caller holds open.
/// `players` come in order.
pub(crate) async fn of_players(
    db: &mut PgConnection,
    players: &[Uuid],
    mode: &str,
) -> sqlx::Result<()> {
    let seasons =
        sqlx::query!("select season_id, from_season from season_carrying order by season_id")
            .fetch_all(&mut *db)
            .await?;
    for season in seasons {
        let rows = sqlx::query_as!(
            Carried,
            "select player_id, mode, rating, uncertainty from rating
            where player_id = any($1) and season_id = $2 and mode = $3
            order by player_id",
            players,
            season.from_season,
            mode
        )
        .fetch_all(&mut *db)
        .await?;
        insert(db, season.season_id, &rows).await?;
    }
    Ok(())
}

/// A rating as the season before left it.
struct Carried {
    player_id: Uuid,
    mode: String,
    rating: f64,
    uncertainty: f64,
}

/// Where a rating is there already, it stays. Rows come by player: whoever inserts the same ones
/// waits for us, or we for them, and never both.
async fn insert(db: &mut PgConnection, season_id: i32, rows: &[Carried]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let old = rows.iter().map(|row| Skill { rating: row.rating, uncertainty: row.uncertainty });
    let skills: Vec<Skill> = old.map(Skill::in_new_season).collect();
    sqlx::query!(
        "insert into rating (player_id, season_id, mode, rating, uncertainty, shown)
        select player_id, $1, mode, rating, uncertainty, shown
        from unnest($2::uuid[], $3::text[], $4::float8[], $5::float8[], $6::int4[])
            as carried (player_id, mode, rating, uncertainty, shown)
        order by player_id, mode
        on conflict do nothing",
        season_id,
        &rows.iter().map(|row| row.player_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.mode.clone()).collect::<Vec<_>>(),
        &skills.iter().map(|skill| skill.rating).collect::<Vec<_>>(),
        &skills.iter().map(|skill| skill.uncertainty).collect::<Vec<_>>(),
        &skills.iter().map(|skill| skill.shown()).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}
