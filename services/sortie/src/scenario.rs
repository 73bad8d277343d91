//! Scenarios on the command line.

use serde::{Deserialize, Serialize};
use sortie_players::scenario::Scenario;

/// The scenarios by the names that users type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioName {
    /// Two teams fight for the points of the map
    Conquest,
    /// Everyone walks at constant density, nobody fights
    Uniform,
    /// All players in one place
    Crush,
    /// Everyone walks in one place, in sight of everyone, nobody fights
    Crowd,
}

impl From<ScenarioName> for Scenario {
    fn from(name: ScenarioName) -> Self {
        match name {
            ScenarioName::Conquest => Self::Conquest,
            ScenarioName::Uniform => Self::Uniform,
            ScenarioName::Crush => Self::Crush,
            ScenarioName::Crowd => Self::Crowd,
        }
    }
}
