//! How the sections of the table are run.

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds in all: to see that everything works.
    Quick,
    /// Minutes: for figures that are kept.
    Full,
}

/// How the table is made.
#[derive(Clone, Copy, Debug)]
pub struct SuiteRun {
    /// How much is run.
    pub size: Size,
    /// Allocations of the process so far, for a program that counts them.
    pub allocations: fn() -> u64,
}

impl SuiteRun {
    /// One of two, by the size of the run.
    pub fn choose<T>(&self, quick: T, full: T) -> T {
        match self.size {
            Size::Quick => quick,
            Size::Full => full,
        }
    }
}
