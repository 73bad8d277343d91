//! Names in journals and replays can be taken out, at any time, and nothing else notices.

use std::path::Path;

use crate::common::{Run, seed};
use sortie_battle::journal::{self, JournalOptions, JournalReader};
use sortie_battle::replay;
use sortie_battle::resume::recover;
use sortie_sim::id::PlayerKey;
use tempfile::tempdir;

/// Of the third of a script's players, who is called `player 2`.
const KEY: PlayerKey = PlayerKey(1_002);
const NAME: &str = "player 2";

fn holds(path: &Path, name: &str) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
}

fn verify(path: &Path) -> replay::Verified {
    replay::verify(path, 1, &mut |_, _| {}).unwrap()
}

#[test]
fn a_replay_verifies_with_and_without_a_name() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let mut run = Run::begin(&path, seed(31), 6, JournalOptions::default());
    run.until(200);
    run.close();
    let with = verify(&path);
    assert!(holds(&path, NAME) && holds(&path, "player 1"));
    assert_eq!(replay::info(&path).unwrap().players[2], NAME);
    assert_eq!(journal::blank(&path, &[KEY]).unwrap(), 1);
    assert!(!holds(&path, NAME) && holds(&path, "player 1"));
    assert_eq!(verify(&path), with);
    let info = replay::info(&path).unwrap();
    assert_eq!((&*info.players[2], &*info.players[1]), ("", "player 1"));
    assert_eq!(info.player_ids[2], format!("{:032x}", KEY.0), "who it was, by which it is blanked");
    let seen = replay::seek(&path, 150, 1).unwrap();
    assert!(seen.view().soldiers.iter().any(|row| row.key == KEY), "who played there is known");
    // Again, and for somebody who was never there, nothing is to be done.
    assert_eq!(journal::blank(&path, &[KEY, PlayerKey(7)]).unwrap(), 0);
    // Everybody, one after the other.
    let all: Vec<PlayerKey> = (1_000..1_006).map(PlayerKey).collect();
    assert_eq!(journal::blank(&path, &all).unwrap(), 5);
    assert!(!holds(&path, "player"));
    assert_eq!(verify(&path), with);
}

#[test]
fn a_name_is_taken_out_while_the_journal_is_written() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let mut run = Run::begin(&path, seed(32), 6, JournalOptions::default());
    run.until(150);
    // What the journal's thread has not written yet cannot be taken out.
    while run.journal.durable().0 < 150 {
        std::thread::yield_now();
    }
    assert_eq!(journal::blank(&path, &[KEY]).unwrap(), 1);
    run.until(300);
    run.close();
    assert!(!holds(&path, NAME) && holds(&path, "player 3"));
    assert_eq!(verify(&path).ticks, 300);
}

#[test]
fn a_battle_is_taken_up_without_the_name() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let mut run = Run::begin(&path, seed(33), 6, JournalOptions::default());
    run.until(150);
    let roster = run.roster.clone();
    drop(run);
    journal::blank(&path, &[KEY]).unwrap();
    let recovered = recover(&mut JournalReader::open(&path).unwrap(), 1).unwrap();
    let mut without = roster.clone();
    without.names[2].clear();
    assert_eq!(recovered.roster, without);
}

#[test]
fn what_is_no_journal_is_left_alone() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("other");
    for content in [&b""[..], b"SORTIE-J", b"SORTIE-J\x02\0\0\0 of another format", &[0; 200]] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(journal::blank(&path, &[KEY]).unwrap(), 0);
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
    assert!(journal::blank(&dir.path().join("none"), &[KEY]).is_err());
}
