//! How a season is opened: the one before is closed, and each rating begins halfway forgotten.

use std::pin::Pin;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use sortie_control::error::{ApiError, broken_constraint};
use sortie_control::plane::Plane;
use sortie_control::season::{Opened, Opening, Seasons};
use sortie_control::text::prose;

use crate::board::Board;
use crate::rating::Skill;
use crate::season::Season;

const NAME_CHARS_MAX: usize = 60;
const NAME: prose::Bounds = prose::Bounds { chars: 1..=NAME_CHARS_MAX, lines_max: 1 };

/// Ratings carried over by one statement.
const CARRIED_AT_ONCE: i64 = 10_000;

/// Why a season is not opened.
#[derive(Debug, thiserror::Error)]
pub enum SeasonError {
    /// Empty, too long, or with control codes.
    #[error("a season's name has 1 to {NAME_CHARS_MAX} characters and no control codes")]
    BadName,
    /// Another one has it.
    #[error("there is a season of this name")]
    NameTaken,
    /// Nothing was changed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<SeasonError> for ApiError {
    fn from(error: SeasonError) -> Self {
        let text = error.to_string();
        match error {
            SeasonError::BadName => Self::invalid("ranking.season_name", text),
            SeasonError::NameTaken => Self::conflict("ranking.season_name_taken", text),
            SeasonError::Database(error) => error.into(),
        }
    }
}

/// Closes the open season and opens the next, in which each rating begins halfway back to the
/// default and less certain. One transaction; results that come meanwhile wait, or are brought
/// again by their servers.
///
/// # Errors
/// See [`SeasonError`]; nothing was changed then.
pub async fn open_season(plane: &Plane, name: &str) -> Result<Season, SeasonError> {
    let mut db = plane.db.acquire().await?;
    let (old, season) = open_in(&mut db, name).await?;
    drop(db);
    forget_boards(plane, old).await;
    Ok(season)
}

/// Opens seasons for whoever lets staff ask for it.
pub fn seasons(plane: &Plane) -> Arc<dyn Seasons> {
    Arc::new(Opener(plane.clone()))
}

#[derive(Debug)]
struct Opener(Plane);

impl Seasons for Opener {
    fn open<'a>(&'a self, db: &'a mut PgConnection, name: &'a str) -> Opening<'a> {
        Box::pin(async move {
            let (closed, season) = open_in(db, name).await?;
            let Season { season_id, name, starts_at, .. } = season;
            Ok(Opened { season_id, name, starts_at, closed })
        })
    }

    fn opened<'a>(&'a self, opened: &'a Opened) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(forget_boards(&self.0, opened.closed))
    }
}

/// Nobody asks for them any more; without the bus they only take room.
async fn forget_boards(plane: &Plane, closed: i32) {
    for board in Board::of_season(closed) {
        drop(plane.bus.boards.clear(&board.name()).await);
    }
}

/// As [`open_season`], in a caller's transaction, so that an audit row stands or falls with it.
/// Gives the season that was closed, too.
///
/// # Errors
/// See [`SeasonError`]; the transaction is of no use any more then.
async fn open_in(db: &mut PgConnection, name: &str) -> Result<(i32, Season), SeasonError> {
    let name = &prose::sane(name, &NAME).ok_or(SeasonError::BadName)?;
    let mut tx = db.begin().await?;
    // Waits for results that count in the old season, and keeps others out.
    sqlx::query("lock table season in exclusive mode").execute(&mut *tx).await?;
    let old = sqlx::query_scalar!(
        "update season set ends_at = greatest(now(), starts_at + interval '1 microsecond')
        where ends_at is null returning season_id"
    )
    .fetch_one(&mut *tx)
    .await?;
    let season = sqlx::query_as!(
        Season,
        "insert into season (name, starts_at)
        select $1, ends_at from season where season_id = $2
        returning season_id, name, starts_at, ends_at",
        name,
        old
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(|error| match broken_constraint(&error) {
        Some("season_name_taken") => SeasonError::NameTaken,
        _ => SeasonError::Database(error),
    })?;
    carry_over(&mut tx, old, season.season_id).await?;
    tx.commit().await?;
    tracing::info!(season = season.season_id, name, "a season was opened");
    Ok((old, season))
}

async fn carry_over(db: &mut PgConnection, old: i32, new: i32) -> sqlx::Result<()> {
    let mut last = (Uuid::nil(), String::new());
    loop {
        let rows = sqlx::query!(
            "select player_id, mode, rating, uncertainty from rating
            where season_id = $1 and (player_id, mode) > ($2, $3)
            order by player_id, mode limit $4",
            old,
            last.0,
            last.1,
            CARRIED_AT_ONCE
        )
        .fetch_all(&mut *db)
        .await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = (row.player_id, row.mode.clone());
        let old = rows.iter().map(|row| Skill { rating: row.rating, uncertainty: row.uncertainty });
        let skills: Vec<Skill> = old.map(Skill::in_new_season).collect();
        sqlx::query!(
            "insert into rating (player_id, season_id, mode, rating, uncertainty, shown)
            select player_id, $1, mode, rating, uncertainty, shown
            from unnest($2::uuid[], $3::text[], $4::float8[], $5::float8[], $6::int4[])
                as carried (player_id, mode, rating, uncertainty, shown)",
            new,
            &rows.iter().map(|row| row.player_id).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.mode.clone()).collect::<Vec<_>>(),
            &skills.iter().map(|skill| skill.rating).collect::<Vec<_>>(),
            &skills.iter().map(|skill| skill.uncertainty).collect::<Vec<_>>(),
            &skills.iter().map(|skill| skill.shown()).collect::<Vec<_>>(),
        )
        .execute(&mut *db)
        .await?;
    }
}
