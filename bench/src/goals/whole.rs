//! G4: a whole server on S1 against the floor of its own datagrams.

use std::io;

use super::bench::{Bench, Pair};
use super::outcome::Outcome;
use crate::light::link::LaneKind;
use crate::light::run::RunReport;

/// Whole server over bare UDP with AES-128-GCM, at most.
const TARGET_SEALED: f64 = 2.0;

/// The same on the QUIC lane.
const TARGET_QUIC: f64 = 4.0;

/// For each number of players: the ratio, and the microseconds behind it.
///
/// # Errors
/// Those of the runs.
pub(super) fn g4(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let target = match bench.options.lane {
        LaneKind::Quic => TARGET_QUIC,
        LaneKind::Sealed => TARGET_SEALED,
    };
    let mut outcomes = Vec::new();
    for players in bench.options.players.clone() {
        let pairs = bench.s1(players)?;
        let ratios = pairs.iter().map(|Pair { run, sealed, .. }| {
            (run.us_per_player_tick + run.ksoftirqd_us) / sealed.us_per_client_tick
        });
        let what = format!("whole server on S1 over sealed UDP, {players} players");
        let (is_true, guard) = guard(pairs);
        outcomes.push(
            Outcome::new("G4", what, "×", ratios.collect()).at_most(target).guard(is_true, guard),
        );
        let row = |what: &str, of: fn(&Pair) -> f64| {
            let what = format!("{what}, {players} players");
            Outcome::new("G4", what, "µs", pairs.iter().map(of).collect())
        };
        outcomes.push(row("whole server, per player-tick", |pair| pair.run.us_per_player_tick));
        outcomes.push(row("sealed UDP, per client-tick", |pair| pair.sealed.us_per_client_tick));
        outcomes.push(row("bare UDP, per client-tick", |pair| pair.bare.us_per_client_tick));
    }
    Ok(outcomes)
}

/// Of several runs, the guard of the worst.
pub(super) fn guard(pairs: &[Pair]) -> (bool, String) {
    guard_of(pairs.iter().map(|pair| &pair.run))
}

/// Of several runs, the guard of the worst: whether their figures count, and why or why not.
pub(super) fn guard_of<'r>(runs: impl Iterator<Item = &'r RunReport>) -> (bool, String) {
    let counts = |run: &RunReport| run.is_true() && run.is_whole();
    let worst = runs.min_by(|a, b| {
        let key = |run: &RunReport| (counts(run), run.holds());
        key(a).cmp(&key(b)).then(a.delivered.total_cmp(&b.delivered))
    });
    let Some(run) = worst else { return (false, "no run".to_owned()) };
    let held = if run.holds() { "" } else { "; not held" };
    (counts(run), format!("{}{held}", run.guard()))
}
