//! F24: a swarm whose round ends as the rules say has lost nobody, and succeeds.
//! Goes to services/sortie/tests.
#![allow(dead_code, reason = "of the tests' helpers a part is used")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{command, sortie};
use serde_json::Value;

#[test]
fn a_round_that_ends_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[objective]\nround_s = 4.0\n").unwrap();
    let listen = ["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--data-dir"];
    let about = [folder.path().to_str().unwrap(), "--rules", rules.to_str().unwrap()];
    let flags = [&["battle", "--dev-tickets", "--json"][..], &listen, &about].concat();
    let mut server = command(&flags).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let of = |name: &str| ready[name].as_str().unwrap().to_owned();
    let (addr, fingerprint) = (of("listen"), of("fingerprint"));
    let (battle, key) = (of("battle_id"), of("dev_ticket_key"));
    let target = ["--server", &addr, "--fingerprint", &fingerprint, "--battle-id", &battle];
    let swarm = ["swarm", "--bots", "4", "--duration", "20s", "--ticket-key", &key];
    let run = sortie(&[&swarm[..], &target].concat());
    server.kill().unwrap();
    server.wait().unwrap();
    let last = run.stderr.trim().lines().last().unwrap_or_default();
    assert!(run.code == 0, "F24: the swarm ends with {} and says: {last}", run.code);
}
