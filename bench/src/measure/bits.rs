//! What the bits of snapshots are spent on.

use sortie_wire::DecodeError;
use sortie_wire::snapshot::{Change, Snapshot, SnapshotReader};

/// Bits and counts, summed over snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// Snapshots.
    pub snapshots: u64,
    /// Header, own soldier, what is heard; the end of the lists and the last byte's rest.
    pub head: u64,
    /// Records of soldiers that changed, coded as differences.
    pub deltas: u64,
    /// How many of them.
    pub deltas_count: u64,
    /// Records of what the client is not to know any more.
    pub removals: u64,
    /// How many of them.
    pub removals_count: u64,
    /// Whole states: of what enters, and of what changed too much.
    pub whole: u64,
    /// How many of them.
    pub whole_count: u64,
}

impl Bits {
    /// Reads a snapshot against the one that it is coded against.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn note(&mut self, datagram: &[u8], base: Option<&Snapshot>) -> Result<(), DecodeError> {
        let mut scratch = Snapshot::default();
        let mut reader = SnapshotReader::new(datagram, &mut scratch)?;
        let tick = scratch.header.tick;
        self.snapshots += 1;
        let (mut at, mut read) = (0, reader.bit_len());
        let mut rest = 8 * datagram.len() - read;
        self.head += read as u64;
        while let Some(skipped) = reader.next_skip()? {
            at += skipped as usize;
            let known = base.filter(|base| at < base.entities.len());
            let known = known.ok_or(DecodeError::UnknownEntity(at as u32))?;
            let (expected, is_moving) = known.expected(at, tick);
            at += 1;
            let change = reader.change(&expected, is_moving)?;
            let (bits, count) = match change {
                Change::Delta(_) => (&mut self.deltas, &mut self.deltas_count),
                Change::Full(_) => (&mut self.whole, &mut self.whole_count),
                Change::Removed => (&mut self.removals, &mut self.removals_count),
            };
            let took = reader.bit_len() - std::mem::replace(&mut read, reader.bit_len());
            *bits += took as u64;
            *count += 1;
            rest -= took;
        }
        while reader.next_enter()?.is_some() {
            let took = reader.bit_len() - std::mem::replace(&mut read, reader.bit_len());
            self.whole += took as u64;
            self.whole_count += 1;
            rest -= took;
        }
        self.head += rest as u64;
        Ok(())
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        self.head + self.deltas + self.removals + self.whole
    }
}

#[cfg(test)]
mod tests {
    use crate::measure::serve::Serving;
    use sortie_players::headless::SimRunConfig;
    use sortie_players::scenario::Scenario;

    #[test]
    fn every_bit_is_spent_on_something() {
        let scenario = Scenario::Uniform;
        let config = SimRunConfig { players: 62, scenario, ..SimRunConfig::default() };
        let mut serving = Serving::new(&config, true).unwrap();
        for _ in 0..200 {
            serving.tick().unwrap();
        }
        let bits = serving.heard.bits;
        assert_eq!(bits.sum() % 8, 0);
        assert!(bits.deltas_count > 5_000 && bits.whole_count > 60, "{bits:?}");
        let (delta, whole) = (bits.deltas / bits.deltas_count, bits.whole / bits.whole_count);
        assert!((8..60).contains(&delta) && whole > delta, "{bits:?}");
    }
}
