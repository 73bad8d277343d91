//! The goals G1 to G8 of the benchmarks, each measured against its floor in the same minutes.
//!
//! [`command`] is the program `bench-goals`. A goal's module gives [`Outcome`]s: figures, one per
//! repeat, and the correctness guard beside them. `docs/benchmarks.md` says what the goals mean.

mod bench;
mod charts;
mod dense;
mod details;
mod error;
mod held;
mod options;
mod outcome;
mod pairs;
mod report;
mod scaling;
mod tail;
mod transport;
mod whole;

use std::fs;
use std::io;
use std::path::Path;

pub use details::Details;
pub use error::Error;
pub use options::{GOALS, Options, USAGE};
pub use outcome::{Bound, Outcome, table};
pub use report::GoalsReport;

use crate::measure::table::Provenance;
use bench::Bench;
use error::file;

/// Measures one goal.
type Part = fn(&mut Bench<'_>) -> io::Result<Vec<Outcome>>;

/// In the order in which they are measured: what later ones need comes first.
const PARTS: &[(&str, Part)] = &[
    ("G4", whole::g4),
    ("G1", transport::g1),
    ("G2", pairs::g2),
    ("G3", pairs::g3),
    ("G5", dense::g5),
    ("G6", scaling::g6),
    ("G7", held::g7),
    ("G8", tail::g8),
];

/// Runs the program; `allocations` gives those of the process so far.
///
/// # Errors
/// See [`Error`].
pub fn command(arguments: &[String], allocations: fn() -> u64) -> Result<(), Error> {
    let options = Options::parse(arguments)?;
    if let Some((folder, files)) = &options.charts {
        return charts::draw(folder, files);
    }
    // What is there so far is kept: a later measurement may not come to its end.
    let report = measure(&options, allocations, &mut |report| match &options.json {
        Some(path) => write(path, report),
        None => Ok(()),
    })?;
    println!("{}\n{}", report.origin, table(&report.outcomes));
    Ok(())
}

/// Measures the goals that are asked for; `done` hears after each.
///
/// # Errors
/// There is no server, or `done` fails. A measurement that cannot be carried through is an outcome.
pub fn measure(
    options: &Options,
    allocations: fn() -> u64,
    done: &mut dyn FnMut(&GoalsReport) -> Result<(), Error>,
) -> Result<GoalsReport, Error> {
    let mut bench = Bench::new(options, allocations)?;
    let origin = Provenance::here("bench-goals");
    let mut report =
        GoalsReport { origin, lane: options.lane.name().to_owned(), ..GoalsReport::default() };
    for &(goal, part) in PARTS.iter().filter(|(goal, _)| options.wants(goal)) {
        eprintln!("{goal} …");
        report.outcomes.extend(part(&mut bench).unwrap_or_else(|error| {
            eprintln!("  {goal}: {error}");
            vec![Outcome::new(goal, "nothing", "", vec![]).guard(false, error.to_string())]
        }));
        report.outcomes.sort_by(|a, b| a.goal.cmp(&b.goal));
        report.details.clone_from(&bench.details);
        done(&report)?;
    }
    Ok(report)
}

fn write(path: &Path, report: &GoalsReport) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(report).map_err(|error| file(path, error.into()))?;
    fs::write(path, text).map_err(|error| file(path, error))
}
