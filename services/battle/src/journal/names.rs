//! Names: the one part of a journal that says who somebody is, in places that can be blanked.
//!
//! ```text
//! names   entry*
//! entry   slot u16 | player key u128 | field of 37 bytes
//! field   length u8 | name, zeros behind it, 32 bytes | CRC-32 u32 of both
//! ```
//! Names are kept for as long as journals are, and whoever is erased may not be in them. So they
//! stand nowhere else in the file, uncompressed and at fixed places, and the block's checksum
//! leaves the fields out: [`blank`](super::blank()) writes zeros over a field, in one place, also
//! in a journal that is being written, and whatever a crash leaves of that is a field that reads
//! as no name.

use sortie_sim::id::{PlayerKey, PlayerSlot};
use sortie_wire::limits::NAME_BYTES_MAX;

use super::bytes::Parts;
use super::error::Damage;

/// Bytes of an entry before its field.
pub(super) const FIELD_AT: usize = 18;
/// Bytes of a field.
pub(super) const FIELD_BYTES: usize = 1 + NAME_BYTES_MAX + 4;
/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = FIELD_AT + FIELD_BYTES;

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
pub(super) fn put(out: &mut Vec<u8>, slot: PlayerSlot, key: PlayerKey, name: &str) {
    out.extend_from_slice(&slot.0.to_le_bytes());
    out.extend_from_slice(&key.0.to_le_bytes());
    let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::block::{BLOCK_HEAD_BYTES, Head, Kind, put_block};

    fn block(names: &[&str]) -> Vec<u8> {
        let mut raw = Vec::new();
        for (slot, name) in (0..).zip(names) {
            put(&mut raw, PlayerSlot(slot), PlayerKey(100 + u128::from(slot)), name);
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
