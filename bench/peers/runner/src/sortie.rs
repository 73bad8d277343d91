//! Sortie itself, measured by its own benchmark with the same window, cores and scenario.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::measure::{Figures, Plan};

/// Sortie's two ways to a client, as stacks of their own.
pub const LANES: [&str; 2] = ["sortie-sealed", "sortie-quic"];

/// What `bench-goals` says of a whole server under S1.
#[derive(Deserialize)]
struct Run {
    us_per_player_tick: f64,
    core_share: f64,
    app_bytes_per_s: f64,
    delivered: f64,
    overrun_share: f64,
    age_ms: Age,
    starved: f64,
    rss_mib: f64,
    client_core_share: f64,
    malformed: u64,
    lost: usize,
    verdict: Compared,
}

#[derive(Deserialize)]
struct Age {
    p50: f64,
    p99: f64,
}

/// States that sampled clients were told, against the server's replay: equal or wrong.
#[derive(Deserialize)]
struct Compared {
    states: u64,
    states_wrong: u64,
    own_wrong: u64,
    unknown: u64,
    error_m_max: f64,
}

/// Runs Sortie's benchmark from this folder of programs.
pub fn measure(
    programs: &Path,
    stack: &str,
    players: usize,
    plan: &Plan,
) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.json");
    let lane = stack.strip_prefix("sortie-").context("not one of Sortie's")?;
    let output = Command::new(programs.join("bench-goals"))
        .args(["--only", "G4", "--repeats", "1", "--lane", lane])
        .args(["--players", &players.to_string(), "--seconds", &plan.seconds.to_string()])
        .arg("--server")
        .arg(programs.join("sortie"))
        .arg("--json")
        .arg(&report)
        .output()
        .context("starting bench-goals")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "bench-goals: {}", errors.lines().last().unwrap_or_default());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report)?)?;
    let run = &report["details"]["whole"][0];
    let run = Run::deserialize(run).context("an unknown report of bench-goals")?;
    ensure!(run.lost == 0, "{} clients were lost", run.lost);
    Ok(figures(run))
}

fn figures(run: Run) -> Figures {
    let Compared { states, states_wrong, own_wrong, unknown, error_m_max } = run.verdict;
    Figures {
        cpu_us_per_player_tick: run.us_per_player_tick,
        server_cores: run.core_share,
        bytes_per_client_second: run.app_bytes_per_s,
        delivered: run.delivered,
        age_p50_ms: run.age_ms.p50,
        age_p99_ms: run.age_ms.p99,
        late: run.overrun_share,
        inputs: 1.0 - run.starved,
        rss_mib: run.rss_mib,
        checked: states,
        position_error_max_m: error_m_max,
        wrong: states_wrong + own_wrong + unknown + run.malformed,
        clients_busy: run.client_core_share,
    }
}
