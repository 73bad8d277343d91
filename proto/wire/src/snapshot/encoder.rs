//! Writing a snapshot, record by record.
//!
//! ```text
//! header | own soldier | sounds and hit markers | records | enters | zero bits to the next byte
//!
//! record:  0 | x z and yaw                 as many as the header says; skip 0, nothing else
//!          1 | skip | action | state       all others
//!   skip     entities of the baseline passed over since the last record, as a gap with
//!            g = skip bits
//!   action   0: delta   10: full state   11: removal
//! enter:   1 | id gap | full state        then a zero
//!   id gap   ids passed over since the last enter (first: the id), with g = gap bits
//! gap:     gap / 2^g one-bits and a zero, then g bits of remainder;
//!          eight one-bits and 24 bits of gap when gap / 2^g is 8 or more
//! ```

use super::{
    HitMarker, SnapshotHeader, Sound,
    entity::{COMMON_HEAD_BITS, DeltaCode, Differences, GENERAL_BITS, Scale, put_full},
    own::put_own,
    sense::put_senses,
};
use crate::{
    bits::{BitWriter, WIDE_BITS_MAX},
    limits::{DATAGRAM_BYTES_MAX, ENTITY_ID_END},
    state::{EntityState, SelfState},
};

/// Longest run of ones in an id gap.
pub(super) const GAP_ONES_MAX: u32 = 8;
/// A skip of this many bits and a [`DeltaCode`] fit into one store.
const SHORT_SKIP_BITS: u32 = WIDE_BITS_MAX - DeltaCode::BITS_MAX - GENERAL_BITS - COMMON_HEAD_BITS;
/// Bits of a gap behind such a run.
pub(super) const GAP_LONG_BITS: u32 = 24;
/// Where the number of records stands in the datagram.
const COUNT_AT: core::ops::Range<usize> = 1..3;

/// The record does not fit any more; the snapshot is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the datagram is full")]
pub struct Full;

/// Writes one snapshot into the caller's buffer: first the records of the baseline's entities, in
/// their order, then those that enter.
#[derive(Debug)]
pub struct SnapshotEncoder<'a> {
    writer: BitWriter<'a>,
    /// Bits that records may fill: all but the last, which ends the list of those that enter.
    bits_max: usize,
    /// Bits that states of the baseline's entities may fill.
    limit: usize,
    gap_bits: u32,
    skip_bits: u32,
    has_baseline: bool,
    /// The least id that may enter next.
    next_id: u32,
    records: u16,
    has_entered: bool,
}

impl<'a> SnapshotEncoder<'a> {
    /// Starts a snapshot in `out`, whose length is the limit, at most 1,162 bytes. Of `sounds` and
    /// `hits` the first 15 and 7 are taken. `None` when not even this fits, the header's baseline
    /// lies not 1 to 63 ticks before its tick, or one of its parameters is above 7.
    pub fn new(
        out: &'a mut [u8],
        header: &SnapshotHeader,
        own: &SelfState,
        sounds: &[Sound],
        hits: &[HitMarker],
    ) -> Option<Self> {
        let bytes_max = out.len().min(DATAGRAM_BYTES_MAX);
        let mut writer = BitWriter::new(&mut out[..bytes_max]);
        header.put(&mut writer)?;
        put_own(&mut writer, own);
        put_senses(&mut writer, sounds, hits);
        let bits_max = (bytes_max * 8).checked_sub(1)?;
        (writer.bit_len() <= bits_max).then_some(Self {
            writer,
            bits_max,
            limit: bits_max,
            gap_bits: u32::from(header.gap_bits),
            skip_bits: u32::from(header.tuning.skip_bits),
            has_baseline: header.baseline.is_some(),
            next_id: 0,
            records: 0,
            has_entered: false,
        })
    }

    /// The baseline's entity behind the `skipped` next ones changed as `code` says.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    #[inline(always)]
    pub fn coded(&mut self, skipped: u32, code: DeltaCode) -> Result<(), Full> {
        let ones = skipped >> self.skip_bits;
        let (mut lead, mut skip) = (1, 0);
        if skipped != 0 || !code.is_common() {
            if ones + 1 + self.skip_bits > SHORT_SKIP_BITS {
                return self.long_coded(skipped, code);
            }
            let rest = skipped & ((1 << self.skip_bits) - 1);
            skip = 1 | ((1 << ones) - 1) << 1 | rest << (ones + 2);
            lead = GENERAL_BITS + ones + 1 + self.skip_bits;
            lead += if code.is_common() { COMMON_HEAD_BITS } else { 0 };
        }
        let bits = lead + code.len();
        if self.writer.bit_len() + bits as usize > self.limit {
            return Err(Full);
        }
        self.debug_check();
        self.writer.put_wide(u64::from(skip) | code.bits() << lead, bits);
        self.records += 1;
        Ok(())
    }

    #[cold]
    fn long_coded(&mut self, skipped: u32, code: DeltaCode) -> Result<(), Full> {
        self.record(skipped, self.limit, |writer| {
            let head_bits = if code.is_common() { COMMON_HEAD_BITS } else { 0 };
            writer.put_wide(code.bits() << head_bits, code.len() + head_bits);
        })
    }

    /// Of 64 entities that follow each other in the baseline without gaps, those in `set` changed
    /// as `codes` says; the first of them stands directly behind the last record, and those
    /// between two of them are not in the baseline. Gives those that were not written, the last
    /// ones: near the end of the datagram they have to be tried one by one.
    #[inline]
    pub fn coded_run(&mut self, set: u64, codes: &[DeltaCode; 64]) -> u64 {
        self.debug_check();
        // A skip of 0 is a zero and as many more as it has bits of remainder.
        let general = GENERAL_BITS + 1 + self.skip_bits;
        let unsent = self.writer.put_run(self.limit, set, |at| {
            let code = codes[at % 64];
            let is_general = u32::from(!code.is_common());
            let lead = 1 + is_general * (general - 1);
            (u64::from(is_general) | code.bits() << lead, code.len() + lead)
        });
        self.records += (set ^ unsent).count_ones() as u16;
        unsent
    }

    /// The baseline's entity behind the `skipped` next ones was expected at `expected` and is
    /// `to`.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn delta(
        &mut self,
        skipped: u32,
        expected: &EntityState,
        to: &EntityState,
        scale: Scale,
    ) -> Result<(), Full> {
        debug_assert!(*expected == expected.quantised() && *to == to.quantised());
        let differences = Differences::new(expected, to);
        if skipped == 0 && differences.is_common() {
            self.debug_check();
            self.append(self.limit, |writer| {
                writer.put_bit(false);
                differences.put_fields(writer, to, scale);
            })?;
            self.records += 1;
            return Ok(());
        }
        self.record(skipped, self.limit, |writer| {
            writer.put_bit(false);
            differences.put_parts(writer);
            differences.put_fields(writer, to, scale);
        })
    }

    /// The baseline's entity behind the `skipped` next ones is told anew: what the client has of
    /// it is too old to start from.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn full(&mut self, skipped: u32, to: &EntityState) -> Result<(), Full> {
        debug_assert!(*to == to.quantised());
        self.record(skipped, self.limit, |writer| {
            writer.put(0b01, 2);
            put_full(writer, to);
        })
    }

    /// The baseline's entity behind the `skipped` next ones is not to be known any more.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn remove(&mut self, skipped: u32) -> Result<(), Full> {
        self.record(skipped, self.bits_max, |writer| writer.put(0b11, 2))
    }

    /// An entity that is not in the baseline. Ids rise from call to call, and no more records of
    /// the baseline's entities follow.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn enter(&mut self, id: u32, to: &EntityState) -> Result<(), Full> {
        debug_assert!(*to == to.quantised());
        debug_assert!(id >= self.next_id && id < ENTITY_ID_END, "id {id} after {}", self.next_id);
        let gap = id.checked_sub(self.next_id).ok_or(Full)?;
        let gap_bits = self.gap_bits;
        self.append(self.bits_max, |writer| {
            writer.put_bit(true);
            put_gap(writer, gap, gap_bits);
            put_full(writer, to);
        })?;
        self.next_id = id + 1;
        self.has_entered = true;
        Ok(())
    }

    fn record(
        &mut self,
        skipped: u32,
        limit: usize,
        put_change: impl FnOnce(&mut BitWriter<'_>),
    ) -> Result<(), Full> {
        self.debug_check();
        let skip_bits = self.skip_bits;
        self.append(limit, |writer| {
            writer.put_bit(true);
            put_gap(writer, skipped, skip_bits);
            put_change(writer);
        })?;
        self.records += 1;
        Ok(())
    }

    fn append(&mut self, limit: usize, put: impl FnOnce(&mut BitWriter<'_>)) -> Result<(), Full> {
        let before = self.writer.cursor();
        put(&mut self.writer);
        if self.writer.bit_len() > limit {
            self.writer.rewind(before);
            return Err(Full);
        }
        Ok(())
    }

    #[inline(always)]
    fn debug_check(&self) {
        debug_assert!(self.has_baseline, "a full snapshot has enters only");
        debug_assert!(!self.has_entered, "records come before those that enter");
    }

    /// From now on states of the baseline's entities leave so many bits free for what has to
    /// follow: removals, and whoever enters.
    pub fn keep_free(&mut self, bits: usize) {
        self.limit = self.bits_max.saturating_sub(bits);
    }

    /// Bits written so far.
    #[inline]
    pub fn bit_len(&self) -> usize {
        self.writer.bit_len()
    }

    /// Records of the baseline's entities written so far.
    pub fn records(&self) -> u16 {
        self.records
    }

    /// Completes the snapshot and gives its length in bytes.
    pub fn finish(mut self) -> usize {
        self.writer.put_bit(false);
        let Some(datagram) = self.writer.finish() else { return 0 };
        datagram[COUNT_AT].copy_from_slice(&self.records.to_le_bytes());
        datagram.len()
    }
}

fn put_gap(writer: &mut BitWriter<'_>, gap: u32, gap_bits: u32) {
    let ones = gap >> gap_bits;
    if ones < GAP_ONES_MAX {
        let rest = gap & ((1 << gap_bits) - 1);
        writer.put(((1 << ones) - 1) | rest << (ones + 1), ones + 1 + gap_bits);
    } else {
        writer.put((1 << GAP_ONES_MAX) - 1, GAP_ONES_MAX);
        writer.put(gap, GAP_LONG_BITS);
    }
}

/// Bits of a gap at most; a removal takes two more.
pub const GAP_BITS_MOST: u32 = GAP_ONES_MAX + GAP_LONG_BITS;

/// A good [`gap_bits`](SnapshotHeader::gap_bits) for so many records out of ids below `id_end`.
pub fn gap_bits_for(records: usize, id_end: u32) -> u8 {
    let mean = u64::from(id_end) / (records.max(1) as u64);
    // The best parameter of a geometric distribution: about log2 of 0.7 times its mean.
    let scaled = (mean * 7 / 10).max(1);
    scaled.ilog2().min(7) as u8
}
