//! Reading a snapshot: record by record, or as the complete set of entities.

use super::{
    HitMarker, SnapshotHeader, Sound,
    encoder::{GAP_LONG_BITS, GAP_ONES_MAX},
    entity::{get_delta, get_full},
    own::get_own,
    sense::get_senses,
};
use crate::{
    bits::BitReader,
    error::DecodeError,
    limits::{DATAGRAM_BYTES_MAX, ENTITIES_MAX, ENTITY_ID_END},
    state::{EntityState, SelfState},
};

/// A decoded snapshot: all that the client knows at its tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// What it says about itself.
    pub header: SnapshotHeader,
    /// The own soldier.
    pub own: SelfState,
    /// What the player hears.
    pub sounds: Vec<Sound>,
    /// Whom the player hit.
    pub hits: Vec<HitMarker>,
    /// Every visible entity in rising order of id, those without news included.
    pub entities: Vec<(u32, EntityState)>,
    /// Entities that the datagram itself had a state of.
    pub updated: u32,
    /// Entities that it removed.
    pub removed: u32,
}

impl Snapshot {
    /// Reads a datagram over what `out` held. `baseline` gives the entities of the snapshot of a
    /// tick that was decoded before, if they are still there; it is asked at most once.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong, or `UnknownBaseline`; `out` is then of no use.
    pub fn decode<'b>(
        datagram: &[u8],
        baseline: impl FnOnce(u32) -> Option<&'b [(u32, EntityState)]>,
        out: &mut Self,
    ) -> Result<(), DecodeError> {
        let mut reader = SnapshotReader::new(datagram, out)?;
        let mut known: &[(u32, EntityState)] = match out.header.baseline {
            None => &[],
            Some(tick) => baseline(tick).ok_or(DecodeError::UnknownBaseline(tick))?,
        };
        out.entities.clear();
        (out.updated, out.removed) = (0, 0);
        while let Some(id) = reader.next_id()? {
            let unmentioned = known.iter().take_while(|(known_id, _)| *known_id < id).count();
            if unmentioned > 0 {
                extend(&mut out.entities, &known[..unmentioned])?;
                known = &known[unmentioned..];
            }
            let from = known.first().filter(|(known_id, _)| *known_id == id);
            known = &known[usize::from(from.is_some())..];
            match reader.change(from.map(|(_, state)| state))? {
                Change::Delta(state) | Change::Full(state) => {
                    out.updated += 1;
                    extend(&mut out.entities, &[(id, state)])?;
                }
                Change::Removed => out.removed += 1,
            }
        }
        extend(&mut out.entities, known)?;
        reader.finish()
    }

    /// The state of an entity.
    pub fn entity(&self, id: u32) -> Option<&EntityState> {
        let at = self.entities.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.entities[at].1)
    }
}

fn extend(
    entities: &mut Vec<(u32, EntityState)>,
    more: &[(u32, EntityState)],
) -> Result<(), DecodeError> {
    if entities.len() + more.len() > ENTITIES_MAX {
        return Err(DecodeError::OutOfRange);
    }
    entities.extend_from_slice(more);
    Ok(())
}

/// What a record says about its entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new state, coded as a difference.
    Delta(EntityState),
    /// A new state, coded as a whole.
    Full(EntityState),
    /// Not to be known any more.
    Removed,
}

/// Reads a snapshot record by record, for whoever wants to see what was sent rather than what it
/// amounts to: [`next_id`](Self::next_id) and [`change`](Self::change) in turn, then
/// [`finish`](Self::finish).
#[derive(Clone, Debug)]
pub struct SnapshotReader<'a> {
    reader: BitReader<'a>,
    gap_bits: u32,
    has_baseline: bool,
    next_id: u32,
    records_left: u32,
    /// The present record's id, until its change is read.
    id: u32,
}

impl<'a> SnapshotReader<'a> {
    /// Reads all that comes before the records into `out`.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong.
    pub fn new(datagram: &'a [u8], out: &mut Snapshot) -> Result<Self, DecodeError> {
        if datagram.len() > DATAGRAM_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        let mut reader = BitReader::new(datagram);
        let (header, records) = SnapshotHeader::get(&mut reader)?;
        out.header = header;
        out.own = get_own(&mut reader)?;
        get_senses(&mut reader, &mut out.sounds, &mut out.hits)?;
        Ok(Self {
            reader,
            gap_bits: u32::from(header.gap_bits),
            has_baseline: header.baseline.is_some(),
            next_id: 0,
            records_left: records,
            id: 0,
        })
    }

    /// The next record's entity; `None` after the last.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong.
    pub fn next_id(&mut self) -> Result<Option<u32>, DecodeError> {
        if self.records_left == 0 {
            return Ok(None);
        }
        self.records_left -= 1;
        let ones = self.reader.get_unary(GAP_ONES_MAX)?;
        let gap = if ones < GAP_ONES_MAX {
            ones << self.gap_bits | self.reader.get(self.gap_bits)?
        } else {
            self.reader.get(GAP_LONG_BITS)?
        };
        if ones == GAP_ONES_MAX && gap >> self.gap_bits < GAP_ONES_MAX {
            return Err(DecodeError::NotCanonical);
        }
        self.id = self.next_id + gap;
        if self.id >= ENTITY_ID_END {
            return Err(DecodeError::OutOfRange);
        }
        self.next_id = self.id + 1;
        Ok(Some(self.id))
    }

    /// What the record says; `from` is the entity's state in the baseline.
    ///
    /// # Errors
    /// `UnknownEntity` when the record needs one and there is none, or what a stranger can do.
    pub fn change(&mut self, from: Option<&EntityState>) -> Result<Change, DecodeError> {
        if !self.has_baseline {
            return get_full(&mut self.reader).map(Change::Full);
        }
        let is_delta = !self.reader.get_bit()?;
        if !is_delta && !self.reader.get_bit()? {
            return get_full(&mut self.reader).map(Change::Full);
        }
        let from = from.ok_or(DecodeError::UnknownEntity(self.id))?;
        if is_delta {
            get_delta(&mut self.reader, from).map(Change::Delta)
        } else {
            Ok(Change::Removed)
        }
    }

    /// Bits read so far.
    pub fn bit_len(&self) -> usize {
        self.reader.bit_len()
    }

    /// Accepts the end of the datagram.
    ///
    /// # Errors
    /// `Trailing` when records or bits are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.records_left > 0 {
            return Err(DecodeError::Trailing);
        }
        self.reader.finish()
    }
}
