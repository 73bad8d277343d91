//! Leaderboards: who is shown with how much, in order.
//!
//! - Postgres is the truth; equal scores stand in the order of ids.
//! - The bus may have the same in sorted sets, which give a place at any depth at once. A node
//!   reads a set only after it has seen it complete, and while it is at least as large and as far
//!   as then: nobody leaves a leaderboard during a season. How far a set is, its mark says: it has
//!   all changes up to that `rating.version`. A set that was emptied, or is as it was an hour ago
//!   because Redis was restored, or cannot be written to, is therefore noticed, Postgres is read
//!   instead, and the set is brought up to date from its mark, or filled again if it has none.
//! - Scores reach the sets when the outbox tells of a result, and once more by a job that follows
//!   `rating.version`: a node that dies in between leaves nothing stale behind.

mod bus;
pub(crate) mod events;
mod follow;
mod store;

pub(crate) use bus::Boards;
pub(crate) use follow::job;

use std::borrow::Cow;

use sortie_rpc::game::GameMode;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// Name of the leaderboard over all modes.
pub const GLOBAL: &str = "global";

/// The leaderboards of a season, as paths name them.
#[derive(Clone, Copy, Debug)]
pub struct BoardName;

impl PartialSchema for BoardName {
    fn schema() -> RefOr<Schema> {
        let names = GameMode::names().chain([GLOBAL]);
        let about = "The leaderboards of a season, as paths name them.";
        let words = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
        words.enum_values(Some(names)).into()
    }
}

impl ToSchema for BoardName {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("LeaderboardName")
    }
}

/// A leaderboard of a season.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Board {
    pub season_id: i32,
    /// `None`: over all modes, each player's best.
    pub mode: Option<&'static str>,
}

/// A row of a leaderboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// 1 is the first.
    pub rank: i64,
    pub player_id: Uuid,
    pub shown: i32,
}

/// A row after which a page begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct After {
    pub rank: i64,
    pub shown: i32,
    pub player_id: Uuid,
}

impl After {
    /// Before the first row.
    pub(crate) const START: Self = Self { rank: 0, shown: i32::MAX, player_id: Uuid::nil() };
}

impl Board {
    /// All of a season.
    pub(crate) fn of_season(season_id: i32) -> impl Iterator<Item = Self> {
        let modes = GameMode::names().map(Some).chain([None]);
        modes.map(move |mode| Self { season_id, mode })
    }

    /// By the name of a mode, or `global`.
    pub(crate) fn named(season_id: i32, name: &str) -> Option<Self> {
        if name == GLOBAL {
            return Some(Self { season_id, mode: None });
        }
        let mode = GameMode::names().find(|mode| *mode == name)?;
        Some(Self { season_id, mode: Some(mode) })
    }

    /// On the bus.
    pub(crate) fn name(self) -> String {
        format!("rating/{}/{}", self.season_id, self.mode.unwrap_or(GLOBAL))
    }
}
