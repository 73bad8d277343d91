//! What is written is read back; what was damaged is an exact prefix or refused.

use std::path::Path;
use std::time::Duration;

use crate::common::{Dice, Run, Script, seed};
use proptest::prelude::*;
use sortie_battle::journal::{
    Found, JournalError, JournalOptions, JournalReader, Kind, TickRecord,
};
use tempfile::tempdir;

fn small_groups() -> JournalOptions {
    JournalOptions { group: Duration::ZERO, ..JournalOptions::default() }
}

/// All ticks of a journal, or why it is refused.
fn read(path: &Path) -> Result<Vec<TickRecord>, JournalError> {
    let mut reader = JournalReader::open(path)?;
    let (_, mut walk) = reader.start(None)?;
    let mut ticks = Vec::new();
    while let Some(found) = reader.next(&mut walk)? {
        if let Found::Ticks(group) = found {
            ticks.extend(group);
        }
    }
    Ok(ticks)
}

#[test]
fn what_is_written_is_read_back() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let seed = seed(1);
    let mut run = Run::begin(&path, seed, 12, JournalOptions::default());
    run.until(600);
    let hashes = run.close();
    let ticks = read(&path).unwrap();
    assert_eq!(ticks.len(), 600);
    let mut script = Script::new(seed, 12);
    for (record, tick) in ticks.iter().zip(1..) {
        let (commands, admitted) = script.tick(tick);
        assert_eq!(record.tick.0, tick);
        assert_eq!(record.commands, commands, "tick {tick}");
        assert_eq!(record.admitted, admitted, "tick {tick}");
        assert_eq!(record.hash, hashes[tick as usize] as u32);
    }
    let reader = JournalReader::open(&path).unwrap();
    assert_eq!(reader.end.map(|end| (end.tick, end.hash)), Some((600, hashes[600])));
    assert_eq!(reader.torn_bytes, 0);
}

#[test]
fn reading_may_begin_at_any_checkpoint() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let mut run = Run::begin(&path, seed(2), 8, small_groups());
    run.until(400);
    run.close();
    let all = read(&path).unwrap();
    let mut reader = JournalReader::open(&path).unwrap();
    for tick in [60, 180, 399] {
        let index = reader.checkpoint_before(tick);
        let (_, mut walk) = reader.start(index).unwrap();
        let mut next = tick as usize / 60 * 60;
        while let Some(found) = reader.next(&mut walk).unwrap() {
            let Found::Ticks(group) = found else { continue };
            for record in group {
                assert_eq!(record, all[next]);
                next += 1;
            }
        }
        assert_eq!(next, 400);
    }
}

/// A journal of moderate size, as bytes.
fn sample(seed: u64) -> (tempfile::TempDir, Vec<u8>, Vec<TickRecord>) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("j");
    let mut run = Run::begin(&path, seed, 4, small_groups());
    run.until(120);
    run.close();
    (dir, std::fs::read(&path).unwrap(), read(&path).unwrap())
}

#[test]
fn a_torn_tail_costs_only_itself() {
    let (dir, whole, ticks) = sample(seed(3));
    let path = dir.path().join("torn");
    let full = JournalReader::open(&dir.path().join("j")).unwrap();
    let first_block = full.blocks[0].offset as usize;
    for length in (0..whole.len()).rev().step_by(7) {
        std::fs::write(&path, &whole[..length]).unwrap();
        match read(&path) {
            Ok(prefix) => assert_eq!(prefix[..], ticks[..prefix.len()]),
            Err(JournalError::Torn { .. }) => assert!((12..first_block).contains(&length)),
            Err(JournalError::NoJournal { .. }) => assert!(length < 12, "the preamble is whole"),
            Err(error) => panic!("{length} bytes: {error}"),
        }
        let ends = full.blocks.iter().filter(|block| block.head.kind == Kind::Ticks);
        let mut whole_blocks = ends.filter(|block| {
            block.offset as usize + 32 + block.head.stored_bytes as usize <= length
        });
        let saved = whole_blocks.next_back().map_or(0, |block| block.head.last as usize);
        assert_eq!(read(&path).map_or(0, |prefix| prefix.len()), saved);
    }
}

#[test]
fn a_flipped_bit_in_the_middle_is_refused_with_its_ticks() {
    let (dir, whole, _) = sample(seed(4));
    let path = dir.path().join("flipped");
    let full = JournalReader::open(&dir.path().join("j")).unwrap();
    let (last, blocks) = full.blocks.split_last().unwrap();
    assert_eq!(last.head.kind, Kind::End);
    for block in blocks {
        let mut bytes = whole.clone();
        bytes[block.offset as usize + 40] ^= 4;
        std::fs::write(&path, &bytes).unwrap();
        match JournalReader::open(&path) {
            Err(JournalError::Damaged { ticks, offset, .. }) => {
                assert!(ticks.contains(&block.head.first) || block.head.kind != Kind::Ticks);
                assert_eq!(offset, block.offset);
            }
            other => panic!("ticks {}: {other:?}", block.head.first),
        }
    }
}

#[test]
fn mutations_give_an_exact_prefix_or_a_clean_refusal() {
    let seed = seed(5);
    let (dir, whole, ticks) = sample(seed);
    let path = dir.path().join("mutated");
    let mut dice = Dice(seed);
    let (mut prefixes, mut refusals) = (0, 0);
    for round in 0..12_000 {
        let mut bytes = whole.clone();
        mutate(&mut bytes, &mut dice);
        std::fs::write(&path, &bytes).unwrap();
        match read(&path) {
            Ok(prefix) => {
                assert!(is_prefix(&prefix, &ticks), "round {round} of seed {seed}");
                prefixes += 1;
            }
            Err(_) => refusals += 1,
        }
    }
    println!("{prefixes} exact prefixes, {refusals} refusals");
    assert!(prefixes > 500 && refusals > 500);
}

/// Names have checksums of their own, because they may be blanked: one that was changed is none.
fn is_prefix(prefix: &[TickRecord], ticks: &[TickRecord]) -> bool {
    prefix.iter().zip(ticks).all(|(read, written)| {
        let mut named = read.clone();
        let pairs = named.admitted.iter_mut().zip(&written.admitted);
        pairs.filter(|(read, _)| read.name.is_empty()).for_each(|(read, written)| {
            read.name.clone_from(&written.name);
        });
        named == *written
    })
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let length = bytes.len() as u64;
    let at = dice.below(length) as usize;
    let span = (1 + dice.below(300) as usize).min(bytes.len() - at);
    match dice.below(6) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..at + span)),
        3 => bytes[at..at + span].fill(dice.next() as u8),
        4 => {
            let copy = bytes[at..at + span].to_vec();
            let to = dice.below(length) as usize;
            drop(bytes.splice(to..to, copy));
        }
        _ => {
            let to = dice.below(length - span as u64) as usize;
            bytes.copy_within(at..at + span, to);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let dir = tempdir().unwrap();
        let path = dir.path().join("j");
        let mut file = b"SORTIE-J\x01\0\0\0".to_vec();
        file.extend_from_slice(&bytes);
        std::fs::write(&path, &file).unwrap();
        prop_assert!(JournalReader::open(&path).is_err());
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(JournalReader::open(&path).is_err());
    }
}

#[test]
fn another_version_is_named() {
    let (dir, mut whole, _) = sample(seed(6));
    whole[8] = 9;
    let path = dir.path().join("other");
    std::fs::write(&path, &whole).unwrap();
    let error = JournalReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("format 9") && error.contains("format 3"), "{error}");
}
