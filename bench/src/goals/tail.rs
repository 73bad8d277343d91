//! G8: the slow ticks of a well loaded server, and what a tick wastes.

use std::io;

use super::bench::Bench;
use super::outcome::Outcome;
use super::whole::guard_of;
use crate::measure::serve::Serving;
use sortie_players::headless::SimRunConfig;
use sortie_players::scenario::Scenario;

/// p99.9 over p50 of a tick's CPU time, at most.
const TAIL: f64 = 2.0;

/// Share of its core that the server is to be loaded with.
const LOAD: f64 = 0.7;

/// Players of the run that says how many make that load.
const PROBE_PLAYERS: usize = 500;

/// System calls that a tick may need besides those for its datagrams.
const OTHER_CALLS: f64 = 16.0;

/// Datagrams that one call moves.
const BATCH: f64 = 64.0;

/// Tail, system calls and allocations.
///
/// # Errors
/// Those of the runs.
pub(super) fn g8(bench: &mut Bench<'_>) -> io::Result<Vec<Outcome>> {
    let quick = bench.options.quick;
    let probe = if quick { 40 } else { PROBE_PLAYERS };
    let per_player_us = bench.s1(probe)?.iter().map(|pair| pair.run.us_per_player_tick);
    let per_player_us = per_player_us.fold(f64::INFINITY, f64::min);
    let players = if quick { probe } else { (LOAD * 1e6 / 60.0 / per_player_us) as usize };
    let (mut tails, mut calls, mut loads) = (vec![], vec![], vec![]);
    let mut runs = Vec::new();
    for _ in 0..bench.options.repeats {
        let run = bench.whole(Scenario::Uniform, players, 60, 1)?;
        let at = |name: &str| run.tick_cpu_us.get(name).copied().unwrap_or_default();
        tails.push(at("p999") / at("p50").max(1.0));
        calls.push(run.syscalls_per_tick);
        loads.push(run.core_share);
        runs.push(run);
    }
    let (is_true, guard) = guard_of(runs.iter());
    let calls_most = 2.0 * players as f64 / BATCH + OTHER_CALLS;
    let config = SimRunConfig {
        players: if quick { 60 } else { 1_000 },
        scenario: Scenario::Uniform,
        allocations: Some(bench.allocations),
        ..SimRunConfig::default()
    };
    let mut serving = Serving::new(&config, false)?;
    let (warm_up, ticks) = if quick { (120, 60) } else { (600, 600) };
    for _ in 0..warm_up {
        serving.tick()?;
    }
    let mut allocations = 0;
    for _ in 0..ticks {
        allocations += serving.tick()?.allocations;
    }
    let what = format!("p99.9 over p50 of a tick's CPU time, {players} players");
    Ok(vec![
        Outcome::new("G8", what, "×", tails).at_most(TAIL).guard(is_true, guard),
        Outcome::new("G8", "load of the core meanwhile", "", loads),
        Outcome::new("G8", format!("system calls a tick, {players} players"), "", calls)
            .at_most(calls_most),
        Outcome::new(
            "G8",
            format!("allocations a tick in memory, {} players", config.players),
            "",
            vec![allocations as f64 / f64::from(ticks)],
        )
        .at_most(0.0),
    ])
}
