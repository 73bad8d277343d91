//! The first bits of a snapshot.
//!
//! ```text
//!   8  kind 0x41
//!  16  number of records
//!  32  tick
//!   6  baseline age: ticks before `tick`; 0 = none, the snapshot is full
//!   3  gap bits (see the records)
//!   8  input margin, signed
//!   1  0: the newest input consumed is of `tick`
//!      1: 32 bits follow, its tick
//! ```

use crate::{
    bits::{BitReader, BitWriter},
    datagram::DatagramKind,
    error::DecodeError,
    limits::BASELINE_TICKS,
};

const AGE_BITS: u32 = 6;
const GAP_BITS_BITS: u32 = 3;
const _: () = assert!(1 << AGE_BITS == BASELINE_TICKS);

/// What a snapshot says about itself and about the client's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The tick whose end it shows.
    pub tick: u32,
    /// Tick of the snapshot that it is coded against, 1 to 63 ticks before; `None`: full.
    pub baseline: Option<u32>,
    /// How far the newest arrived input is ahead of `tick`, in ticks: inputs in hand when
    /// positive, by how much they come too late when not.
    pub input_margin: i8,
    /// The tick of the newest input that was consumed; 0 before the first.
    pub input_tick: u32,
    /// Parameter of the id coding, 0 to 7; [`gap_bits_for`](super::gap_bits_for) knows a good one.
    pub gap_bits: u8,
}

impl SnapshotHeader {
    /// Ticks from the baseline to the snapshot, 0 without; `None` when that cannot be said.
    fn baseline_age(&self) -> Option<u32> {
        let Some(baseline) = self.baseline else { return Some(0) };
        let age = self.tick.checked_sub(baseline)?;
        (1..BASELINE_TICKS).contains(&age).then_some(age)
    }

    /// Writes all but the number of records, which is not known yet; `None` when a value is out
    /// of its range.
    pub(super) fn put(&self, writer: &mut BitWriter<'_>) -> Option<()> {
        let age = self.baseline_age()?;
        if self.gap_bits >> GAP_BITS_BITS != 0 {
            return None;
        }
        writer.put(u32::from(DatagramKind::Snapshot as u8), 8);
        writer.put(0, 16);
        writer.put(self.tick, 32);
        writer.put(age, AGE_BITS);
        writer.put(u32::from(self.gap_bits), GAP_BITS_BITS);
        writer.put_signed(i32::from(self.input_margin), 8);
        let lags = self.input_tick != self.tick;
        writer.put_bit(lags);
        if lags {
            writer.put(self.input_tick, 32);
        }
        Some(())
    }

    /// The header and the number of records.
    pub(super) fn get(reader: &mut BitReader<'_>) -> Result<(Self, u32), DecodeError> {
        match reader.get(8)? as u8 {
            kind if kind == DatagramKind::Snapshot as u8 => {}
            other => return Err(DecodeError::Kind(other)),
        }
        let records = reader.get(16)?;
        let tick = reader.get(32)?;
        let baseline = match reader.get(AGE_BITS)? {
            0 => None,
            age => Some(tick.checked_sub(age).ok_or(DecodeError::OutOfRange)?),
        };
        let gap_bits = reader.get(GAP_BITS_BITS)? as u8;
        let input_margin = reader.get_signed(8)? as i8;
        let lags = reader.get_bit()?;
        let input_tick = if lags { reader.get(32)? } else { tick };
        if lags && input_tick == tick {
            return Err(DecodeError::NotCanonical);
        }
        Ok((Self { tick, baseline, input_margin, input_tick, gap_bits }, records))
    }
}
