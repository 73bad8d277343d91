//! All sections of the table, in its order.

use std::io;

pub use super::suite_run::{Size, SuiteRun};
use super::table::TableRow;
use super::{codec, interest, rays, tick, transport};

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
