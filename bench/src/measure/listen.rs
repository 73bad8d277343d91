//! A player who decodes: whether it was told the truth, and in how many bits.

use std::collections::BTreeMap;
use std::io;

use sortie_sim::view::{SoldierRow, Status, View};
use sortie_wire::limits::BASELINE_TICKS;
use sortie_wire::snapshot::Snapshot;
use sortie_wire::state::{ANGLE_STEP, EntityState, quantise_xz, quantise_yaw};

use super::bits::Bits;

/// What listening players found.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// States that the newest snapshots had news of.
    pub states: u64,
    /// Entities known that are in the field, over all snapshots.
    pub known: u64,
    /// What the bits of the snapshots were spent on.
    pub bits: Bits,
    /// How each field of a changed soldier differed from what was to be expected.
    pub deltas: Deltas,
}

/// How often each difference came, by field, and by what the codec knew beforehand.
#[derive(Clone, Debug, Default)]
pub struct Deltas {
    counts: [BTreeMap<(u32, i32), u64>; 3],
}

impl Deltas {
    /// Notes a soldier's differences in x, z (centimetres) and yaw (steps). `class` is what both
    /// ends know before a bit is read.
    pub fn note(&mut self, class: u32, differences: [i32; 3]) {
        for (counts, difference) in self.counts.iter_mut().zip(differences) {
            *counts.entry((class, difference)).or_default() += 1;
        }
    }

    /// Zero-order entropy of the three, each given the class, summed: bits.
    pub fn entropy_bits(&self) -> f64 {
        self.counts.iter().map(conditional_entropy).sum()
    }
}

/// H(difference | class), bits.
fn conditional_entropy(counts: &BTreeMap<(u32, i32), u64>) -> f64 {
    let mut classes: BTreeMap<u32, u64> = BTreeMap::new();
    for ((class, _), count) in counts {
        *classes.entry(*class).or_default() += count;
    }
    let all = classes.values().sum::<u64>() as f64;
    let bits = counts.iter().map(|((class, _), &count)| {
        let share = count as f64 / classes[class] as f64;
        -(count as f64 / all) * share.log2()
    });
    bits.sum()
}

/// One of them.
#[derive(Debug, Default)]
pub struct Listener {
    /// By tick modulo its length.
    ring: Vec<Snapshot>,
}

impl Listener {
    /// Takes the snapshot of the view's tick; `own` is the listener's soldier.
    ///
    /// # Errors
    /// It cannot be decoded, or says something that is not so.
    pub fn take(
        &mut self,
        view: &View,
        own: Option<&SoldierRow>,
        datagram: &[u8],
        heard: &mut Heard,
    ) -> io::Result<()> {
        if datagram.is_empty() {
            return Ok(());
        }
        self.ring.resize_with(BASELINE_TICKS as usize, Snapshot::default);
        let at = |tick: u32| (tick % BASELINE_TICKS) as usize;
        let mut snapshot = Snapshot::default();
        let ring = &self.ring;
        let baseline = |tick: u32| {
            let known = &ring[at(tick)];
            (known.header.tick == tick && tick != 0).then_some(known)
        };
        Snapshot::decode(datagram, baseline, &mut snapshot).map_err(io::Error::other)?;
        let known = snapshot.header.baseline.map(|tick| &ring[at(tick)]);
        heard.bits.note(datagram, known).map_err(io::Error::other)?;
        heard.states += u64::from(snapshot.updated);
        for (id, state) in snapshot.entities.iter().filter(|(_, state)| state.is_soldier()) {
            let Some(row) = view.soldiers.get(*id as usize) else {
                return Err(io::Error::other(format!("nobody is soldier {id}")));
            };
            heard.known += u64::from(matches!(row.status, Status::Alive | Status::Down));
            let Some(known) = known else { continue };
            let Ok(index) = known.entities.binary_search_by_key(id, |(id, _)| *id) else {
                continue;
            };
            if known.entities[index].1 == *state {
                continue;
            }
            check(row, state)?;
            let tick = snapshot.header.tick;
            // Both ends know how old the baseline is, and whether the soldier was moving.
            let (expected, is_moving) = known.expected(index, tick);
            let class = 2 * (tick - known.header.tick) + u32::from(is_moving);
            heard.deltas.note(class, differences(&expected, state));
        }
        if let Some(row) = own.filter(|row| row.status == Status::Alive)
            && snapshot.own.pos != row.body.pos.to_array()
        {
            return Err(io::Error::other(format!("{:?} is elsewhere", row.slot)));
        }
        let slot = at(snapshot.header.tick);
        self.ring[slot] = snapshot;
        Ok(())
    }
}

/// A state that has changed is that of this tick.
fn check(row: &SoldierRow, state: &EntityState) -> io::Result<()> {
    let [east, _, south] = row.body.pos.to_array();
    let truth = (quantise_xz(east), quantise_xz(south), quantise_yaw(row.yaw.0));
    if truth == (state.x, state.z, state.yaw) {
        return Ok(());
    }
    Err(io::Error::other(format!("{:?} is at {truth:?}, told was {state:?}", row.slot)))
}

fn differences(from: &EntityState, to: &EntityState) -> [i32; 3] {
    let turned = to.yaw.wrapping_sub(from.yaw) as i16 / ANGLE_STEP as i16;
    [to.x as i32 - from.x as i32, to.z as i32 - from.z as i32, i32::from(turned)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_differences_given_their_class() {
        let mut deltas = Deltas::default();
        for (class, difference) in [(1, 0), (1, 4), (2, 7), (2, 7)] {
            deltas.note(class, [difference, 0, 3]);
        }
        // One bit in class 1, none in class 2; the other fields say nothing.
        assert!((deltas.entropy_bits() - 0.5).abs() < 1e-9);
    }
}
