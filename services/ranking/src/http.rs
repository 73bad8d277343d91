//! The routes, a group a file.

pub(crate) mod leaderboards;
pub(crate) mod players;
pub(crate) mod seasons;
pub(crate) mod statistics;

use axum::extract::FromRef;
use serde::Deserialize;
use sqlx::PgPool;
use utoipa::IntoParams;
use uuid::Uuid;

use sortie_control::app::AppState;
use sortie_control::error::ApiError;

use crate::board::Boards;
use crate::season;

/// Why a question about rankings has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RankingError {
    #[error("there is no such player")]
    UnknownPlayer,
    #[error("there is no leaderboard of this name; there are conquest, deathmatch, walk, global")]
    UnknownBoard,
    #[error("there is no such season")]
    UnknownSeason,
    #[error("no ranked battle was fought in this season yet")]
    NotRanked,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<RankingError> for ApiError {
    fn from(error: RankingError) -> Self {
        let text = error.to_string();
        match error {
            RankingError::UnknownPlayer => Self::not_found("ranking.unknown_player", text),
            RankingError::UnknownBoard => Self::not_found("ranking.unknown_leaderboard", text),
            RankingError::UnknownSeason => Self::not_found("ranking.unknown_season", text),
            RankingError::NotRanked => Self::not_found("ranking.not_ranked", text),
            RankingError::Database(error) => error.into(),
        }
    }
}

impl FromRef<Boards> for AppState {
    fn from_ref(boards: &Boards) -> Self {
        boards.app().clone()
    }
}

impl FromRef<Boards> for PgPool {
    fn from_ref(boards: &Boards) -> Self {
        boards.db().clone()
    }
}

/// `?season=…`
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeasonQuery {
    /// A season's id; without it, the open season.
    #[param(minimum = 1)]
    pub season: Option<i32>,
}

impl SeasonQuery {
    async fn id(self, db: &PgPool) -> Result<i32, RankingError> {
        let Some(asked) = self.season else { return Ok(season::open_id(db).await?) };
        sqlx::query_scalar!("select season_id from season where season_id = $1", asked)
            .fetch_optional(db)
            .await?
            .ok_or(RankingError::UnknownSeason)
    }
}

async fn require_player(db: &PgPool, player_id: Uuid) -> Result<(), RankingError> {
    sqlx::query_scalar!("select player_id from player where player_id = $1", player_id)
        .fetch_optional(db)
        .await?
        .ok_or(RankingError::UnknownPlayer)?;
    Ok(())
}
