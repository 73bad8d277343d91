//! All sections of the table, in its order.

use std::io;

use super::table::TableRow;
use super::{codec, interest, rays, tick, transport};

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

/// One section of the table.
pub struct Section {
    /// For `--only`.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Measures it.
    pub rows: fn(&SuiteRun) -> io::Result<Vec<TableRow>>,
}

/// The table, top to bottom.
pub const SECTIONS: &[Section] = &[
    Section { name: "tick", title: "One tick of the simulation", rows: tick::rows },
    Section { name: "phases", title: "Phases of a tick, 1,000 players", rows: tick::phase_rows },
    Section { name: "interest", title: "Interest", rows: interest::rows },
    Section { name: "codec", title: "Snapshot codec", rows: codec::rows },
    Section { name: "rays", title: "Rays over the battlefield", rows: rays::rows },
    Section { name: "shots", title: "Hitscan in a battle", rows: tick::shot_rows },
    Section { name: "transport", title: "Transport", rows: transport::rows },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_runs_small() {
        let run = SuiteRun { size: Size::Quick, allocations: || 0 };
        for section in SECTIONS {
            let rows = (section.rows)(&run).unwrap();
            assert!(!rows.is_empty(), "{} is empty", section.name);
        }
    }
}
