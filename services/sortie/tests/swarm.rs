//! The product itself, small: a server process, bots over real QUIC, a report, a replay.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use common::{Run, command, sortie};
use serde_json::{Value, json};

/// What `--lane` may say.
const LANES: [&str; 3] = ["quic", "auto", "sealed"];

fn swarm(data: &Path, extra: &[&str]) -> (Run, Value) {
    let data = data.to_str().unwrap();
    let base = ["swarm", "--bots", "8", "--duration", "4s", "--data-dir", data, "--json"];
    let run = sortie(&[&base, extra].concat());
    let report = serde_json::from_str(&run.stdout).unwrap_or_default();
    (run, report)
}

#[test]
fn a_swarm_plays_and_its_replay_verifies() {
    for lane in LANES {
        plays_and_verifies(lane);
    }
}

fn plays_and_verifies(lane: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (run, report) = swarm(folder.path(), &["--lane", lane]);
    assert_eq!(run.code, 0, "{}\n{}", run.stderr, run.stdout);
    let count = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((count("clients_connected"), count("clients_lost")), (8, 0));
    assert_eq!(report["replay_verified"], true);
    assert!(count("ticks") > 200);
    let (expected, delivered) = (count("updates_expected"), count("updates_delivered"));
    assert!(delivered * 100 >= expected * 95, "{delivered} of {expected} delivered");
    travelled_over(lane, &report["lane"]);
    for name in ["tick_overruns", "shots", "hits", "kills", "captures"] {
        count(name);
    }
    for (name, parts) in [
        ("tick_cpu_us", &["p50", "p99", "p999"][..]),
        ("rtt_ms", &["p50", "p99"]),
        ("correction_m", &["p50", "p99", "max"]),
    ] {
        for part in parts {
            assert!(report[name][part].is_f64(), "no {name}.{part}");
        }
    }
    assert!(report["server_cpu_seconds"].as_f64().unwrap() > 0.0);
    assert!(report["snapshot_bytes_per_client_per_s"].as_f64().unwrap() > 0.0);
    replay_tells_the_same(report["replay_path"].as_str().unwrap(), count("ticks"));
}

/// Inputs and snapshots went the way that was asked for.
fn travelled_over(lane: &str, report: &Value) {
    assert_eq!(report["asked"], lane);
    let count = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("no lane.{name}"));
    assert_eq!(count("fallbacks"), 0, "{report}");
    let quic = count("inputs_quic") + count("snapshots_quic");
    let sealed = count("inputs_sealed") + count("snapshots_sealed");
    match lane {
        "quic" => assert_eq!((count("clients_sealed"), sealed), (0, 0), "{report}"),
        "auto" => assert!(count("clients_sealed") == 8 && sealed > 9 * quic, "{report}"),
        _ => assert!(count("clients_sealed") == 8 && sealed > 50 * quic, "{report}"),
    }
}

/// What `sortie replay` says of the same file.
fn replay_tells_the_same(replay: &str, ticks: u64) {
    let verified = sortie(&["replay", replay, "--verify", "--json"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(verified["ticks"].as_u64(), Some(ticks));

    let info = sortie(&["replay", replay]);
    assert!(info.code == 0 && info.stdout.contains("ended in order"), "{}", info.stdout);
    for named in ["mode        conquest", "began       20", "tickets     red ", " groups of ticks"]
    {
        assert!(info.stdout.contains(named), "{named}: {}", info.stdout);
    }

    let state = sortie(&["replay", replay, "--seek", &ticks.to_string(), "--json"]);
    let state: Value = serde_json::from_str(&state.stdout).unwrap();
    assert_eq!(state["state_hash"], verified["state_hash"]);
    assert_eq!(state["soldiers"].as_array().unwrap().len(), 8);

    let beyond = sortie(&["replay", replay, "--seek", &(ticks + 1).to_string()]);
    assert_eq!(beyond.code, 2, "{}", beyond.stderr);

    // Without its last bytes, as a crash leaves one: what is whole verifies; the rest is told.
    let mut bytes = std::fs::read(replay).unwrap();
    let torn = format!("{replay}.torn");
    std::fs::write(&torn, &bytes[..bytes.len() - 5]).unwrap();
    for action in ["--verify", "--info"] {
        let told = sortie(&["replay", &torn, action]);
        let is_told = told.stdout.contains("torn") && told.stdout.contains("up to tick");
        assert!(told.code == 0 && is_told, "{}{}", told.stdout, told.stderr);
    }

    // The ids by which names are blanked are those that are shown.
    let info: Value = serde_json::from_str(&sortie(&["replay", &torn, "--json"]).stdout).unwrap();
    let id = info["player_ids"][0].as_str().unwrap();
    let blanked = sortie(&["replay", &torn, "--blank", id]);
    assert!(blanked.code == 0 && blanked.stdout.contains(id), "{}", blanked.stdout);

    // One byte in the middle: refused, with the reason.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let changed = format!("{replay}.changed");
    std::fs::write(&changed, bytes).unwrap();
    let refused = sortie(&["replay", &changed, "--verify"]);
    assert_eq!(refused.code, 5, "{}", refused.stdout);
    assert!(refused.stderr.contains("tick"), "{}", refused.stderr);
}

#[test]
fn a_bad_network_and_new_addresses_lose_nobody() {
    for lane in LANES {
        loses_nobody(lane);
    }
}

fn loses_nobody(lane: &str) {
    let folder = tempfile::tempdir().unwrap();
    let network = ["--loss", "5%", "--delay", "30ms", "--jitter", "10ms", "--duplicate", "1%"];
    let moving = ["--reorder", "1%", "--rebind-every", "1s", "--scenario", "uniform"];
    let lane = ["--lane", lane];
    let (run, report) = swarm(folder.path(), &[&network[..], &moving, &lane].concat());
    assert_eq!(run.code, 0, "{}\n{}", run.stderr, run.stdout);
    assert_eq!(report["clients_lost"], 0);
    assert_eq!(report["soldiers_changed"], 0);
    assert_eq!(report["lane"]["fallbacks"], 0, "{report}");
}

/// The battle of somebody else's server ends in order before the swarm's time is up, after a few
/// rounds: nobody is lost, and the swarm is done.
#[test]
fn rounds_and_battles_that_end_are_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let rounds = "[objective]\nrounds = 0\nround_s = 2.0\npause_s = 0.5\n";
    std::fs::write(&rules, rounds).unwrap();
    let (data, rules) = (folder.path().join("data"), rules.to_str().unwrap().to_owned());
    let listen = ["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--duration", "8s"];
    let about = ["--map", "quarry", "--rules", &rules, "--data-dir", data.to_str().unwrap()];
    let flags = [&["battle", "--dev-tickets", "--json"][..], &listen, &about].concat();
    let mut server = command(&flags).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let of = |name: &str| ready[name].as_str().unwrap().to_owned();
    let (addr, fingerprint) = (of("listen"), of("fingerprint"));
    let (battle, key) = (of("battle_id"), of("dev_ticket_key"));
    let target = ["--server", &addr, "--fingerprint", &fingerprint, "--battle-id", &battle];
    let swarm = ["swarm", "--bots", "8", "--duration", "10m", "--json", "--ticket-key", &key];
    let run = sortie(&[&swarm[..], &target].concat());
    assert_eq!(run.code, 0, "{}\n{}", run.stderr, run.stdout);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((count("clients_connected"), count("clients_lost")), (8, 0));
    assert_eq!(count("clients_finished"), 8);
    assert!(count("rounds") >= 3, "{report}");
    assert_eq!((&report["seen"]["mode"], &report["server"]), (&json!("conquest"), &json!(addr)));
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_server_that_cannot_start_fails_the_swarm() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (run, _) = swarm(&data, &["--map", "atlantis"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("atlantis"), "{}", run.stderr);
    assert!(!data.exists(), "a folder is left behind");
}
