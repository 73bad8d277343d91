//! `sortie sim`: the simulation alone, at full speed, with its report.

use anyhow::anyhow;
use clap::Args;
use serde::{Deserialize, Serialize};
use sortie_players::headless::{self, SimReport, SimRunConfig, Stopwatch};

use crate::scenario::ScenarioName;
use sortie_cli::exit::{Failure, OrFail, Result};
use sortie_cli::program::Common;
use sortie_cli::progress;
use sortie_cli::signals;

/// Options of `sortie sim`.
#[derive(Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[command(after_help = "\
Examples:
  sortie sim --players 1000 --ticks 3600
  sortie sim --players 1000 --ticks 3600 --threads 2 --json   the same state_hash as with one
  sortie sim --scenario crush --players 4000 --ticks 600

The state hash depends on players, ticks, scenario, map, seed and tick rate, never on threads or
the machine's speed. Allocations are counted inside steps, after the first tenth of the ticks.")]
pub(crate) struct SimArgs {
    /// How many players, all played by bots
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, env = "SORTIE_SIM_PLAYERS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=8_192))]
    players: u16,
    /// How many ticks
    #[arg(long, value_name = "COUNT", default_value_t = 3_600, env = "SORTIE_SIM_TICKS")]
    ticks: u32,
    /// Threads of the simulation and of the bots [default: one per core]
    #[arg(long, value_name = "COUNT", env = "SORTIE_SIM_THREADS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    /// What the players do
    #[arg(long, value_enum, default_value_t = ScenarioName::Conquest, env = "SORTIE_SIM_SCENARIO")]
    scenario: ScenarioName,
    /// Map, as for battle [default: by scenario and number of players]
    #[arg(long, value_name = "MAP", env = "SORTIE_SIM_MAP")]
    map: Option<String>,
    /// Seed of the battle and of the bots
    #[arg(long, value_name = "NUMBER", default_value_t = 1, env = "SORTIE_SIM_SEED")]
    seed: u64,
    /// Ticks a second
    #[arg(long, value_name = "HZ", default_value_t = 60, env = "SORTIE_SIM_TICK_HZ")]
    #[arg(value_parser = clap::value_parser!(u32).range(20..=128))]
    tick_hz: u32,
}

/// Runs the simulation and prints the report.
pub(crate) fn run(args: &SimArgs, common: &Common) -> Result {
    let stop = signals::stop_flag().or_fail(Failure::Start)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let config = SimRunConfig {
        players: usize::from(args.players),
        ticks: args.ticks,
        threads: args.threads.map_or(cores, usize::from),
        scenario: args.scenario.into(),
        map: args.map.clone(),
        seed: args.seed,
        tick_hz: args.tick_hz,
        stopwatch: Stopwatch::Wall,
        allocations: None,
    };
    let bar = progress::ticks(common.json);
    bar.set_length(u64::from(args.ticks));
    let report = headless::run(&config, &mut |tick| bar.set_position(u64::from(tick)), &stop);
    bar.finish_and_clear();
    let report = report.or_fail(Failure::Start)?;
    if common.json {
        sortie_cli::say!("{}", serde_json::to_string_pretty(&report).or_fail(Failure::Run)?);
    } else {
        print_report(&report);
    }
    if report.ticks < args.ticks {
        let (done, asked) = (report.ticks, args.ticks);
        return Err(Failure::Promise.because(anyhow!("stopped after {done} of {asked} ticks")));
    }
    Ok(())
}

fn print_report(report: &SimReport) {
    let SimReport { players, ticks, threads, scenario, map, .. } = report;
    sortie_cli::say!("{players} players, {scenario} on {map}, {ticks} ticks on {threads} threads");
    let tick = report.tick_us;
    sortie_cli::say!(
        "  step        {:.0} µs p50, {:.0} µs p99, {:.0} µs p99.9, {:.0} µs max",
        tick.p50,
        tick.p99,
        tick.p999,
        tick.max
    );
    sortie_cli::say!(
        "  bots        {:.0} µs p50, {:.0} µs p99",
        report.bots_us.p50,
        report.bots_us.p99
    );
    sortie_cli::say!(
        "  regions     {} at most, {} splits, {} merges",
        report.regions_max,
        report.region_splits,
        report.region_merges
    );
    let (shots, hits, kills) = (report.shots, report.hits, report.kills);
    sortie_cli::say!(
        "  battle      {shots} shots, {hits} hits, {kills} kills, {} captures",
        report.captures
    );
    sortie_cli::say!("  systems");
    for (name, time) in &report.system_us {
        sortie_cli::say!("    {name:<20} {:>9.1} µs mean, {:>9.1} µs p99", time.mean, time.p99);
    }
    sortie_cli::say!("  state hash  {}", report.state_hash);
}
