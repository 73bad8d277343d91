//! The first bits of a snapshot.
//!
//! ```text
//!   8  kind 0x41
//!  16  number of entities of the baseline that have a record
//!  32  tick
//!   6  baseline age: ticks before `tick`; 0 = none, the snapshot is full
//!   3  gap bits, of the ids of entities that enter
//!   3 + 3 + 3 + 3  skip bits; scales of moving and of resting entities' places; scale of yaws:
//!      only with a baseline
//!   8  input margin, signed
//!   1  0: the newest input consumed is of `tick`
//!      1: 32 bits follow, its tick
//! ```

use crate::{
    bits::{BitReader, BitWriter},
    datagram::DatagramKind,
    error::DecodeError,
    limits::BASELINE_TICKS,
    snapshot::entity::Scale,
};

const AGE_BITS: u32 = 6;
/// Of `gap_bits`, `skip_bits` and each scale.
const SMALL_BITS: u32 = 3;
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
    /// Parameter of the coding of entering entities' ids, 0 to 7;
    /// [`gap_bits_for`](super::gap_bits_for) knows a good one.
    pub gap_bits: u8,
    /// What the deltas are coded with; without a baseline it does not travel.
    pub tuning: Tuning,
}

/// Parameters of the codes of one snapshot's deltas, each 0 to 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// Of the number of entities that are passed over between two records.
    pub skip_bits: u8,
    /// Scale of the places of entities whose motion is known.
    pub moving: u8,
    /// Scale of the places of entities that are expected to rest.
    pub resting: u8,
    /// Scale of yaws.
    pub turn: u8,
}

impl Tuning {
    /// The scales for an entity whose motion is known, or not.
    #[inline(always)]
    pub fn scale(self, is_moving: bool) -> Scale {
        Scale { place: if is_moving { self.moving } else { self.resting }, turn: self.turn }
    }

    fn numbers(self) -> [u8; 4] {
        [self.skip_bits, self.moving, self.resting, self.turn]
    }
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
        let numbers = self.tuning.numbers();
        if numbers.iter().any(|number| number >> SMALL_BITS != 0)
            || self.gap_bits >> SMALL_BITS != 0
        {
            return None;
        }
        // The number of records stands between kind and tick.
        writer.put_wide(u64::from(DatagramKind::Snapshot as u8) | u64::from(self.tick) << 24, 56);
        let mut small = age | u32::from(self.gap_bits) << AGE_BITS;
        let mut bits = AGE_BITS + SMALL_BITS;
        if age > 0 {
            for number in numbers {
                small |= u32::from(number) << bits;
                bits += SMALL_BITS;
            }
        }
        writer.put(small, bits);
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
        let gap_bits = reader.get(SMALL_BITS)? as u8;
        let mut tuning = Tuning::default();
        if baseline.is_some() {
            let Tuning { skip_bits, moving, resting, turn } = &mut tuning;
            for number in [skip_bits, moving, resting, turn] {
                *number = reader.get(SMALL_BITS)? as u8;
            }
        }
        let input_margin = reader.get_signed(8)? as i8;
        let lags = reader.get_bit()?;
        let input_tick = if lags { reader.get(32)? } else { tick };
        if lags && input_tick == tick {
            return Err(DecodeError::NotCanonical);
        }
        let header = Self { tick, baseline, input_margin, input_tick, gap_bits, tuning };
        if baseline.is_none() && records > 0 {
            return Err(DecodeError::OutOfRange);
        }
        Ok((header, records))
    }
}
