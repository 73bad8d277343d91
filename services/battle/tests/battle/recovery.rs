//! A battle whose server dies at any point goes on as if it never had.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use crate::common::{Run, Script, seed};
use sortie_battle::failpoint::{Failpoint, Failpoints, Fault};
use sortie_battle::journal::{End, Journal, JournalOptions, JournalReader};
use sortie_battle::replay;
use sortie_battle::resume::{Recovered, recover};
use sortie_sim::id::Tick;
use tempfile::tempdir;

const TICKS: u32 = 240;

/// Runs until the fault, as far as the journal is concerned.
fn crash(path: &Path, seed: u64, failpoints: Failpoints) -> u32 {
    let options = JournalOptions { group: Duration::ZERO, failpoints, ..JournalOptions::default() };
    let mut run = Run::begin(path, seed, 10, options);
    run.until(TICKS);
    let Run { journal, .. } = run;
    let durable = journal.durable().0;
    drop(journal);
    durable
}

/// Takes a battle up from its journal and runs it to its end; gives the hashes of the new ticks.
fn go_on(path: &Path, seed: u64) -> (u32, Vec<u64>) {
    let mut reader = JournalReader::open(path).unwrap();
    let Recovered { mut battle, tail, .. } = recover(&mut reader, 1).unwrap();
    let from = battle.tick().0;
    let mut script = Script::new(seed, 10);
    (1..=from).for_each(|tick| drop(script.tick(tick)));
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut journal = Journal::resume(file, tail, JournalOptions::default()).unwrap();
    let mut hashes = Vec::new();
    for tick in from + 1..=TICKS {
        let (commands, admitted) = script.tick(tick);
        battle.step(&commands);
        hashes.push(battle.state_hash());
        journal.push_tick(Tick(tick), battle.state_hash() as u32, &commands, &admitted);
    }
    assert!(journal.close(End { tick: TICKS, hash: battle.state_hash() }));
    (from, hashes)
}

#[test]
fn every_failpoint_leads_to_the_same_battle() {
    let seed = seed(11);
    let dir = tempdir().unwrap();
    let path = dir.path().join("whole");
    let mut run = Run::begin(&path, seed, 10, JournalOptions::default());
    run.until(TICKS);
    let uninterrupted = run.close();
    // The others are passed by the server, not by the journal.
    let of_journals =
        Failpoint::ALL.into_iter().take_while(|(point, _)| *point != Failpoint::AfterEnd);
    for (point, name) in of_journals {
        for passage in [2, 3, 5, 30, 90] {
            let path = dir.path().join(format!("{name}-{passage}"));
            let faults = Failpoints::at(point, passage, Fault::Freeze);
            let durable = crash(&path, seed, faults);
            let (from, hashes) = go_on(&path, seed);
            assert!(from >= durable, "{name} {passage}: durable {durable}, taken up at {from}");
            assert_eq!(hashes[..], uninterrupted[from as usize + 1..], "{name} {passage}");
            let verified = replay::verify(&path, 1, &mut |_, _| {}).unwrap();
            assert_eq!((verified.ticks, verified.closed), (TICKS, true), "{name} {passage}");
        }
    }
}

#[test]
fn names_and_used_tickets_survive() {
    let seed = seed(12);
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let mut run = Run::begin(&path, seed, 10, JournalOptions::default());
    run.until(150);
    let roster = run.roster.clone();
    drop(run);
    let recovered = recover(&mut JournalReader::open(&path).unwrap(), 1).unwrap();
    assert_eq!(recovered.battle.tick(), Tick(150));
    assert_eq!(recovered.roster, roster);
    assert_eq!(roster.names.len(), 10);
}

#[test]
fn a_full_disk_ends_the_journal_and_not_the_battle() {
    let seed = seed(13);
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let failpoints = Failpoints::at(Failpoint::BeforeSync, 20, Fault::NoSpace);
    let options = JournalOptions { group: Duration::ZERO, failpoints, ..JournalOptions::default() };
    let mut run = Run::begin(&path, seed, 6, options);
    run.until(TICKS);
    let hash = run.battle.state_hash();
    assert_eq!(run.battle.tick(), Tick(TICKS), "the battle went on");
    assert!(!run.journal.close(End { tick: TICKS, hash }), "and knows that it is not recorded");
    // What was written before is still good.
    let verified = replay::verify(&path, 1, &mut |_, _| {}).unwrap();
    assert!(!verified.closed && verified.ticks > 0);
}

#[test]
fn a_slow_disk_holds_nobody_up() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let slow = Fault::Slow(Duration::from_millis(200));
    let options = JournalOptions {
        group: Duration::ZERO,
        failpoints: Failpoints::at(Failpoint::BeforeSync, 3, slow),
        queue_ticks: 16,
    };
    let mut run = Run::begin(&path, seed(14), 6, options);
    // Far more ticks than the queue holds, in far less time than their syncs would take.
    run.until(TICKS);
    assert!(run.journal.is_dead(), "a journal with a gap is none");
    assert!(run.battle.tick() == Tick(TICKS));
    drop(run);
    let verified = replay::verify(&path, 1, &mut |_, _| {}).unwrap();
    assert!(verified.ticks < TICKS);
}
