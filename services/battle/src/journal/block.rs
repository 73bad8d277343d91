//! Blocks: what a journal file is a sequence of.
//!
//! ```text
//! file    "SORTIE-J" | format version u16 | zero u16 | block*
//! block   "BLK1" | kind u8 | coding u8 (0 as it is, 1 zstd) | zero u16 | sequence u32
//!         | first tick u32 | last tick u32 | raw length u32 | stored length u32
//!         | CRC-32 u32 of all before it and of the stored bytes | stored bytes
//! ```
//! The checksum of a block of names leaves the names out, which can be blanked: `names.rs`.
//! All numbers are little-endian. Sequence numbers count from 0 without gaps, so that a block
//! removed, doubled or moved is noticed as surely as a changed bit.

use std::io::Read;

use super::bytes::Parts;
use super::error::Damage;
use super::names;

/// First bytes of the file.
pub(super) const MAGIC: [u8; 8] = *b"SORTIE-J";
/// Version of the format of files and blocks.
pub const FORMAT_VERSION: u16 = 3;
/// Bytes before the first block.
pub const PREAMBLE_BYTES: usize = 12;
/// Bytes of a block before its stored bytes.
pub const BLOCK_HEAD_BYTES: usize = 32;
/// Most bytes of a block, stored or raw: four times the checkpoint of a full battle.
pub const BLOCK_BYTES_MAX: usize = 32 << 20;

pub(crate) const MARKER: [u8; 4] = *b"BLK1";
const CRC_AT: usize = 28;
/// Smaller blocks do not get smaller.
const COMPRESS_BYTES_MIN: usize = 64;
/// Twice as fast as the level above, 3 % larger.
const ZSTD_LEVEL: i32 = 3;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// What the battle is; the first block.
    Header = 0,
    /// The commands and hashes of a run of ticks.
    Ticks = 1,
    /// The whole state after a tick.
    Checkpoint = 2,
    /// The battle ended in order; the last block.
    End = 3,
    /// The names of those who were let in in the ticks of the next block.
    Names = 4,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        let all = [Self::Header, Self::Ticks, Self::Checkpoint, Self::End, Self::Names];
        all.get(usize::from(number)).copied()
    }
}

/// A block's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it holds.
    pub kind: Kind,
    /// Its number in the file.
    pub sequence: u32,
    /// First tick that it covers.
    pub first: u32,
    /// Last tick that it covers.
    pub last: u32,
    /// Bytes after decompression.
    pub raw_bytes: u32,
    /// Bytes in the file behind the head.
    pub stored_bytes: u32,
    is_compressed: bool,
    crc: u32,
}

impl Head {
    /// Reads a head that could be one; the stored bytes decide whether it is.
    pub(crate) fn parse(bytes: &[u8; BLOCK_HEAD_BYTES]) -> Result<Self, Damage> {
        let mut parts = Parts::new(bytes);
        if parts.take(4)? != MARKER {
            return Err(Damage("no block begins here"));
        }
        let kind = Kind::from_number(parts.u8()?).ok_or(Damage("a block is of no known kind"))?;
        let is_compressed = match parts.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Damage("a block is of no known coding")),
        };
        if parts.u16()? != 0 {
            return Err(Damage("reserved bits are set"));
        }
        let head = Self {
            kind,
            is_compressed,
            sequence: parts.u32()?,
            first: parts.u32()?,
            last: parts.u32()?,
            raw_bytes: parts.u32()?,
            stored_bytes: parts.u32()?,
            crc: parts.u32()?,
        };
        let bytes_max = head.raw_bytes.max(head.stored_bytes);
        let is_plain = head.kind != Kind::Names || !is_compressed;
        if head.last < head.first || !is_plain || bytes_max as usize > BLOCK_BYTES_MAX {
            return Err(Damage("a block's head is nonsense"));
        }
        Ok(head)
    }

    /// Whether head and stored bytes are as they were written.
    pub(crate) fn check(&self, head: &[u8; BLOCK_HEAD_BYTES], stored: &[u8]) -> Result<(), Damage> {
        if crc_of(self.kind, &head[..CRC_AT], stored) == self.crc {
            Ok(())
        } else {
            Err(Damage("its checksum does not match"))
        }
    }

    /// The block's content. Memory grows with what comes out, never by what the head claims.
    pub fn content(&self, stored: &[u8]) -> Result<Vec<u8>, Damage> {
        if !self.is_compressed {
            return Ok(stored.to_vec());
        }
        let mut raw = Vec::new();
        let limit = u64::from(self.raw_bytes) + 1;
        zstd::stream::read::Decoder::with_buffer(stored)
            .and_then(|decoder| decoder.take(limit).read_to_end(&mut raw))
            .map_err(|_| Damage("it cannot be decompressed"))?;
        if raw.len() as u64 + 1 == limit { Ok(raw) } else { Err(Damage("its length is wrong")) }
    }
}

/// Appends a block of `raw` to `out`.
pub(crate) fn put_block(
    out: &mut Vec<u8>,
    kind: Kind,
    sequence: u32,
    (first, last): (u32, u32),
    raw: &[u8],
) {
    assert!(raw.len() <= BLOCK_BYTES_MAX, "a block of {} bytes", raw.len());
    // Out of memory is the only reason to fail; the bytes then go as they are.
    let packed = (kind != Kind::Names && raw.len() >= COMPRESS_BYTES_MIN)
        .then(|| zstd::bulk::compress(raw, ZSTD_LEVEL).ok())
        .flatten()
        .filter(|packed| packed.len() < raw.len());
    let stored = packed.as_deref().unwrap_or(raw);
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[kind as u8, u8::from(packed.is_some()), 0, 0]);
    for number in [sequence, first, last, raw.len() as u32, stored.len() as u32] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let crc = crc_of(kind, &out[start..], stored);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(stored);
}

fn crc_of(kind: Kind, head: &[u8], stored: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    match kind {
        Kind::Names => names::lasting(stored).for_each(|part| crc.update(part)),
        _ => crc.update(stored),
    }
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_and_no_other_bytes_do() {
        for raw in [vec![7; 5_000], (0..=255).collect(), vec![1, 2, 3], Vec::new()] {
            let mut file = Vec::new();
            put_block(&mut file, Kind::Ticks, 3, (10, 15), &raw);
            let (head_bytes, stored) = file.split_first_chunk().unwrap();
            let head = Head::parse(head_bytes).unwrap();
            assert_eq!((head.kind, head.sequence, head.first, head.last), (Kind::Ticks, 3, 10, 15));
            head.check(head_bytes, stored).unwrap();
            assert_eq!(head.content(stored).unwrap(), raw);
            for bit in 0..file.len() * 8 {
                let mut other = file.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                let (head_bytes, stored) = other.split_first_chunk().unwrap();
                let accepted = Head::parse(head_bytes)
                    .is_ok_and(|head| head.check(head_bytes, stored).is_ok());
                assert!(!accepted, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_lying_head_allocates_no_more_than_comes_out() {
        let mut file = Vec::new();
        put_block(&mut file, Kind::Ticks, 0, (0, 0), &[0; 1_000]);
        let (head, stored) = file.split_first_chunk().unwrap();
        let honest = Head::parse(head).unwrap();
        for raw_bytes in [0, 999, 1_001, BLOCK_BYTES_MAX as u32] {
            assert!(Head { raw_bytes, ..honest }.content(stored).is_err());
        }
    }
}
