//! Snapshots of what one client sees of walking soldiers.

use sortie_bench::measure::codec::Walk;
use sortie_wire::limits::DATAGRAM_BYTES_MAX;
use sortie_wire::snapshot::{DeltaCode, Snapshot, SnapshotEncoder, SnapshotHeader, Tuning};
use sortie_wire::state::{EntityState, SelfState};

/// Snapshots of a run.
const SNAPSHOTS: usize = 32;

/// Records of a run of codes.
const RECORDS: usize = 63;

const TUNING: Tuning = Tuning { skip_bits: 0, moving: 1, resting: 4, turn: 3 };

/// Snapshots, encoded.
pub struct Coded {
    walk: Walk,
    datagrams: Vec<Vec<u8>>,
    decoded: Snapshot,
}

impl Coded {
    /// Encodes them.
    pub fn new() -> Self {
        let walk = Walk::new(SNAPSHOTS);
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let encode = |tick| {
            let (bytes, _) = walk.encode(tick, &mut buffer);
            buffer[..bytes].to_vec()
        };
        let datagrams = (0..SNAPSHOTS).map(encode).collect();
        let mut coded = Self { walk, datagrams, decoded: Snapshot::default() };
        coded.decode();
        coded
    }

    /// Encodes them all, record by record; gives their bytes.
    pub fn encode(&self) -> usize {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        (0..SNAPSHOTS).map(|tick| self.walk.encode(tick, &mut buffer).0).sum()
    }

    /// Decodes them all; gives how many records there were.
    ///
    /// # Panics
    /// One of them is not what [`Self::new`] encoded.
    pub fn decode(&mut self) -> usize {
        let Self { walk, datagrams, decoded } = self;
        let decode = |(tick, datagram): (usize, &Vec<u8>)| {
            walk.decode(tick, datagram, decoded).expect("it was encoded here");
            decoded.entities.len()
        };
        datagrams.iter().enumerate().map(decode).sum()
    }
}

impl Default for Coded {
    fn default() -> Self {
        Self::new()
    }
}

/// Soldiers without gaps between their ids, coded once and written for many clients.
pub struct SoldierRun {
    pairs: Vec<[EntityState; 2]>,
    codes: [DeltaCode; 64],
}

impl SoldierRun {
    /// What was expected of each soldier, and what it is.
    ///
    /// # Panics
    /// The walk has records without codes.
    pub fn new() -> Self {
        let walk = Walk::new(2);
        let states = |tick: usize| walk.frame(tick).iter().map(|(_, state)| *state);
        let pairs: Vec<_> =
            states(0).zip(states(1)).map(|(from, to)| [from, to]).take(RECORDS).collect();
        assert_eq!(pairs.len(), RECORDS);
        let mut run = Self { pairs, codes: [DeltaCode::default(); 64] };
        assert_eq!(run.code(), RECORDS);
        run
    }

    /// Codes each soldier; gives how many have a code.
    pub fn code(&mut self) -> usize {
        let scale = TUNING.scale(true);
        let mut coded = 0;
        for ([expected, to], code) in self.pairs.iter().zip(&mut self.codes) {
            if let Some(found) = DeltaCode::new(expected, to, scale) {
                (*code, coded) = (found, coded + 1);
            }
        }
        coded
    }

    /// Writes all codes for each of `clients`; gives the bytes.
    ///
    /// # Panics
    /// They do not fit into a datagram.
    pub fn write(&self, clients: usize) -> usize {
        let header = SnapshotHeader {
            tick: 9,
            baseline: Some(6),
            input_margin: 2,
            input_tick: 9,
            gap_bits: 0,
            tuning: TUNING,
        };
        let own = SelfState::default();
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let mut bytes = 0;
        for _ in 0..clients {
            let encoder = SnapshotEncoder::new(&mut buffer, &header, &own, &[], &[]);
            let mut encoder = encoder.expect("the header fits");
            let unsent = encoder.coded_run((1 << RECORDS) - 1, &self.codes);
            assert_eq!(unsent, 0, "all records fit");
            bytes += encoder.finish();
        }
        bytes
    }
}

impl Default for SoldierRun {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_snapshots_hold_all_soldiers() {
        assert_eq!(Coded::new().decode(), SNAPSHOTS * RECORDS);
        assert!(Coded::new().encode() > SNAPSHOTS * RECORDS);
        assert!(SoldierRun::new().write(2) > 2 * RECORDS);
    }
}
