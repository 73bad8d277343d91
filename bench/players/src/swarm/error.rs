//! What can go wrong in a run.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a run could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// The child process did not start.
    #[error("the battle server could not be started")]
    Spawn(#[source] io::Error),
    /// The child process ended when it should not have; its own message is above on stderr.
    #[error("the battle server ended by itself ({0}); its message stands above")]
    Ended(String),
    /// The data directory cannot be written.
    #[error("cannot write to the data directory {0}")]
    DataDir(PathBuf, #[source] io::Error),
    /// The child process does not answer.
    #[error("the battle server did not say `{0}` within {1:?}")]
    Silent(&'static str, Duration),
    /// The first line is not what it should be.
    #[error("the battle server's ready line cannot be read")]
    ReadyLine(#[source] serde_json::Error),
    /// A field of the first line is not what it should be.
    #[error("the battle server's ready line has no usable `{0}`")]
    ReadyField(&'static str),
    /// A bot's socket could not be opened or driven.
    #[error("a bot's socket failed")]
    Socket(#[from] io::Error),
    /// A bot could not be set up.
    #[error("a bot could not be set up: {0}")]
    Client(String),
    /// A thread of the swarm panicked.
    #[error("a thread of the swarm panicked")]
    Panicked,
}
