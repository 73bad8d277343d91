//! G7: the largest number of players that one core holds on S1.

use std::io;

use super::Outcome;
use super::stage::Stage;
use crate::light::run::Run;
use crate::scenario::Scenario;

/// Players held on one core, at least.
const HELD: f64 = 1_200.0;

/// The search ends when it knows the number this well.
const STEP: usize = 50;

/// Where the search begins, and what it never goes beyond.
const FIRST: usize = 1_200;
const MOST: usize = 4_000;

/// Looks for the largest number held; without `--hold`, only whether the goal's number is.
///
/// # Errors
/// Those of the runs.
pub fn g7(stage: &mut Stage<'_>) -> io::Result<Vec<Outcome>> {
    let (first, step) = if stage.options.quick { (40, 40) } else { (FIRST, STEP) };
    let mut best: Option<Run> = None;
    let (mut held, mut not_held) = (0, MOST + step);
    let mut next = first;
    loop {
        let run = stage.whole(Scenario::Uniform, next, 60, 1)?;
        eprintln!("  {next} players: {}", run.guard());
        if run.holds() && run.is_true() {
            held = next;
            best = Some(run);
        } else {
            not_held = next;
            // The guard of a run that does not hold says why.
            best = best.or(Some(run));
        }
        next = if not_held > MOST { next + next / 4 } else { (held + not_held) / 2 };
        next -= next % step;
        if !stage.options.hold || next <= held || next > MOST || not_held - held <= step {
            break;
        }
    }
    let what = if stage.options.hold {
        "players held on one core on S1"
    } else {
        "players held on one core on S1, as far as tried"
    };
    let outcome = Outcome::new("G7", what, "", vec![held as f64]).at_least(HELD);
    Ok(vec![match best {
        Some(run) => outcome.guard(run.is_true(), run.guard()),
        None => outcome.guard(false, "no run"),
    }])
}
