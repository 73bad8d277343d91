//! Reading a snapshot: record by record, or as the complete set of entities.

use super::{
    HitMarker, Motion, SnapshotHeader, Sound,
    encoder::{GAP_LONG_BITS, GAP_ONES_MAX},
    entity::{get_common, get_delta, get_full},
    own::get_own,
    sense::get_senses,
};
use crate::{
    bits::BitReader,
    error::DecodeError,
    limits::{BASELINE_TICKS, DATAGRAM_BYTES_MAX, ENTITIES_MAX, ENTITY_ID_END},
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
    /// Parallel to the entities: what later snapshots are read with.
    tracks: Vec<Track>,
    /// Entities that the datagram itself had a state of.
    pub updated: u32,
    /// Entities that it removed.
    pub removed: u32,
}

/// What is remembered of an entity beside its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Track {
    /// The snapshot had a state of it, so that the state is surely one of the snapshot's tick.
    told: bool,
    motion: Motion,
}

impl Snapshot {
    /// What a client holds after a full snapshot of `tick`. Ids rise.
    pub fn of(tick: u32, entities: Vec<(u32, EntityState)>) -> Self {
        let header = SnapshotHeader { tick, ..SnapshotHeader::default() };
        let tracks = vec![Track { told: true, motion: Motion::NONE }; entities.len()];
        Self { header, entities, tracks, ..Self::default() }
    }

    /// Reads a datagram over what `out` held. `baseline` gives the snapshot of a tick that was
    /// decoded before, if it is still there; it is asked at most once.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong, or `UnknownBaseline`; `out` is then of no use.
    pub fn decode<'b>(
        datagram: &[u8],
        baseline: impl FnOnce(u32) -> Option<&'b Self>,
        out: &mut Self,
    ) -> Result<(), DecodeError> {
        let mut reader = SnapshotReader::new(datagram, out)?;
        out.entities.clear();
        out.tracks.clear();
        (out.updated, out.removed) = (0, 0);
        let nothing = Self::default();
        let base = match out.header.baseline {
            None => &nothing,
            Some(tick) => baseline(tick).ok_or(DecodeError::UnknownBaseline(tick))?,
        };
        out.read_records(&mut reader, base)?;
        out.read_enters(&mut reader, base)?;
        reader.finish()
    }

    fn read_records(
        &mut self,
        reader: &mut SnapshotReader<'_>,
        base: &Self,
    ) -> Result<(), DecodeError> {
        let tick = self.header.tick;
        let mut at = 0;
        while let Some(skipped) = reader.next_skip()? {
            let unmentioned = at..at + skipped as usize;
            at = unmentioned.end;
            let Some((id, state)) = base.entities.get(at) else {
                return Err(DecodeError::UnknownEntity(at as u32));
            };
            self.keep(&base.entities[unmentioned]);
            let (expected, is_moving) = base.expected(at, tick);
            let track = match reader.change(&expected, is_moving)? {
                Change::Delta(to) => {
                    let ticks = tick.wrapping_sub(base.header.tick);
                    let told_before = base.tracks.get(at).is_some_and(|track| track.told);
                    let motion = Motion::between(state, &to, ticks);
                    Some((to, if told_before { motion } else { Motion::NONE }))
                }
                Change::Full(to) => Some((to, Motion::NONE)),
                Change::Removed => None,
            };
            at += 1;
            if let Some((to, motion)) = track {
                self.entities.push((*id, to));
                self.tracks.push(Track { told: true, motion });
                self.updated += 1;
            } else {
                self.removed += 1;
            }
        }
        self.keep(&base.entities[at..]);
        Ok(())
    }

    /// Takes over what the datagram does not mention.
    fn keep(&mut self, unmentioned: &[(u32, EntityState)]) {
        self.entities.extend_from_slice(unmentioned);
        self.tracks.resize(self.entities.len(), Track::default());
    }

    fn read_enters(
        &mut self,
        reader: &mut SnapshotReader<'_>,
        base: &Self,
    ) -> Result<(), DecodeError> {
        let known = self.entities.len();
        while let Some((id, state)) = reader.next_enter()? {
            if base.entities.binary_search_by_key(&id, |(id, _)| *id).is_ok() {
                return Err(DecodeError::NotCanonical);
            }
            if self.entities.len() >= ENTITIES_MAX {
                return Err(DecodeError::OutOfRange);
            }
            self.entities.push((id, state));
            self.tracks.push(Track { told: true, motion: Motion::NONE });
            self.updated += 1;
        }
        // Both parts are in order; each that entered moves down to its place.
        for from in known..self.entities.len() {
            let id = self.entities[from].0;
            let to = self.entities[..from].partition_point(|(other, _)| *other < id);
            self.entities[to..=from].rotate_right(1);
            self.tracks[to..=from].rotate_right(1);
        }
        Ok(())
    }

    /// Where the entity at `index` is expected at `tick`, a later one, and whether that is so
    /// because it moved.
    pub fn expected(&self, index: usize, tick: u32) -> (EntityState, bool) {
        let state = &self.entities[index].1;
        let Some(track) = self.tracks.get(index) else { return (*state, false) };
        let ahead = tick.wrapping_sub(self.header.tick);
        let is_moving = is_carried_on(ahead, track.motion.ticks());
        (if is_moving { track.motion.predict(state, ahead) } else { *state }, is_moving)
    }

    /// The state of an entity.
    pub fn entity(&self, id: u32) -> Option<&EntityState> {
        let at = self.entities.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.entities[at].1)
    }
}

/// Whether a motion that took `ticks` (0: there was none) counts `ahead` ticks later: while its
/// beginning is less than [`BASELINE_TICKS`] ago.
#[inline(always)]
pub fn is_carried_on(ahead: u32, ticks: u32) -> bool {
    ticks > 0 && ahead.saturating_add(ticks) < BASELINE_TICKS
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
/// amounts to: [`next_skip`](Self::next_skip) and [`change`](Self::change) in turn, then
/// [`next_enter`](Self::next_enter) to the end, then [`finish`](Self::finish).
#[derive(Clone, Debug)]
pub struct SnapshotReader<'a> {
    reader: BitReader<'a>,
    header: SnapshotHeader,
    next_id: u32,
    records_left: u32,
    /// The record at hand is a delta of x z and yaw behind nobody.
    is_common: bool,
    /// Nobody is passed over before the record at hand.
    behind_nobody: bool,
    is_over: bool,
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
        let (header, records_left) = SnapshotHeader::get(&mut reader)?;
        out.header = header;
        out.own = get_own(&mut reader)?;
        get_senses(&mut reader, &mut out.sounds, &mut out.hits)?;
        Ok(Self {
            reader,
            header,
            next_id: 0,
            records_left,
            is_common: false,
            behind_nobody: false,
            is_over: false,
        })
    }

    /// How many of the baseline's entities the next record passes over; `None` after the last.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong.
    pub fn next_skip(&mut self) -> Result<Option<u32>, DecodeError> {
        if self.records_left == 0 {
            return Ok(None);
        }
        self.records_left -= 1;
        self.is_common = !self.reader.get_bit()?;
        if self.is_common {
            return Ok(Some(0));
        }
        let skipped = self.gap(u32::from(self.header.tuning.skip_bits))?;
        self.behind_nobody = skipped == 0;
        Ok(Some(skipped))
    }

    /// What the record says; the entity is expected at `expected`, by its motion or not.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong.
    #[inline]
    pub fn change(
        &mut self,
        expected: &EntityState,
        is_moving: bool,
    ) -> Result<Change, DecodeError> {
        let scale = self.header.tuning.scale(is_moving);
        if self.is_common {
            return get_common(&mut self.reader, expected, scale).map(Change::Delta);
        }
        if !self.reader.get_bit()? {
            let (reader, behind_nobody) = (&mut self.reader, self.behind_nobody);
            return get_delta(reader, expected, scale, behind_nobody).map(Change::Delta);
        }
        match self.reader.get_bit()? {
            false => get_full(&mut self.reader).map(Change::Full),
            true => Ok(Change::Removed),
        }
    }

    /// The next entity that enters; `None` after the last.
    ///
    /// # Errors
    /// Whatever a stranger can do wrong.
    pub fn next_enter(&mut self) -> Result<Option<(u32, EntityState)>, DecodeError> {
        self.is_over = self.is_over || !self.reader.get_bit()?;
        if self.is_over {
            return Ok(None);
        }
        let id = self.next_id + self.gap(u32::from(self.header.gap_bits))?;
        if id >= ENTITY_ID_END {
            return Err(DecodeError::OutOfRange);
        }
        self.next_id = id + 1;
        Ok(Some((id, get_full(&mut self.reader)?)))
    }

    #[inline(always)]
    fn gap(&mut self, gap_bits: u32) -> Result<u32, DecodeError> {
        let ones = self.reader.get_unary(GAP_ONES_MAX)?;
        if ones < GAP_ONES_MAX {
            return Ok(ones << gap_bits | self.reader.get(gap_bits)?);
        }
        let gap = self.reader.get(GAP_LONG_BITS)?;
        if gap >> gap_bits < GAP_ONES_MAX {
            return Err(DecodeError::NotCanonical);
        }
        Ok(gap)
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
        if self.records_left > 0 || !self.is_over {
            return Err(DecodeError::Trailing);
        }
        self.reader.finish()
    }
}
