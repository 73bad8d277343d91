//! `kill -9`: a battle server dies in the middle of a battle, is started again, and every player
//! is back at its soldier.

mod common;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::sortie;
use sortie_battle::replay;
use sortie_bridge::feed::Feed;
use sortie_players::scenario::Scenario;
use sortie_players::swarm::{
    self, LanePolicy, NetworkConditions, ServerProcess, ServerUnderTest, SwarmConfig,
};
use sortie_sim::Battle;
use sortie_wire::message::{FeedEntry, ServerMessage};

const BOTS: usize = 12;

/// Ticks at which the server is killed: early, with a checkpoint behind it, and soon again.
const KILLS: [u32; 3] = [90, 1_000, 1_080];

fn start(data: &Path, listen: &str) -> ServerProcess {
    let program = env!("CARGO_BIN_EXE_sortie").into();
    let data = data.to_str().unwrap();
    let arguments = ["--data-dir", data, "--listen", listen, "--ops", "127.0.0.1:0"];
    let flags = ["--dev-tickets", "--json", "--end-with-stdin", "--seed", "7"];
    let arguments: Vec<String> =
        arguments.iter().chain(&flags).map(|&argument| argument.to_owned()).collect();
    ServerProcess::start(&program, &arguments).unwrap()
}

#[test]
fn players_of_a_killed_server_come_back_to_their_soldiers_over_quic() {
    players_of_a_killed_server_come_back_to_their_soldiers(LanePolicy::Quic);
}

#[test]
fn players_of_a_killed_server_come_back_to_their_soldiers_over_sealed_packets() {
    players_of_a_killed_server_come_back_to_their_soldiers(LanePolicy::Auto);
}

fn players_of_a_killed_server_come_back_to_their_soldiers(lane: LanePolicy) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), "127.0.0.1:0");
    let target = server.target().unwrap();
    let (listen, battle_id) = (server.ready.listen.to_string(), server.ready.battle_id.clone());
    let config = SwarmConfig {
        bots: BOTS,
        duration: Duration::from_secs(25),
        scenario: Scenario::Conquest,
        seed: 7,
        threads: 1,
        lane,
        link: NetworkConditions::default(),
        hostile: false,
        server: ServerUnderTest::Running(target),
    };

    let (ticks, seen) = channel();
    let swarm = thread::spawn(move || {
        let mut tell = |progress: &swarm::Progress| {
            let everyone = progress.connected == BOTS;
            // Nobody listens any more after the last kill.
            let _ = ticks.send((progress.tick, everyone));
        };
        swarm::run(&config, &mut tell, &AtomicBool::new(false))
    });
    for at in KILLS {
        let mut newest = 0;
        while let Ok((tick, everyone)) = seen.recv() {
            newest = tick;
            if tick >= at && everyone {
                break;
            }
        }
        assert!(newest >= at, "the swarm ended at tick {newest}");
        server.kill();
        server = start(folder.path(), &listen);
        assert!(server.ready.resumed);
        assert_eq!(server.ready.battle_id, battle_id);
        // 100 ms of commands may be lost; what the bots saw may be as much older.
        let tick = server.ready.tick;
        assert!(tick + 12 >= newest, "killed at tick {newest} or later, taken up at {tick}");
    }
    let mut report = swarm.join().unwrap().unwrap();
    report.check_promises();
    assert_eq!(report.missed, [""; 0]);
    assert_eq!((report.clients_connected, report.soldiers_changed), (BOTS, 0));
    let resumes = (BOTS * KILLS.len()) as u64;
    assert!(report.clients_resumed >= resumes, "{} of {resumes}", report.clients_resumed);

    let opened = if lane == LanePolicy::Quic { 0 } else { BOTS as u64 + report.clients_resumed };
    assert!(report.lane.opened >= opened, "each return opens a lane: {:?}", report.lane);
    assert_eq!(report.lane.opened == 0, lane == LanePolicy::Quic);
    assert_eq!(report.lane.fallbacks, 0, "a dead server is no reason to fall back");

    let ended = server.end().unwrap();
    let replay = ended.report["replay_path"].as_str().unwrap();
    let verified = sortie(&["replay", replay, "--verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert!(verified.stdout.starts_with("verified"), "{}", verified.stdout);
    let happened = facts(Path::new(replay));
    assert!(!report.told.is_empty(), "the bots were told of nothing");
    for told in &report.told {
        assert!(happened.contains(told), "told, and taken back by a kill: {told:?}");
    }
}

/// Everything that players are to be told of a battle, from its replay.
fn facts(replay: &Path) -> Vec<FeedEntry> {
    let mut facts = Vec::new();
    let mut feed = Feed::new(60);
    let mut visit = |battle: &Battle| {
        feed.note_tick(battle.output(), battle.view());
        for message in feed.take() {
            if let ServerMessage::KillFeed(entries) = message {
                facts.extend(entries.iter());
            }
        }
    };
    replay::for_each_tick(replay, 1, &mut visit).unwrap();
    facts
}
