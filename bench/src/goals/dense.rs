//! G5: the record, 1,158 players in one place, on one core.

use std::io;

use super::Outcome;
use super::stage::Stage;
use crate::light::run::Run;
use crate::scenario::Scenario;

/// Players of the largest battle on record in a shooter (PlanetSide 2).
const RECORD: usize = 1_158;

/// One core at 60 Hz; twice as many players at 30 Hz on two threads.
///
/// # Errors
/// Those of the runs.
pub fn g5(stage: &mut Stage<'_>) -> io::Result<Vec<Outcome>> {
    let players = if stage.options.quick { 60 } else { RECORD };
    let mut outcomes = Vec::new();
    for (players, tick_hz, threads) in [(players, 60, 1), (2 * players, 30, 2)] {
        let mut runs = Vec::new();
        for _ in 0..stage.options.repeats {
            runs.push(stage.whole(Scenario::Crowd, players, tick_hz, threads)?);
        }
        let what = format!("cores for {players} players who all see each other at {tick_hz} Hz");
        let figures = runs.iter().map(|run| run.core_share).collect();
        let outcome = Outcome::new("G5", what, "", figures).at_most(threads as f64);
        let worst = runs.iter().min_by(|a, b| a.delivered.total_cmp(&b.delivered));
        outcomes.push(match worst {
            Some(run) => outcome.guard(is_record(run, threads), guard(run)),
            None => outcome.guard(false, "no run"),
        });
    }
    Ok(outcomes)
}

/// On one core the server must also be in time; where clients have to share its cores, it cannot.
fn is_record(run: &Run, threads: usize) -> bool {
    let in_time = threads > 1 || (run.delivered >= 0.96 && run.overrun_share < 0.01);
    run.is_true() && in_time
}

fn guard(run: &Run) -> String {
    let verdict = &run.verdict;
    format!(
        "{}; {:.1} % of the states of the very tick, the others off by at most {:.2} m",
        run.guard(),
        100.0 * verdict.fresh(),
        verdict.error_m_max
    )
}
