//! How a season is opened: at once, and its ratings are carried into it after that (`carry`).

use std::pin::Pin;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};

use sortie_control::app::AppState;
use sortie_control::error::{ApiError, broken_constraint};
use sortie_control::season::{Opened, Opening, Seasons};
use sortie_control::text::prose;

use crate::board::Board;
use crate::carry;
use crate::season::Season;

const NAME_CHARS_MAX: usize = 60;
const NAME: prose::Bounds = prose::Bounds { chars: 1..=NAME_CHARS_MAX, lines_max: 1 };

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

/// Closes the open season and opens the next. A short transaction, however many ratings there are:
/// [`crate::carry_over`] brings them. Results that come meanwhile wait, or are brought again by
/// their servers.
///
/// # Errors
/// See [`SeasonError`]; nothing was changed then.
pub async fn open_season(app: &AppState, name: &str) -> Result<Season, SeasonError> {
    let mut db = app.db.acquire().await?;
    let (old, season) = open_in(&mut db, name).await?;
    drop(db);
    forget_boards(app, old).await;
    Ok(season)
}

/// Opens seasons for whoever lets staff ask for it.
pub fn seasons(app: &AppState) -> Arc<dyn Seasons> {
    Arc::new(Opener(app.clone()))
}

#[derive(Debug)]
struct Opener(AppState);

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
async fn forget_boards(app: &AppState, closed: i32) {
    for board in Board::of_season(closed) {
        drop(app.bus.boards.clear(&board.name()).await);
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
    carry::begin(&mut tx, old, season.season_id).await?;
    tx.commit().await?;
    tracing::info!(season = season.season_id, name, "a season was opened");
    Ok((old, season))
}
