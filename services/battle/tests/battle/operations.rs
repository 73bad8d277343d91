//! What operators see, and what a server does about a battle that grew old.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sortie_battle::failpoint::{Failpoint, Failpoints, Fault};
use sortie_battle::journal::{Checkpoint, Journal, JournalOptions, JournalReader, JournalRoster};
use sortie_battle::resume::recover;
use sortie_battle::server::BattleServer;
use sortie_sim::Battle;
use sortie_sim::command::{Action, Command, Input};
use sortie_sim::id::{PlayerSlot, Tick};
use tempfile::tempdir;

use crate::common::{self, Dice, Script, seed};
use crate::world::{config, run_ticks, run_until};

fn ask(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_and_readiness_tell_how_it_is() {
    let dir = tempdir().unwrap();
    let mut config = config(dir.path());
    config.ops = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.journal.failpoints = Failpoints::at(Failpoint::BeforeSync, 40, Fault::NoSpace);
    let mut server = BattleServer::open(config).unwrap();
    server.start_clock(Instant::now());
    let ops = server.ready().ops.unwrap();
    run_ticks(&mut server, &mut [], 33);
    assert!(ask(ops, "/healthz").starts_with("HTTP/1.0 200"));
    assert!(ask(ops, "/readyz").starts_with("HTTP/1.0 200"));
    let metrics = ask(ops, "/metrics");
    for name in [
        "sortie_tick_duration_seconds_bucket",
        "sortie_tick_cpu_seconds_count",
        "sortie_ticks_total",
        "sortie_tick_overruns_total",
        "sortie_clients 0",
        "sortie_overload_step 0",
        "sortie_regions",
        "sortie_journal_size_bytes",
        "sortie_journal_dead 0",
        "sortie_sealed_clients 0",
        "sortie_sealed_lanes_opened_total 0",
        "sortie_sealed_received_packets_total 0",
        "sortie_sealed_refused_packets_total 0",
    ] {
        assert!(metrics.contains(name), "no {name} in\n{metrics}");
    }
    run_until(&mut server, &mut [], "the disk to be full", |server, _| server.journal().is_dead());
    run_ticks(&mut server, &mut [], 17);
    let answer = ask(ops, "/readyz");
    assert!(answer.starts_with("HTTP/1.0 503") && answer.contains("journal"), "{answer}");
    assert!(ask(ops, "/healthz").starts_with("HTTP/1.0 200"), "alive all the same");
    assert!(ask(ops, "/metrics").contains("sortie_journal_dead 1"));
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let first = tempdir().unwrap();
    let server = BattleServer::open(config(first.path())).unwrap();
    let second = tempdir().unwrap();
    let mut config = config(second.path());
    config.listen = server.ready().listen;
    let error = format!("{:#}", BattleServer::open(config).err().unwrap());
    assert!(error.contains(&server.ready().listen.to_string()), "{error}");
    assert!(error.contains("--listen"), "{error}");
}

#[test]
fn a_journal_that_cannot_be_trusted_is_not_taken_up() {
    let dir = tempdir().unwrap();
    let mut server = BattleServer::open(config(dir.path())).unwrap();
    server.start_clock(Instant::now());
    run_ticks(&mut server, &mut [], 60);
    drop(server);
    let path = dir.path().join("battle.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = format!("{:#}", BattleServer::open(config(dir.path())).err().unwrap());
    assert!(error.contains("damaged at ticks") && error.contains("move"), "{error}");
}

/// An hour of 200 players in the journal: all of it is scanned, and only what follows the newest
/// checkpoint is simulated. The hour here has a tenth of the ticks; the time allowed, too.
#[test]
fn an_old_battle_is_taken_up_in_no_time() {
    // The last checkpoint is nearly its greatest age.
    const TICKS: u32 = 21_600 + 890;
    const PLAYERS: u16 = 200;
    let seed = seed(31);
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let header = common::header(seed);
    let options = JournalOptions { queue_ticks: TICKS as usize, ..JournalOptions::default() };
    let file = common::new_file(&path);
    let mut journal = Journal::create(file, &header, options).unwrap();
    let mut battle = Battle::new(common::setup(&header, 1));
    let (mut script, mut dice) = (Script::new(seed, 20), Dice(seed));
    let mut crowd = vec![Input::default(); usize::from(PLAYERS)];
    for tick in 1..=TICKS {
        let (mut commands, admitted) = script.tick(tick);
        // Inputs of players whom the simulation does not know fill the journal, and cost nothing.
        for (slot, input) in crowd.iter_mut().enumerate().skip(20) {
            input.yaw.0 = input.yaw.0.wrapping_add(dice.below(256) as u16).wrapping_sub(128);
            input.view_tick = Tick(tick.saturating_sub(6));
            let player = PlayerSlot(slot as u16);
            commands.push(Command { player, action: Action::Input(*input) });
        }
        battle.step(&commands);
        journal.push_tick(Tick(tick), battle.state_hash() as u32, &commands, &admitted);
        if tick % 900 == 0 {
            let mut checkpoint =
                Checkpoint { battle: Vec::new(), roster: JournalRoster::default() };
            battle.checkpoint(&mut checkpoint.battle);
            journal.push_checkpoint(Tick(tick), checkpoint);
        }
    }
    drop(journal);
    let began = Instant::now();
    let recovered = recover(&mut JournalReader::open(&path).unwrap(), 1).unwrap();
    let took = began.elapsed();
    assert_eq!(recovered.battle.state_hash(), battle.state_hash());
    let bytes = std::fs::metadata(&path).unwrap().len();
    let per_player_tick = bytes as f64 / f64::from(TICKS) / f64::from(PLAYERS);
    println!("{bytes} bytes, {per_player_tick:.2} a player-tick, taken up in {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}
