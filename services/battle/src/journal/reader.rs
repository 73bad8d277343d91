//! Reading journals back: a scan that finds out what is whole, and a walk over its ticks.
//!
//! A journal that ends in the middle of a block was torn by a crash: it counts up to the last
//! whole block. A block that is not whole while a later one is means that bytes were changed:
//! then everything from there on is refused, with the ticks named.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::block::{BLOCK_HEAD_BYTES, FORMAT_VERSION, Head, Kind, MAGIC, MARKER, PREAMBLE_BYTES};
use super::checkpoint::{Checkpoint, End};
use super::error::{Damage, JournalError};
use super::group::{Previous, TickRecord, decode_group};
use super::header::JournalHeader;
use super::names::{self, Named};

/// A block's place in the file.
#[derive(Clone, Copy, Debug)]
pub struct BlockPosition {
    /// Its head.
    pub head: Head,
    /// Where its head begins.
    pub offset: u64,
}

/// A journal that was scanned: everything up to `bytes` is as it was written.
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    file: File,
    /// What the battle is.
    pub header: JournalHeader,
    /// Names of those who were let in, oldest first; those that were blanked are empty.
    pub names: Vec<Named>,
    /// All whole blocks behind the header.
    pub blocks: Vec<BlockPosition>,
    /// Length of what is whole.
    pub bytes: u64,
    /// Bytes behind it, left by a crash.
    pub torn_bytes: u64,
    /// How the battle ended; `None` while it runs, or when it was torn.
    pub end: Option<End>,
}

/// Where writing goes on.
#[derive(Clone, Debug)]
pub struct Tail {
    pub(super) bytes: u64,
    pub(super) next_sequence: u32,
    pub(super) last_tick: u32,
    pub(super) previous: Previous,
}

impl JournalReader {
    /// Scans a journal: every checksum of it.
    ///
    /// # Errors
    /// It is no journal, of another version, or bytes in its middle were changed.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let mut input = BufReader::with_capacity(1 << 18, &file);
        check_preamble(path, &mut input)?;
        let mut scan = Scan {
            offset: PREAMBLE_BYTES as u64,
            file_bytes,
            next_sequence: 0,
            last_tick: 0,
            stored: Vec::new(),
            blocks: Vec::new(),
        };
        let stop = scan.run(&mut input);
        let bytes = scan.offset;
        if let Err(damage) = stop {
            let mut rest = Vec::new();
            let mut after = &file;
            after.seek(SeekFrom::Start(bytes)).map_err(failed)?;
            after.read_to_end(&mut rest).map_err(failed)?;
            if let Some(next) = find_block(&rest, scan.next_sequence) {
                let first = scan.last_tick + u32::from(!scan.blocks.is_empty());
                let last = next.first.max(first);
                let ticks = first..=last;
                return Err(JournalError::Damaged { ticks, offset: bytes, damage });
            }
        }
        let torn_bytes = file_bytes - bytes;
        Self::of_blocks(path, file, scan.blocks, bytes, torn_bytes)
    }

    fn of_blocks(
        path: &Path,
        mut file: File,
        mut blocks: Vec<BlockPosition>,
        bytes: u64,
        torn_bytes: u64,
    ) -> Result<Self, JournalError> {
        match blocks.first() {
            Some(block) if block.head.kind == Kind::Header => {}
            Some(_) => return Err(JournalError::NoJournal { path: path.to_owned() }),
            None => return Err(JournalError::Torn { path: path.to_owned() }),
        }
        let first = blocks.remove(0);
        let content = content_of(path, &mut file, &first)?;
        let header =
            JournalHeader::from_bytes(&content).map_err(|damage| damaged(&first, damage))?;
        let end = match blocks.last() {
            Some(last) if last.head.kind == Kind::End => {
                let content = content_of(path, &mut file, last)?;
                Some(End::from_bytes(&content).map_err(|damage| damaged(last, damage))?)
            }
            _ => None,
        };
        let mut names = Vec::new();
        for block in blocks.iter().filter(|block| block.head.kind == Kind::Names) {
            let content = content_of(path, &mut file, block)?;
            names.append(&mut names::take_all(&content).map_err(|damage| damaged(block, damage))?);
        }
        Ok(Self { path: path.to_owned(), file, header, names, blocks, bytes, torn_bytes, end })
    }

    /// The last tick in it; 0 when there is none.
    pub fn last_tick(&self) -> u32 {
        self.blocks.last().map_or(0, |block| block.head.last)
    }

    /// The newest checkpoint at or before `tick`.
    pub fn checkpoint_before(&self, tick: u32) -> Option<usize> {
        self.blocks
            .iter()
            .rposition(|block| block.head.kind == Kind::Checkpoint && block.head.last <= tick)
    }

    /// Reads a block's content, checking it again.
    ///
    /// # Errors
    /// The file changed since it was scanned.
    pub fn content(&mut self, place: &BlockPosition) -> Result<Vec<u8>, JournalError> {
        content_of(&self.path, &mut self.file, place)
    }

    /// Starts reading at the first tick, or behind the checkpoint at `blocks[index]`.
    ///
    /// # Errors
    /// The checkpoint is damaged.
    pub fn start(
        &mut self,
        checkpoint: Option<usize>,
    ) -> Result<(Option<Checkpoint>, Walk), JournalError> {
        let Some(index) = checkpoint else {
            let (next, previous, names) = (0, Previous::default(), Vec::new());
            return Ok((None, Walk { next, previous, names }));
        };
        let place = self.blocks[index];
        let content = self.content(&place)?;
        let (mut checkpoint, previous) =
            Checkpoint::from_bytes(&content).map_err(|damage| damaged(&place, damage))?;
        let before: Vec<BlockPosition> = self.blocks[..index].to_vec();
        for block in before.iter().filter(|block| block.head.kind == Kind::Names) {
            for named in self.names_of(block)? {
                checkpoint.roster.name_as(&named);
            }
        }
        Ok((Some(checkpoint), Walk { next: index + 1, previous, names: Vec::new() }))
    }

    fn names_of(&mut self, place: &BlockPosition) -> Result<Vec<Named>, JournalError> {
        let content = self.content(place)?;
        names::take_all(&content).map_err(|damage| damaged(place, damage))
    }

    /// What is found next; `None` at the end. A checkpoint that is found has no names: whoever
    /// walks has come by them.
    ///
    /// # Errors
    /// The block is damaged.
    pub fn next(&mut self, walk: &mut Walk) -> Result<Option<Found>, JournalError> {
        let place = loop {
            let Some(place) = self.blocks.get(walk.next).copied() else { return Ok(None) };
            walk.next += 1;
            if place.head.kind != Kind::Names {
                break place;
            }
            // Those of ticks that a crash took are followed by others.
            walk.names = self.names_of(&place)?;
        };
        let content = self.content(&place)?;
        let damage = |damage| damaged(&place, damage);
        Ok(Some(match place.head.kind {
            Kind::Header | Kind::Names => return Err(damage(Damage("a second header"))),
            Kind::Ticks => {
                let range = (place.head.first, place.head.last);
                let mut ticks =
                    decode_group(&content, range, &mut walk.previous).map_err(damage)?;
                let mut names = std::mem::take(&mut walk.names).into_iter();
                for admitted in ticks.iter_mut().flat_map(|record| &mut record.admitted) {
                    let named = names.next().filter(|named| named.key == admitted.key);
                    let named = named.ok_or_else(|| damage(Damage("somebody has no name")))?;
                    admitted.name = named.name;
                }
                Found::Ticks(ticks)
            }
            Kind::Checkpoint => {
                let (checkpoint, previous) = Checkpoint::from_bytes(&content).map_err(damage)?;
                walk.previous = previous;
                Found::Checkpoint(place.head.last, Box::new(checkpoint))
            }
            Kind::End => Found::End(End::from_bytes(&content).map_err(damage)?),
        }))
    }

    /// Where writing goes on after `walk` reached the end.
    pub fn tail(&self, walk: Walk) -> Tail {
        Tail {
            bytes: self.bytes,
            next_sequence: self.blocks.last().map_or(1, |block| block.head.sequence + 1),
            last_tick: self.last_tick(),
            previous: walk.previous,
        }
    }
}

/// A position in a journal.
#[derive(Clone, Debug)]
pub struct Walk {
    next: usize,
    previous: Previous,
    /// Of those who are let in in the next block of ticks.
    names: Vec<Named>,
}

/// What a walk comes upon.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A group of ticks, oldest first.
    Ticks(Vec<TickRecord>),
    /// The state after a tick.
    Checkpoint(u32, Box<Checkpoint>),
    /// The end of the battle.
    End(End),
}

fn content_of(
    path: &Path,
    file: &mut File,
    place: &BlockPosition,
) -> Result<Vec<u8>, JournalError> {
    let failed = |source| JournalError::Io { path: path.to_owned(), source };
    let mut head = [0; BLOCK_HEAD_BYTES];
    file.seek(SeekFrom::Start(place.offset)).map_err(failed)?;
    file.read_exact(&mut head).map_err(failed)?;
    let mut stored = vec![0; place.head.stored_bytes as usize];
    file.read_exact(&mut stored).map_err(failed)?;
    let checked = place.head.check(&head, &stored);
    checked.and_then(|()| place.head.content(&stored)).map_err(|damage| damaged(place, damage))
}

fn damaged(place: &BlockPosition, damage: Damage) -> JournalError {
    let ticks = place.head.first..=place.head.last;
    JournalError::Damaged { ticks, offset: place.offset, damage }
}

fn check_preamble(path: &Path, input: &mut impl Read) -> Result<(), JournalError> {
    let mut preamble = [0; PREAMBLE_BYTES];
    if input.read_exact(&mut preamble).is_err() || preamble[..MAGIC.len()] != MAGIC {
        return Err(JournalError::NoJournal { path: path.to_owned() });
    }
    let version = u16::from_le_bytes([preamble[8], preamble[9]]);
    if version != FORMAT_VERSION || preamble[10..] != [0; 2] {
        let found = format!("journal format {version}");
        return Err(JournalError::Version { found, known: format!("format {FORMAT_VERSION}") });
    }
    Ok(())
}

struct Scan {
    /// Everything before is whole.
    offset: u64,
    file_bytes: u64,
    next_sequence: u32,
    last_tick: u32,
    stored: Vec<u8>,
    blocks: Vec<BlockPosition>,
}

impl Scan {
    /// Reads whole blocks until the file ends or one is not whole.
    fn run(&mut self, input: &mut impl Read) -> Result<(), Damage> {
        while self.offset < self.file_bytes {
            let mut head_bytes = [0; BLOCK_HEAD_BYTES];
            input.read_exact(&mut head_bytes).map_err(|_| Damage("it ends early"))?;
            let head = Head::parse(&head_bytes)?;
            let end = self.offset + (BLOCK_HEAD_BYTES as u64) + u64::from(head.stored_bytes);
            // Nothing is allocated for bytes that are not there.
            if end > self.file_bytes {
                return Err(Damage("it ends early"));
            }
            self.stored.resize(head.stored_bytes as usize, 0);
            input.read_exact(&mut self.stored).map_err(|_| Damage("it ends early"))?;
            head.check(&head_bytes, &self.stored)?;
            self.check_order(&head)?;
            self.blocks.push(BlockPosition { head, offset: self.offset });
            self.offset = end;
            self.next_sequence += 1;
            self.last_tick = head.last;
        }
        Ok(())
    }

    fn check_order(&self, head: &Head) -> Result<(), Damage> {
        let has_ended = self.blocks.last().is_some_and(|block| block.head.kind == Kind::End);
        let follows = match head.kind {
            Kind::Header => self.blocks.is_empty(),
            Kind::Ticks => head.first == self.last_tick + 1,
            Kind::Checkpoint | Kind::End | Kind::Names => {
                head.first == self.last_tick && head.last == self.last_tick
            }
        };
        if head.sequence == self.next_sequence && follows && !has_ended {
            Ok(())
        } else {
            Err(Damage("blocks are missing, doubled or out of order"))
        }
    }
}

/// The first whole block in `rest` with at least this sequence number.
fn find_block(rest: &[u8], sequence_min: u32) -> Option<Head> {
    // A file full of lies could ask for a checksum of everything at every byte.
    let mut patience = rest.len() * 4 + (1 << 20);
    let mut at = 0;
    while let Some(found) = rest[at..].windows(MARKER.len()).position(|four| four == MARKER) {
        at += found;
        let (head_bytes, behind) = rest[at..].split_first_chunk()?;
        if let Ok(head) = Head::parse(head_bytes)
            && head.sequence >= sequence_min
            && let Some(stored) = behind.get(..head.stored_bytes as usize)
        {
            patience = patience.checked_sub(stored.len())?;
            if head.check(head_bytes, stored).is_ok() {
                return Some(head);
            }
        }
        at += 1;
    }
    None
}
