//! Leaderboards.

use sortie_control::plane::Plane;

use crate::report::Stored;

/// Modes that have ratings.
pub const MODES: [&str; 3] = ["conquest", "deathmatch", "walk"];

/// A leaderboard of a season.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Board {
    pub season_id: i32,
    /// `None`: over all modes, each player's best.
    pub mode: Option<&'static str>,
}

impl Board {
    /// All of a season.
    pub fn of_season(season_id: i32) -> impl Iterator<Item = Self> {
        let modes = MODES.into_iter().map(Some).chain([None]);
        modes.map(move |mode| Self { season_id, mode })
    }

    /// On the bus.
    pub fn name(self) -> String {
        format!("rating/{}/{}", self.season_id, self.mode.unwrap_or("global"))
    }
}

pub(crate) fn follow_soon(_: &Plane, _: &Stored) {}
