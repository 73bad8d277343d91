//! simulation-version: a replay of another simulation is refused for its version, by that name.
//! Goes to services/battle/tests.
#![allow(dead_code, reason = "of the helpers a part is used")]

#[path = "battle/common.rs"]
mod common;

use common::{header, new_file};
use sortie_battle::journal::{Checkpoint, End, Journal, JournalError, JournalOptions, Roster};
use sortie_battle::replay::{self, ReplayError};
use sortie_sim::id::Tick;

#[test]
fn a_replay_of_another_simulation_is_refused_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let mut header = header(7);
    header.simulation = "sortie-sim of another time".to_owned();
    let mut journal = Journal::create(new_file(&path), &header, JournalOptions::default()).unwrap();
    journal.push_tick(Tick(1), 7, &[], &[]);
    let battle = b"state of other rules".to_vec();
    journal.push_checkpoint(Tick(1), Checkpoint { battle, roster: Roster::default() });
    journal.push_tick(Tick(2), 7, &[], &[]);
    assert!(journal.close(End { tick: 2, hash: 7 }));
    let error = replay::seek(&path, 2, 1).err().expect("it cannot be shown");
    let is_version = matches!(error, ReplayError::Journal(JournalError::Version { .. }));
    assert!(is_version, "simulation-version: told as: {error}");
}
