//! Names: the one part of a journal that says who somebody is, in places that can be blanked.
//!
//! ```text
//! names   entry*
//! entry   slot u16 | player key u128 | field of 37 bytes
//! field   length u8 | name, zeros behind it, 32 bytes | CRC-32 u32 of both
//! ```
//! Names are kept for as long as journals are, and whoever is erased may not be in them. So they
//! stand nowhere else in the file, uncompressed and at fixed places, and the block's checksum
//! leaves the fields out: [`blank`] writes zeros over a field, in one place, also in a journal that
//! is being written, and whatever a crash leaves of that is a field that reads as no name.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sortie_sim::id::{PlayerKey, PlayerSlot};
use sortie_wire::limits::NAME_BYTES_MAX;

use super::block::{BLOCK_HEAD_BYTES, FORMAT_VERSION, Head, Kind, MAGIC, PREAMBLE_BYTES};
use super::bytes::Parts;
use super::error::Damage;
use super::roster::Admitted;

const FIELD_AT: usize = 18;
const FIELD_BYTES: usize = 1 + NAME_BYTES_MAX + 4;
const ENTRY_BYTES: usize = FIELD_AT + FIELD_BYTES;

/// A name in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The player's place.
    pub slot: PlayerSlot,
    /// Who it is to the control plane.
    pub key: PlayerKey,
    /// What others saw; empty when it was blanked.
    pub name: String,
}

/// Appends the name of somebody who was let in.
pub(super) fn put(out: &mut Vec<u8>, admitted: &Admitted) {
    out.extend_from_slice(&admitted.slot.0.to_le_bytes());
    out.extend_from_slice(&admitted.key.0.to_le_bytes());
    let name = &admitted.name[..admitted.name.floor_char_boundary(NAME_BYTES_MAX)];
    let mut field = [0; FIELD_BYTES];
    field[0] = name.len() as u8;
    field[1..=name.len()].copy_from_slice(name.as_bytes());
    let (text, crc) = field.split_at_mut(1 + NAME_BYTES_MAX);
    crc.copy_from_slice(&crc32fast::hash(text).to_le_bytes());
    out.extend_from_slice(&field);
}

/// Reads a block of names.
pub(super) fn take_all(stored: &[u8]) -> Result<Vec<Named>, Damage> {
    let entries = stored.chunks_exact(ENTRY_BYTES);
    if !entries.remainder().is_empty() {
        return Err(Damage("a name is cut off"));
    }
    let read = |entry: &[u8]| {
        let (front, field) = entry.split_at(FIELD_AT);
        let mut parts = Parts::new(front);
        let (slot, key) = (PlayerSlot(parts.u16()?), PlayerKey(parts.u128()?));
        Ok(Named { slot, key, name: name_of(field).unwrap_or_default().to_owned() })
    };
    entries.map(read).collect()
}

fn name_of(field: &[u8]) -> Option<&str> {
    let (text, crc) = field.split_at_checked(1 + NAME_BYTES_MAX)?;
    let is_whole = crc32fast::hash(text).to_le_bytes() == *crc;
    let name = text.get(1..1 + usize::from(*text.first()?)).filter(|_| is_whole)?;
    std::str::from_utf8(name).ok()
}

/// Everything of a block of names that its checksum covers: all but the fields.
pub(super) fn lasting(stored: &[u8]) -> impl Iterator<Item = &[u8]> {
    stored.chunks(ENTRY_BYTES).map(|entry| &entry[..entry.len().min(FIELD_AT)])
}

/// Blanks all names of these players in a journal or replay, and says how many fields it wrote.
/// On the disk when this returns. A file of another format has no such fields, and is left alone.
///
/// # Errors
/// Of the disk.
pub fn blank(path: &Path, players: &[PlayerKey]) -> io::Result<usize> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let bytes = file.metadata()?.len();
    let mut preamble = [0; PREAMBLE_BYTES];
    if bytes < PREAMBLE_BYTES as u64 {
        return Ok(0);
    }
    file.read_exact_at(&mut preamble, 0)?;
    if preamble[..8] != MAGIC || preamble[8..10] != FORMAT_VERSION.to_le_bytes() {
        return Ok(0);
    }
    let (mut offset, mut blanked) = (PREAMBLE_BYTES as u64, 0);
    loop {
        let mut head = [0; BLOCK_HEAD_BYTES];
        let stored_at = offset + BLOCK_HEAD_BYTES as u64;
        if stored_at > bytes {
            break;
        }
        file.read_exact_at(&mut head, offset)?;
        // What a crash left, or is being written.
        let Ok(head) = Head::parse(&head) else { break };
        offset = stored_at + u64::from(head.stored_bytes);
        if offset > bytes {
            break;
        }
        if head.kind != Kind::Names {
            continue;
        }
        let mut stored = vec![0; head.stored_bytes as usize];
        file.read_exact_at(&mut stored, stored_at)?;
        for (index, named) in take_all(&stored).unwrap_or_default().iter().enumerate() {
            let at = index * ENTRY_BYTES + FIELD_AT;
            let is_blank = stored[at..at + FIELD_BYTES] == [0; FIELD_BYTES];
            if players.contains(&named.key) && !is_blank {
                file.write_all_at(&[0; FIELD_BYTES], stored_at + at as u64)?;
                blanked += 1;
            }
        }
    }
    if blanked > 0 {
        file.sync_data()?;
    }
    Ok(blanked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::block::put_block;

    fn admitted(slot: u16, name: &str) -> Admitted {
        let key = PlayerKey(100 + u128::from(slot));
        Admitted { slot: PlayerSlot(slot), key, ticket_id: 1, name: name.to_owned() }
    }

    fn block(names: &[&str]) -> Vec<u8> {
        let mut raw = Vec::new();
        for (slot, name) in (0..).zip(names) {
            put(&mut raw, &admitted(slot, name));
        }
        let mut file = Vec::new();
        put_block(&mut file, Kind::Names, 1, (0, 0), &raw);
        file
    }

    /// What is read of a block; `None`: it is refused.
    fn read(block: &[u8]) -> Option<Vec<Named>> {
        let (head_bytes, stored) = block.split_first_chunk().unwrap();
        let head = Head::parse(head_bytes).ok()?;
        head.check(head_bytes, stored.get(..head.stored_bytes as usize)?).ok()?;
        take_all(&head.content(stored).ok()?).ok()
    }

    #[test]
    fn names_come_back_and_are_cut_between_letters() {
        let long = "ö".repeat(40);
        let all = read(&block(&["Ada", "", &long])).unwrap();
        let names: Vec<&str> = all.iter().map(|named| &*named.name).collect();
        assert_eq!(names, ["Ada", "", &long[..32]]);
        assert_eq!((all[2].slot, all[2].key), (PlayerSlot(2), PlayerKey(102)));
    }

    /// However far a crash comes with blanking: the block is good, and the name is there or not.
    #[test]
    fn a_name_that_is_blanked_in_part_is_none() {
        let whole = block(&["Ada Lovelace", "Bo"]);
        let at = BLOCK_HEAD_BYTES + FIELD_AT;
        for blanked in 1..=FIELD_BYTES {
            let mut block = whole.clone();
            block[at..at + blanked].fill(0);
            let all = read(&block).expect("the block is good");
            assert_eq!((&*all[0].name, &*all[1].name), ("", "Bo"), "{blanked} bytes");
        }
    }

    #[test]
    fn a_changed_bit_beside_the_name_is_refused_and_in_it_costs_the_name() {
        let whole = block(&["Ada", "Bo"]);
        for bit in 0..whole.len() * 8 {
            let mut block = whole.clone();
            block[bit / 8] ^= 1 << (bit % 8);
            let place = (bit / 8).checked_sub(BLOCK_HEAD_BYTES).map(|at| at % ENTRY_BYTES);
            match read(&block) {
                None => assert!(place.is_none_or(|place| place < FIELD_AT), "bit {bit}"),
                Some(all) => {
                    assert!(place.is_some_and(|place| place >= FIELD_AT), "bit {bit}");
                    assert_eq!(all.iter().filter(|named| named.name.is_empty()).count(), 1);
                }
            }
        }
    }
}
