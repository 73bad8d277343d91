//! What becomes of a result.

use std::collections::BTreeMap;

use sortie_rpc::ranking::RefusalCode;
use uuid::Uuid;

use crate::eligibility::Reason;

/// What became of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is true now.
    Stored(Stored),
    /// The battle was over before; nothing changed.
    Known {
        /// `finished` or `cancelled`.
        state: String,
    },
    /// It will never be true; nothing changed.
    Refused(Refusal),
}

/// What a stored result changed, for leaderboards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// The season in which it counts.
    pub season_id: i32,
    /// The battle's mode.
    pub mode: String,
    /// What rated players are shown as now.
    pub scores: Vec<(Uuid, i64)>,
    /// How many players there were for each reason.
    pub reasons: BTreeMap<Reason, u64>,
    /// What does not fit what is known of the battle; then nobody was rated.
    pub misfits: Vec<String>,
}

/// Why a well-formed result is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody registered under this id.
    #[error("the server is not known")]
    UnknownServer,
    /// There is no such battle.
    #[error("the battle is not known")]
    UnknownBattle,
    /// The battle is another server's.
    #[error("the battle is on another server")]
    OtherServer,
    /// The server has registered anew since.
    #[error("the epoch is over: the server has registered anew")]
    OldEpoch,
    /// The server has an identity, and whoever brings this did not show its credential.
    #[error("the server has a credential of its own")]
    Unproven,
    /// The server never had it.
    #[error("the server has not had this epoch yet")]
    UnknownEpoch,
}

impl Refusal {
    /// The stable code.
    pub fn code(self) -> RefusalCode {
        match self {
            Self::UnknownServer => RefusalCode::UnknownServer,
            Self::UnknownBattle => RefusalCode::UnknownBattle,
            Self::OtherServer => RefusalCode::OtherServer,
            Self::OldEpoch => RefusalCode::OldEpoch,
            Self::Unproven => RefusalCode::UnprovenServer,
            Self::UnknownEpoch => RefusalCode::UnknownEpoch,
        }
    }
}
