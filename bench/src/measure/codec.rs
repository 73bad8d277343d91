//! What coding one changed soldier costs, in nanoseconds and in bits.
//!
//! The soldiers walk as in the `uniform` scenario. One client sees 64 of them; every snapshot is
//! a delta against the one of a few ticks before, as a client's acks would have it. Every
//! snapshot is decoded again and compared.

use std::io;

use sortie_field::{Pitch, Vec3, Yaw, angle::direction};
use sortie_wire::DecodeError;
use sortie_wire::limits::DATAGRAM_BYTES_MAX;
use sortie_wire::snapshot::{DeltaCode, Snapshot, SnapshotEncoder, SnapshotHeader, Tuning};
use sortie_wire::state::{EntityState, SelfState, flags, quantise_yaw};

use super::suite_run::SuiteRun;
use super::table::TableRow;
use sortie_players::cpu::thread_time;
use sortie_players::scenario::uniform_side_m;
use sortie_players::walker::Walker;

/// Soldiers in the battle.
const SOLDIERS: usize = 500;

/// Soldiers that the client sees: every eighth, so that ids have gaps.
const VISIBLE_EVERY: usize = 8;

/// Ticks from the baseline to the snapshot: a round trip of 50 ms.
const BASELINE_AGE: usize = 3;

/// What a server would have learnt of these soldiers.
const TUNING: Tuning = Tuning { skip_bits: 0, moving: 1, resting: 4, turn: 3 };

/// What coding costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codec {
    /// Encoding, per record.
    pub encode_ns: f64,
    /// Decoding, per record.
    pub decode_ns: f64,
    /// Bits of a record: skip, action and state.
    pub bits: f64,
    /// Bytes of a whole snapshot with this many records.
    pub snapshot_bytes: f64,
    /// Records of a snapshot.
    pub records: usize,
}

/// One tick: soldiers in order of their ids.
pub type TickStates = Vec<(u32, EntityState)>;

/// Encodes and decodes a snapshot of each of `ticks`.
pub fn measure(ticks: usize) -> io::Result<Codec> {
    let walk = Walk::new(ticks);
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let mut decoded = Snapshot::default();
    let mut sums = Sums::default();
    for tick in 0..ticks {
        let before = thread_time();
        let (length, bits) = walk.encode(tick, &mut buffer);
        let encoded = thread_time();
        walk.decode(tick, &buffer[..length], &mut decoded).map_err(io::Error::other)?;
        sums.encode_ns += (encoded - before).as_nanos() as f64;
        sums.decode_ns += (thread_time() - encoded).as_nanos() as f64;
        if decoded.entities != *walk.frame(tick) {
            return Err(io::Error::other(format!("tick {tick} was decoded to something else")));
        }
        sums.bits += bits as f64;
        sums.bytes += length as f64;
    }
    let records = walk.frame(0).len();
    let per_record = (ticks * records).max(1) as f64;
    Ok(Codec {
        encode_ns: sums.encode_ns / per_record,
        decode_ns: sums.decode_ns / per_record,
        bits: sums.bits / per_record,
        snapshot_bytes: sums.bytes / ticks.max(1) as f64,
        records,
    })
}

#[derive(Default)]
struct Sums {
    encode_ns: f64,
    decode_ns: f64,
    bits: f64,
    bytes: f64,
}

/// What one client sees of walking soldiers, tick by tick.
pub struct Walk {
    /// The first [`BASELINE_AGE`] are only baselines.
    frames: Vec<TickStates>,
    /// What the client holds after each frame's snapshot.
    held: Vec<Snapshot>,
}

impl Walk {
    /// A walk of `ticks`.
    pub fn new(ticks: usize) -> Self {
        let frames = walk(ticks + BASELINE_AGE);
        let first = frames.iter().take(BASELINE_AGE).cloned();
        let held = (0..).zip(first).map(|(tick, frame)| Snapshot::of(tick, frame)).collect();
        let mut walk = Self { frames, held };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for tick in 0..ticks {
            let (length, _) = walk.encode(tick, &mut buffer);
            let mut next = Snapshot::default();
            walk.decode(tick, &buffer[..length], &mut next).expect("it was just encoded");
            walk.held.push(next);
        }
        walk
    }

    /// What is to be told of a tick.
    pub fn frame(&self, tick: usize) -> &TickStates {
        &self.frames[tick + BASELINE_AGE]
    }

    /// Encodes a tick; gives the bytes of the snapshot and the bits of its records.
    ///
    /// # Panics
    /// The records do not fit into `out`.
    pub fn encode(&self, tick: usize, out: &mut [u8]) -> (usize, usize) {
        let (frame, baseline) = (self.frame(tick), &self.held[tick]);
        let now = (tick + BASELINE_AGE) as u32;
        let header = SnapshotHeader {
            tick: now,
            baseline: Some(tick as u32),
            input_margin: 2,
            input_tick: now,
            gap_bits: 0,
            tuning: TUNING,
        };
        let own = SelfState::default();
        let mut encoder =
            SnapshotEncoder::new(out, &header, &own, &[], &[]).expect("the header fits");
        let header_bits = encoder.bit_len();
        for (at, (_, to)) in frame.iter().enumerate() {
            let (expected, is_moving) = baseline.expected(at, now);
            let scale = TUNING.scale(is_moving);
            let written = match DeltaCode::new(&expected, to, scale) {
                Some(code) => encoder.coded(0, code),
                None => encoder.delta(0, &expected, to, scale),
            };
            written.expect("64 records fit");
        }
        let bits = encoder.bit_len() - header_bits;
        (encoder.finish(), bits)
    }

    /// Decodes what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// It was not that.
    pub fn decode(
        &self,
        tick: usize,
        datagram: &[u8],
        out: &mut Snapshot,
    ) -> Result<(), DecodeError> {
        Snapshot::decode(datagram, |_| Some(&self.held[tick]), out)
    }
}

/// Soldiers on their way.
fn walk(ticks: usize) -> Vec<TickStates> {
    let side_m = uniform_side_m(SOLDIERS);
    let numbers = (0..SOLDIERS).step_by(VISIBLE_EVERY);
    let mut walkers: Vec<(u32, Walker, Vec3)> = numbers
        .map(|number| {
            let share = number as f32 / SOLDIERS as f32;
            let pos = Vec3::new(share, 0.0, (share * 7.3).fract()) * side_m;
            (number as u32, Walker::new(1, number, side_m, 60), pos)
        })
        .collect();
    let mut step = |(id, walker, pos): &mut (u32, Walker, Vec3)| {
        let step = walker.step(*pos);
        let (ahead, right) = (step.yaw, Yaw(step.yaw.0.wrapping_add(1 << 14)));
        let way = direction(ahead, Pitch(0)) * f32::from(step.forward)
            + direction(right, Pitch(0)) * f32::from(step.right);
        *pos += way * (5.0 / 127.0 / 60.0);
        let mut state = EntityState {
            yaw: quantise_yaw(step.yaw.0),
            flags: flags::GROUNDED,
            ..EntityState::default()
        };
        state.set_position_m(pos.to_array());
        (*id, state.quantised())
    };
    (0..ticks).map(|_| walkers.iter_mut().map(&mut step).collect()).collect()
}

/// The section of the table.
pub fn rows(run: &SuiteRun) -> io::Result<Vec<TableRow>> {
    let codec = measure(run.choose(60, 20_000))?;
    let records = codec.records;
    let per = "per changed soldier";
    Ok(vec![
        TableRow::new(format!("bits {per}"), codec.bits, "bit").note("goal at most 40, stretch 28"),
        TableRow::new(format!("encode {per}"), codec.encode_ns, "ns"),
        TableRow::new(format!("decode {per}"), codec.decode_ns, "ns"),
        TableRow::new(format!("snapshot of {records} changed soldiers"), codec.snapshot_bytes, "B")
            .note("header and own soldier included, without transport"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coded_soldiers_are_small_and_true() {
        let codec = measure(50).unwrap();
        assert_eq!(codec.records, 63);
        assert!((8.0..24.0).contains(&codec.bits), "{codec:?}");
    }
}
