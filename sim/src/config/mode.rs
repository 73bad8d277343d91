//! Game modes, and what the rest of the simulation and its users ask of one.
//!
//! The systems of a mode are in `objective/`. By which name others know it is not said here but in
//! `proto/rpc/src/mode.rs`; that the two agree is held by `services/battle/src/mode.rs`.

use serde::{Deserialize, Serialize};

/// What a round is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Points and tickets.
    #[default]
    Conquest,
    /// Teams, first to a score.
    Deathmatch,
    /// No fighting: soldiers come in anywhere at once and walk. For benchmarks.
    Walk,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Conquest, Self::Deathmatch, Self::Walk];

    /// What the numbers in `View::tickets` are to players. `None`: nothing, nobody fights.
    pub fn score_name(self) -> Option<&'static str> {
        match self {
            Self::Conquest => Some("tickets"),
            Self::Deathmatch => Some("score"),
            Self::Walk => None,
        }
    }

    /// Whether teams fight for the points of the map.
    pub fn has_points(self) -> bool {
        match self {
            Self::Conquest => true,
            Self::Deathmatch | Self::Walk => false,
        }
    }
}
