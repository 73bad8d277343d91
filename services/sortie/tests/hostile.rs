//! A hostile run of the product: delays that leap, dead ways, programs that stand still, new
//! addresses, a server that is killed. `infra/test hostile` runs it for half an hour.

mod common;

use common::sortie;
use serde_json::Value;

/// Bots and seconds that a run has unless `SORTIE_BOTS` and `SORTIE_SECONDS` say otherwise.
const SMALL: (u64, u64) = (24, 30);

fn of_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect(name))
}

#[test]
fn a_hostile_run_takes_control_from_nobody() {
    let bots = of_environment("SORTIE_BOTS", SMALL.0).to_string();
    let seconds = of_environment("SORTIE_SECONDS", SMALL.1);
    let duration = format!("{seconds}s");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let run = sortie(&[
        "swarm",
        "--hostile",
        "--bots",
        &bots,
        "--duration",
        &duration,
        "--data-dir",
        data,
        "--json",
    ]);
    assert_eq!(run.code, 0, "{}\n{}", run.stderr, run.stdout);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    println!("{}", run.stdout);
    let hostile = &report["hostile"];
    for name in ["spikes", "losses", "dead_ways", "sleeps", "moves", "server_kills"] {
        assert!(hostile[name].as_u64().unwrap() > 0, "none of {name}: {hostile}");
    }
    assert_eq!(report["control"]["bots_without"], 0, "{report}");
    assert_eq!(report["replay_verified"], true);
    assert_eq!(report["soldiers_changed"], 0);
    assert!(report["server_rss_mib"].is_f64() && hostile["server_rss_mib_before"].is_f64());
}
