//! Why a journal cannot be read, told so that a person knows what is lost.

use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What is wrong with the content of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub &'static str);

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system says no.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The file begins as no journal does.
    #[error("{} is no journal", path.display())]
    NoJournal {
        /// The file.
        path: PathBuf,
    },
    /// It begins as a journal does, and ends before it says of which battle.
    #[error("{} is torn before its first tick: its server died early", path.display())]
    Torn {
        /// The file.
        path: PathBuf,
    },
    /// Written by another version: of the file's format, or of the simulation.
    #[error("the journal is of {found}, this program reads {known}")]
    Version {
        /// Of the file.
        found: String,
        /// Of this program.
        known: String,
    },
    /// Bytes were changed, removed or added; what follows them is intact, so this is no torn end.
    #[error(
        "the journal is damaged at ticks {} to {} (byte {offset}): {damage}",
        ticks.start(), ticks.end()
    )]
    Damaged {
        /// The ticks that cannot be trusted.
        ticks: RangeInclusive<u32>,
        /// Where the damage begins.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The rules or the map in the header are none.
    #[error("the journal's {0}")]
    Setup(String),
    /// There is nothing to go on from: not even the first checkpoint is whole.
    #[error("the journal holds no whole checkpoint")]
    NoCheckpoint,
}

impl JournalError {
    /// Whether `error` is, or comes from, a journal of another version: no fault of the file's.
    pub fn is_version(error: &anyhow::Error) -> bool {
        error
            .chain()
            .any(|cause| matches!(cause.downcast_ref::<Self>(), Some(Self::Version { .. })))
    }
}
