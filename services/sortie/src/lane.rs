//! Lanes on the command line.

use serde::{Deserialize, Serialize};
use sortie_players::swarm::LanePolicy;

/// What inputs and snapshots travel over, by the names that users type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneName {
    /// Sealed packets of their own, QUIC where those do not get through
    Auto,
    /// QUIC only
    Quic,
    /// Sealed packets only: for tests, a client never falls back
    Sealed,
}

impl From<LaneName> for LanePolicy {
    fn from(name: LaneName) -> Self {
        match name {
            LaneName::Auto => Self::Auto,
            LaneName::Quic => Self::Quic,
            LaneName::Sealed => Self::Sealed,
        }
    }
}
