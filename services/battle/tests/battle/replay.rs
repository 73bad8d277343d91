//! A replay verifies, and no other bytes do.

use std::path::{Path, PathBuf};

use crate::common::{Run, seed};
use sortie_battle::journal::{
    Checkpoint, End, Journal, JournalError, JournalHeader, JournalOptions, JournalReader, Kind,
};
use sortie_battle::replay::{self, ReplayError};
use sortie_battle::resume::recover;
use sortie_sim::command::{Action, Command};
use sortie_sim::id::Tick;
use tempfile::{TempDir, tempdir};

const TICKS: u32 = 300;

fn recorded(seed: u64) -> (TempDir, PathBuf, Vec<u64>) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let mut run = Run::begin(&path, seed, 10, JournalOptions::default());
    run.until(TICKS);
    (dir, path, run.close())
}

fn verify(path: &Path, threads: usize) -> Result<replay::Verified, ReplayError> {
    replay::verify(path, threads, &mut |_, _| {})
}

#[test]
fn a_replay_verifies_with_any_number_of_threads() {
    let (_dir, path, hashes) = recorded(seed(21));
    let once = verify(&path, 1).unwrap();
    assert_eq!((once.ticks, once.checkpoints, once.closed), (TICKS, 5, true));
    assert_eq!(once.state_hash, format!("{:016x}", hashes[TICKS as usize]));
    assert_eq!(verify(&path, 3).unwrap(), once);
}

#[test]
fn seeking_shows_the_tick_that_was() {
    let (_dir, path, hashes) = recorded(seed(22));
    for tick in [0, 1, 59, 60, 61, 200, TICKS] {
        let battle = replay::seek(&path, tick, 1).unwrap();
        assert_eq!(battle.tick(), Tick(tick));
        assert_eq!(battle.state_hash(), hashes[tick as usize], "tick {tick}");
    }
    let beyond = replay::seek(&path, TICKS + 1, 1);
    assert!(matches!(beyond, Err(ReplayError::NoSuchTick { asked: 301, last: 300 })));
}

#[test]
fn info_says_what_it_is() {
    let (_dir, path, _) = recorded(seed(23));
    let info = replay::info(&path).unwrap();
    assert_eq!((info.ticks, info.checkpoints, info.closed), (TICKS, 5, true));
    assert_eq!(info.seconds, 5.0);
    assert_eq!(info.players[0], "player 0");
}

#[test]
fn a_changed_byte_with_its_old_checksum_is_refused_with_the_ticks_named() {
    let (_dir, path, _) = recorded(seed(24));
    let reader = JournalReader::open(&path).unwrap();
    let mut groups = reader.blocks.iter().filter(|block| block.head.kind == Kind::Ticks);
    let block = *groups.nth(2).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[block.offset as usize + 50] ^= 0x10;
    std::fs::write(&path, &bytes).unwrap();
    let error = verify(&path, 1).unwrap_err().to_string();
    assert!(error.contains(&format!("ticks {} to", block.head.first)), "{error}");
    assert!(error.contains("checksum"), "{error}");
}

/// Writes the battle anew with another command in one tick, all checksums right: the work of a
/// forger who cannot simulate.
#[test]
fn a_changed_command_with_a_new_checksum_is_refused_at_its_tick() {
    let (dir, path, _) = recorded(seed(25));
    for forged_tick in [1, 100, 240, TICKS] {
        let forged = dir.path().join(format!("forged-{forged_tick}"));
        forge(&path, &forged, forged_tick);
        match verify(&forged, 1) {
            Err(ReplayError::Differs { tick, .. }) => assert_eq!(tick, forged_tick),
            other => panic!("tick {forged_tick}: {other:?}"),
        }
    }
}

fn forge(path: &Path, forged: &Path, forged_tick: u32) {
    use sortie_battle::journal::{Found, Journal};
    let mut reader = JournalReader::open(path).unwrap();
    let (_, mut walk) = reader.start(None).unwrap();
    let header = reader.header.clone();
    let file = crate::common::new_file(forged);
    let mut journal = Journal::create(file, &header, JournalOptions::default()).unwrap();
    while let Some(found) = reader.next(&mut walk).unwrap() {
        match found {
            Found::Ticks(ticks) => {
                for mut record in ticks {
                    if record.tick.0 == forged_tick {
                        change_one(&mut record.commands);
                    }
                    let (tick, hash) = (record.tick, record.hash);
                    journal.push_tick(tick, hash, &record.commands, &record.admitted);
                }
            }
            Found::Checkpoint(tick, checkpoint) => {
                journal.push_checkpoint(Tick(tick), *checkpoint);
            }
            Found::End(end) => {
                assert!(journal.close(end));
                return;
            }
        }
    }
    panic!("the replay has no end");
}

/// Another view direction for the first who gives an input.
fn change_one(commands: &mut [Command]) {
    let inputs = commands.iter_mut().find_map(|command| match &mut command.action {
        Action::Input(input) => Some(input),
        _ => None,
    });
    let input = inputs.expect("somebody gives an input");
    input.yaw.0 = input.yaw.0.wrapping_add(1);
}

/// A journal whose header names another simulation; its hashes and its checkpoint are nonsense to
/// this one.
fn of_another_simulation(path: &Path) {
    let header =
        JournalHeader { simulation: "sortie-sim 1".to_owned(), ..crate::common::header(26) };
    let file = crate::common::new_file(path);
    let mut journal = Journal::create(file, &header, JournalOptions::default()).unwrap();
    journal.push_tick(Tick(1), 0x1234_5678, &[], &[]);
    let checkpoint = Checkpoint { battle: vec![7; 100], ..Checkpoint::default() };
    journal.push_checkpoint(Tick(1), checkpoint);
    journal.push_tick(Tick(2), 0x1234_5678, &[], &[]);
    assert!(journal.close(End { tick: 2, hash: 1 }));
}

#[test]
fn a_replay_of_another_simulation_is_refused_by_that_name_whatever_is_asked_of_it() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    of_another_simulation(&path);
    let asked: [(&str, Option<ReplayError>); 6] = [
        ("info", replay::info(&path).err()),
        ("verify", verify(&path, 1).err()),
        ("verify each", replay::verify_each(&path, 1, &mut |_| {}).err()),
        ("each tick", replay::for_each_tick(&path, 1, &mut |_| {}).err()),
        ("seek before a checkpoint", replay::seek(&path, 0, 1).err()),
        ("seek behind a checkpoint", replay::seek(&path, 2, 1).err()),
    ];
    for (what, error) in asked {
        let Some(ReplayError::Journal(JournalError::Version { found, known })) = &error else {
            panic!("{what}: {error:?}");
        };
        assert_eq!((&**found, &**known), ("sortie-sim 1", sortie_sim::SIMULATION), "{what}");
    }
    let error = recover(&mut JournalReader::open(&path).unwrap(), 1).err().unwrap();
    assert!(JournalError::is_version(&error), "{error:#}");
}
