//! How `sortie` ends. The codes are part of the interface; `sortie --help` lists them.

use std::fmt;
use std::process::ExitCode;

use sortie_kit::causes;

/// Why a command did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ran, but its report misses what the command promised.
    Promise = 1,
    /// Flags, environment or configuration file make no sense.
    Usage = 2,
    /// It could not start: a port is taken, a file is unreadable.
    Start = 3,
    /// It broke while running.
    Run = 4,
    /// A file is no journal, a damaged one, or does not come out as it was recorded.
    Replay = 5,
    /// A journal or replay is of another version: by the present rules it cannot be judged.
    Version = 6,
    /// No player got in: no server there, another certificate, a refused ticket.
    ShutOut = 7,
}

/// The codes of every program as its help shows them; a program with more has lines of its own
/// behind them.
pub const HELP: &str = "\
Exit codes:
  0  done, and every promise of the report kept
  1  ran, but a promise was missed, or what was asked about is not well
  2  wrong usage or configuration
  3  could not start (port taken, unreadable file)
  4  failed while running
";

/// A failure with what to tell the user.
#[derive(Debug)]
pub struct Error {
    /// Decides the exit code.
    pub failure: Failure,
    /// Cause first, then what to do.
    pub cause: anyhow::Error,
}

/// What every command gives back.
pub type Result<T = ()> = std::result::Result<T, Error>;

impl Failure {
    /// This failure with its cause; an error already classified inside `cause` keeps its class.
    pub fn because(self, cause: impl Into<anyhow::Error>) -> Error {
        Error { failure: self, cause: cause.into() }
    }
}

/// Classifies the error of a `Result` on its way up.
pub trait OrFail<T> {
    /// Ends with `failure` on an error.
    fn or_fail(self, failure: Failure) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, failure: Failure) -> Result<T> {
        self.map_err(|error| failure.because(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&causes::told(&self.cause))
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure as u8)
    }
}
