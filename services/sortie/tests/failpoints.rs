//! A battle server that dies at the worst moments of its journal: in the middle of a block,
//! before and after a sync, between the end and the replay. Each time it is started again, and
//! each time every player is back at its soldier.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::{command, sortie};
use serde_json::Value;
use sortie_cli::units::key_from_hex;
use sortie_players::scenario::Scenario;
use sortie_players::swarm::{
    self, LanePolicy, NetworkConditions, ServerUnderTest, SwarmConfig, Target,
};

const BOTS: usize = 8;

/// Where the servers die, one after the other; about two seconds each.
const DEATHS: [&str; 4] =
    ["mid-block:25:kill", "before-sync:25:kill", "after-sync:25:kill", "before-write:25:kill"];

struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    ready: Value,
}

impl Running {
    fn start(data: &Path, listen: &str, failpoints: &str, more: &[&str]) -> Self {
        let data = data.to_str().unwrap();
        let arguments = ["battle", "--data-dir", data, "--listen", listen, "--ops", "127.0.0.1:0"];
        let flags = ["--dev-tickets", "--json", "--end-with-stdin", "--seed", "7"];
        let arguments: Vec<&str> = arguments.iter().chain(&flags).chain(more).copied().collect();
        let mut child = command(&arguments)
            .env("SORTIE_FAILPOINTS", failpoints)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["event"], "ready", "{line}");
        Self { child, lines, ready }
    }

    fn text(&self, field: &str) -> String {
        self.ready[field].as_str().unwrap().to_owned()
    }

    fn target(&self) -> Target {
        let key = |field| key_from_hex(&self.text(field)).unwrap();
        Target {
            addr: self.text("listen").parse().unwrap(),
            fingerprint: key("fingerprint"),
            ticket_seed: key("dev_ticket_key"),
            battle_id: u128::from_str_radix(&self.text("battle_id"), 16).unwrap(),
        }
    }

    /// Waits until it dies, which must be by a signal.
    fn dies(mut self) {
        // Waiting closes stdin, and that would be an orderly end.
        let stdin = self.child.stdin.take();
        let status = self.child.wait().unwrap();
        drop(stdin);
        assert_eq!(status.code(), None, "it ended by itself: {status}");
    }

    /// Ends it in order; gives its report.
    fn end(mut self) -> Value {
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str(&line).unwrap()
    }
}

#[test]
fn no_moment_to_die_costs_a_player_its_soldier_over_quic() {
    no_moment_to_die_costs_a_player_its_soldier(LanePolicy::Quic);
}

#[test]
fn no_moment_to_die_costs_a_player_its_soldier_over_sealed_packets() {
    no_moment_to_die_costs_a_player_its_soldier(LanePolicy::Auto);
}

fn no_moment_to_die_costs_a_player_its_soldier(lane: LanePolicy) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(folder.path(), "127.0.0.1:0", DEATHS[0], &[]);
    let (listen, battle_id) = (server.text("listen"), server.text("battle_id"));
    let config = SwarmConfig {
        bots: BOTS,
        duration: Duration::from_secs(60),
        scenario: Scenario::Conquest,
        seed: 7,
        threads: 1,
        lane,
        link: NetworkConditions::default(),
        hostile: false,
        server: ServerUnderTest::Running(server.target()),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let swarm = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut progress = |progress: &swarm::Progress| {
                // Nobody listens any more at the end.
                let _ = tell.send((progress.connected, progress.tick));
            };
            swarm::run(&config, &mut progress, &stop)
        }
    });
    for (at, death) in DEATHS.iter().enumerate() {
        server.dies();
        let next = DEATHS.get(at + 1).copied().unwrap_or_default();
        server = Running::start(folder.path(), &listen, next, &[]);
        assert_eq!(server.ready["resumed"], true, "after {death}");
        assert_eq!(server.text("battle_id"), battle_id);
    }
    let taken_up_at = server.ready["tick"].as_u64().unwrap() as u32;
    while let Ok((connected, tick)) = told.recv() {
        if connected == BOTS && tick > taken_up_at + 120 {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let report = swarm.join().unwrap().unwrap();
    assert_eq!((report.clients_connected, report.clients_lost), (BOTS, 0));
    assert_eq!(report.soldiers_changed, 0);

    let ended = server.end();
    let verified = sortie(&["replay", ended["replay_path"].as_str().unwrap(), "--verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert!(verified.stdout.starts_with("verified"), "{}", verified.stdout);
}

#[test]
fn a_server_that_dies_after_the_end_leaves_a_replay() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["--duration", "1s"];
    let first = Running::start(folder.path(), "127.0.0.1:0", "after-end:1:kill", &short);
    let battle_id = first.text("battle_id");
    first.dies();
    let second = Running::start(folder.path(), "127.0.0.1:0", "", &[]);
    assert_eq!(second.ready["resumed"], false);
    assert_ne!(second.text("battle_id"), battle_id);
    let replay = folder.path().join("replays").join(format!("{battle_id}.sortie"));
    let verified = sortie(&["replay", replay.to_str().unwrap(), "--verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    second.end();
}
