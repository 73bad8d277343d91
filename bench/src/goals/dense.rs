//! G5: the record, 1,158 players in one place, on one core.

use std::io;

use super::bench::Bench;
use super::outcome::Outcome;
use super::whole::guard_of;
use sortie_players::scenario::Scenario;

/// Players of the largest battle on record in a shooter (PlanetSide 2).
const RECORD: usize = 1_158;

/// One core at 60 Hz; twice as many players at 30 Hz on two threads.
///
/// # Errors
/// Those of the runs.
pub(super) fn g5(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let players = if bench.options.quick { 60 } else { RECORD };
    let mut outcomes = Vec::new();
    for (players, tick_hz, threads) in [(players, 60, 1), (2 * players, 30, 2)] {
        let mut runs = Vec::new();
        for _ in 0..bench.options.repeats {
            runs.push(bench.whole(Scenario::Crowd, players, tick_hz, threads)?);
        }
        let what = format!("cores for {players} players who all see each other at {tick_hz} Hz");
        let figures = runs.iter().map(|run| run.core_share).collect();
        let outcome = Outcome::new("G5", what, "", figures).at_most(threads as f64);
        let (counts, guard) = guard_of(runs.iter());
        let fresh = runs.iter().map(|run| run.verdict.fresh()).fold(1.0, f64::min);
        let off_m = runs.iter().map(|run| run.verdict.error_m_max).fold(0.0, f64::max);
        let guard = format!(
            "{guard}; {:.1} % of the states of the very tick, the others off by at most \
             {off_m:.2} m",
            100.0 * fresh
        );
        outcomes.push(outcome.guard(counts, guard));
    }
    Ok(outcomes)
}
