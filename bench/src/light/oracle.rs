//! Whether sampled clients were told the truth, and all of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::watch::ClientSnapshot;
use sortie_players::frames::{Frame, Row};

/// Whoever is nearer than this share of the radius must be known: the rest is hysteresis.
const MUST_SHARE: f64 = 0.99;

/// What the comparison with the replay found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Snapshots compared.
    pub snapshots: u64,
    /// States compared: position and heading of an entity in a snapshot.
    pub states: u64,
    /// Of these, not exactly what the replay says of the tick that they are of.
    pub states_wrong: u64,
    /// Own soldiers that were not exactly where the replay has them.
    pub own_wrong: u64,
    /// Snapshots or states of ticks that the replay does not show.
    pub unknown: u64,
    /// Pairs of client and soldier within the radius, by brute force.
    pub pairs: u64,
    /// Of these, known to the client.
    pub pairs_known: u64,
    /// Of these, with their state of that very tick.
    pub pairs_fresh: u64,
    /// How far a known soldier was from where it was told to be, at most, metres.
    pub error_m_max: f64,
}

impl Verdict {
    /// Known over those within the radius, 0 to 1.
    pub fn recall(&self) -> f64 {
        self.pairs_known as f64 / (self.pairs as f64).max(1.0)
    }

    /// Fresh over those within the radius, 0 to 1.
    pub fn fresh(&self) -> f64 {
        self.pairs_fresh as f64 / (self.pairs as f64).max(1.0)
    }

    /// Whether all that was compared is exactly the truth, and something was compared.
    pub fn is_exact(&self) -> bool {
        self.states > 0 && self.states_wrong + self.own_wrong + self.unknown == 0
    }
}

/// Compares what clients held with what was so.
pub fn judge(seen: &[ClientSnapshot], frames: &BTreeMap<u32, Frame>, radius_m: f64) -> Verdict {
    let mut verdict = Verdict::default();
    for seen in seen {
        let Some((frame, own)) =
            frames.get(&seen.tick).and_then(|frame| Some((frame, row_of(frame, seen.slot)?)))
        else {
            verdict.unknown += 1;
            continue;
        };
        verdict.snapshots += 1;
        verdict.own_wrong += u64::from(own.pos != seen.own);
        for told in &seen.told {
            let truth = frames.get(&told.since).and_then(|frame| row_of(frame, told.id as u16));
            let Some(truth) = truth else {
                verdict.unknown += 1;
                continue;
            };
            verdict.states += 1;
            verdict.states_wrong += u64::from((truth.cm, truth.yaw) != (told.cm, told.yaw));
        }
        note_pairs(seen, frame, own, radius_m * MUST_SHARE, &mut verdict);
    }
    verdict
}

fn note_pairs(
    seen: &ClientSnapshot,
    frame: &Frame,
    own: &Row,
    radius_m: f64,
    verdict: &mut Verdict,
) {
    let near = |row: &&Row| row.slot != seen.slot && distance_m(row, own) < radius_m;
    for row in frame.iter().filter(near) {
        verdict.pairs += 1;
        let at = seen.told.binary_search_by_key(&u32::from(row.slot), |told| told.id);
        let Ok(at) = at else { continue };
        let told = &seen.told[at];
        verdict.pairs_known += 1;
        verdict.pairs_fresh += u64::from((row.cm, row.yaw) == (told.cm, told.yaw));
        let off = [0, 1, 2].map(|axis| f64::from(row.cm[axis]) - f64::from(told.cm[axis]));
        let error_m = off.iter().map(|cm| cm * cm).sum::<f64>().sqrt() / 100.0;
        verdict.error_m_max = verdict.error_m_max.max(error_m);
    }
}

fn row_of(frame: &Frame, slot: u16) -> Option<&Row> {
    frame.binary_search_by_key(&slot, |row| row.slot).ok().map(|at| &frame[at])
}

fn distance_m(a: &Row, b: &Row) -> f64 {
    let off = [0, 1, 2].map(|axis| f64::from(a.pos[axis]) - f64::from(b.pos[axis]));
    off.iter().map(|metres| metres * metres).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::watch::Told;
    use super::*;

    fn world() -> BTreeMap<u32, Frame> {
        let row = |slot: u16, east: u32| Row {
            slot,
            yaw: 64,
            cm: [east, 0, 0],
            pos: [east as f32 / 100.0, 0.0, 0.0],
        };
        [(7, vec![row(1, 100), row(2, 300), row(3, 9_000)])].into()
    }

    fn told(id: u32, east: u32) -> Told {
        Told { id, since: 7, cm: [east, 0, 0], yaw: 64 }
    }

    fn seen(told: Vec<Told>) -> ClientSnapshot {
        ClientSnapshot { slot: 1, tick: 7, own: [1.0, 0.0, 0.0], told }
    }

    #[test]
    fn the_truth_is_exact_and_complete() {
        let verdict = judge(&[seen(vec![told(2, 300)])], &world(), 32.0);
        assert!(verdict.is_exact() && verdict.recall() == 1.0, "{verdict:?}");
        assert_eq!((verdict.pairs, verdict.error_m_max), (1, 0.0));
    }

    #[test]
    fn lies_and_gaps_are_found() {
        let verdict = judge(&[seen(vec![told(2, 340)])], &world(), 32.0);
        assert_eq!((verdict.states_wrong, verdict.error_m_max), (1, 0.4));
        let verdict = judge(&[seen(vec![])], &world(), 32.0);
        assert_eq!((verdict.recall(), verdict.is_exact()), (0.0, false));
        let astray = ClientSnapshot { own: [2.0, 0.0, 0.0], ..seen(vec![told(2, 300)]) };
        assert_eq!(judge(&[astray], &world(), 32.0).own_wrong, 1);
        let unheard = ClientSnapshot { tick: 8, ..seen(vec![]) };
        assert_eq!(judge(&[unheard], &world(), 32.0).unknown, 1);
    }
}
