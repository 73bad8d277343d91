//! Writing a snapshot, record by record.
//!
//! ```text
//! header | own soldier | sounds and hit markers | records | zero bits to the next byte
//!
//! record:  id gap | action | state
//!   id gap   ids skipped since the last record (first: since -1), with g = gap bits:
//!            gap / 2^g one-bits and a zero, then g bits of remainder;
//!            eight one-bits and 24 bits of gap when gap / 2^g is 8 or more
//!   action   0: delta   10: full state   11: removal;   absent in a full snapshot: all are full
//! ```

use super::{
    HitMarker, SnapshotHeader, Sound,
    entity::{put_delta, put_full},
    own::put_own,
    sense::put_senses,
};
use crate::{
    bits::BitWriter,
    limits::{DATAGRAM_BYTES_MAX, ENTITY_ID_END},
    state::{EntityState, SelfState},
};

/// Longest run of ones in an id gap.
pub(super) const GAP_ONES_MAX: u32 = 8;
/// Bits of a gap behind such a run.
pub(super) const GAP_LONG_BITS: u32 = 24;
/// Where the number of records stands in the datagram.
const COUNT_AT: core::ops::Range<usize> = 1..3;

/// The record does not fit any more; the snapshot is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the datagram is full")]
pub struct Full;

/// Writes one snapshot into the caller's buffer.
#[derive(Debug)]
pub struct SnapshotEncoder<'a> {
    writer: BitWriter<'a>,
    gap_bits: u32,
    has_baseline: bool,
    /// The least id that may come next.
    next_id: u32,
    records: u16,
}

impl<'a> SnapshotEncoder<'a> {
    /// Starts a snapshot in `out`, whose length is the limit, at most 1,162 bytes. Of `sounds` and
    /// `hits` the first 15 and 7 are taken. `None` when not even this fits, or the header's
    /// baseline lies not 1 to 63 ticks before its tick.
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
        writer.fits().then_some(Self {
            writer,
            gap_bits: u32::from(header.gap_bits),
            has_baseline: header.baseline.is_some(),
            next_id: 0,
            records: 0,
        })
    }

    /// The entity changed `from` the state that the client holds after the baseline.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    #[inline]
    pub fn delta(&mut self, id: u32, from: &EntityState, to: &EntityState) -> Result<(), Full> {
        debug_assert!(self.has_baseline, "a full snapshot has no deltas");
        debug_assert!(*from == from.quantised() && *to == to.quantised());
        self.record(id, 0, 1, |writer| put_delta(writer, from, to))
    }

    /// The entity is new to the client, or its state there is too old to start from.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn full(&mut self, id: u32, to: &EntityState) -> Result<(), Full> {
        debug_assert!(*to == to.quantised());
        let action_bits = if self.has_baseline { 2 } else { 0 };
        self.record(id, if self.has_baseline { 0b01 } else { 0 }, action_bits, |writer| {
            put_full(writer, to);
        })
    }

    /// The entity of the baseline is not to be known any more.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn remove(&mut self, id: u32) -> Result<(), Full> {
        debug_assert!(self.has_baseline, "a full snapshot has no removals");
        self.record(id, 0b11, 2, |_| {})
    }

    #[inline(always)]
    fn record(
        &mut self,
        id: u32,
        action: u32,
        action_bits: u32,
        put_state: impl FnOnce(&mut BitWriter<'_>),
    ) -> Result<(), Full> {
        debug_assert!(id >= self.next_id && id < ENTITY_ID_END, "id {id} after {}", self.next_id);
        let gap = id.checked_sub(self.next_id).ok_or(Full)?;
        let before = self.writer.cursor();
        let ones = gap >> self.gap_bits;
        if ones < GAP_ONES_MAX {
            let rest = gap & ((1 << self.gap_bits) - 1);
            let unary = (1 << ones) - 1;
            // Ones, a zero, the remainder and the action in one write: 18 bits at most.
            let prefix_bits = ones + 1 + self.gap_bits;
            let prefix = unary | rest << (ones + 1) | action << prefix_bits;
            self.writer.put(prefix, prefix_bits + action_bits);
        } else {
            self.writer.put((1 << GAP_ONES_MAX) - 1, GAP_ONES_MAX);
            self.writer.put(gap, GAP_LONG_BITS);
            self.writer.put(action, action_bits);
        }
        put_state(&mut self.writer);
        if !self.writer.fits() {
            self.writer.rewind(before);
            return Err(Full);
        }
        self.next_id = id + 1;
        self.records += 1;
        Ok(())
    }

    /// Bits written so far.
    pub fn bit_len(&self) -> usize {
        self.writer.bit_len()
    }

    /// Records written so far.
    pub fn records(&self) -> u16 {
        self.records
    }

    /// Completes the snapshot and gives its length in bytes.
    pub fn finish(self) -> usize {
        let Some(datagram) = self.writer.finish() else { return 0 };
        datagram[COUNT_AT].copy_from_slice(&self.records.to_le_bytes());
        datagram.len()
    }
}

/// A good [`gap_bits`](SnapshotHeader::gap_bits) for so many records out of ids below `id_end`.
pub fn gap_bits_for(records: usize, id_end: u32) -> u8 {
    let mean = u64::from(id_end) / (records.max(1) as u64);
    // The best parameter of a geometric distribution: about log2 of 0.7 times its mean.
    let scaled = (mean * 7 / 10).max(1);
    scaled.ilog2().min(7) as u8
}
