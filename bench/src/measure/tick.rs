//! What a tick costs: many sizes at constant density and in one crowd, and its phases.

use std::io;
use std::sync::atomic::AtomicBool;

use super::suite_run::SuiteRun;
use super::table::TableRow;
use sortie_players::headless::{self, SimReport, SimRunConfig, Stopwatch};
use sortie_players::scenario::Scenario;

/// The section with all sizes.
pub fn rows(run: &SuiteRun) -> io::Result<Vec<TableRow>> {
    let sizes: &[usize] = run.choose(&[60], &[100, 500, 1_000, 2_000, 4_000]);
    let mut rows = Vec::new();
    for (scenario, place) in
        [(Scenario::Uniform, "constant density, walking"), (Scenario::Crush, "one crowd, fighting")]
    {
        for &players in sizes {
            let report = report(run, scenario, players)?;
            let p99 = report.tick_us.p99;
            let allocations = report.allocations_per_tick.unwrap_or_default();
            let mut note = format!("p99 {p99:.0} µs; {allocations:.2} allocations a tick");
            if scenario == Scenario::Crush {
                note += &format!("; {} shots, {} hits", report.shots, report.hits);
            }
            let what = format!("{players} players, {place}");
            rows.push(TableRow::new(what, report.tick_us.p50, "µs, p50").note(note));
        }
    }
    Ok(rows)
}

/// The section with the phases of one tick.
pub fn phase_rows(run: &SuiteRun) -> io::Result<Vec<TableRow>> {
    let players = run.choose(60, 1_000);
    let mut rows = Vec::new();
    for scenario in [Scenario::Uniform, Scenario::Crush] {
        for (name, time) in report(run, scenario, players)?.system_us {
            let note = format!("p99 {:.0} µs", time.p99);
            rows.push(
                TableRow::new(format!("{name}, {scenario}"), time.mean, "µs, mean").note(note),
            );
        }
    }
    Ok(rows)
}

/// What a shot costs with all that it may meet: ground, obstacles, and soldiers as they stood.
pub fn shot_rows(run: &SuiteRun) -> io::Result<Vec<TableRow>> {
    let players = run.choose(60, 1_000);
    let report = report(run, Scenario::Crush, players)?;
    let hit_us = report.system_us.get("hit").map_or(0.0, |time| time.mean);
    let (shots, hits) = (report.shots, report.hits);
    let per_shot = hit_us * f64::from(report.ticks) / (shots as f64).max(1.0);
    let what = format!("a shot in one crowd of {players}");
    let note = format!("the whole phase `hit` over {shots} shots; {hits} hits");
    Ok(vec![TableRow::new(what, per_shot, "µs / shot").note(note)])
}

/// One run on one thread, in CPU time.
fn report(run: &SuiteRun, scenario: Scenario, players: usize) -> io::Result<SimReport> {
    let config = SimRunConfig {
        players,
        ticks: run.choose(40, 900),
        threads: 1,
        scenario,
        stopwatch: Stopwatch::Cpu,
        allocations: Some(run.allocations),
        ..SimRunConfig::default()
    };
    let report =
        headless::run(&config, &mut |_| {}, &AtomicBool::new(false)).map_err(io::Error::other)?;
    if report.ticks != config.ticks {
        return Err(io::Error::other("the run was cut short"));
    }
    Ok(report)
}
