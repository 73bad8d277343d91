//! Why nothing was measured.

use std::io;
use std::path::Path;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments are none.
    #[error("{0}")]
    Usage(String),
    /// A measurement could not be carried through.
    #[error("{0}: {1}")]
    Measure(&'static str, #[source] io::Error),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, #[source] io::Error),
}

/// A file that cannot be read or written.
pub(super) fn file(path: &Path, error: io::Error) -> Error {
    Error::File(path.display().to_string(), error)
}
