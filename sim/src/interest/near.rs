//! Who stands near whom: soldiers in columns, sorted by the square that they stand in.
//!
//! A counting sort once a tick; then a circle is a few stretches of neighbouring entries, each
//! compared without a branch and without a look at anything else.

use sortie_field::Vec3;

/// Squares are at least this wide, metres; on large maps wider, so that empty squares do not cost
/// more than the soldiers.
const SQUARE_MIN_M: f32 = 8.0;
/// Squares along a side, most.
const SIDE_MAX: f32 = 128.0;

/// The places of one tick. Its buffers are reused.
#[derive(Debug, Default)]
pub(super) struct Near {
    size_m: f32,
    square_m: f32,
    side: usize,
    /// Where each square's entries begin; one more at the end.
    starts: Vec<u32>,
    /// Columns, square by square.
    x: Vec<f32>,
    y: Vec<f32>,
    z: Vec<f32>,
    slots: Vec<u32>,
    /// Everybody, as a set of slots.
    all: Vec<u64>,
    /// The corners of a box around everybody.
    low: Vec3,
    high: Vec3,
    /// Scratch: (square, slot, place) in the order they came.
    arrived: Vec<(u32, u32, Vec3)>,
}

impl Near {
    /// Takes up who stands where on a map of `size_m`. `rows` is one more than the largest slot.
    pub(super) fn build(
        &mut self,
        size_m: f32,
        rows: usize,
        places: impl Iterator<Item = (u32, Vec3)>,
    ) {
        if self.size_m != size_m {
            self.size_m = size_m;
            self.square_m = SQUARE_MIN_M.max(size_m / SIDE_MAX);
            self.side = (libm::ceilf(size_m / self.square_m) as usize).max(1);
        }
        self.starts.clear();
        self.starts.resize(self.side * self.side + 1, 0);
        self.arrived.clear();
        self.all.clear();
        self.all.resize(rows.div_ceil(64), 0);
        (self.low, self.high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
        for (slot, pos) in places {
            let square = self.along(pos.z) * self.side + self.along(pos.x);
            self.arrived.push((square as u32, slot, pos));
            self.starts[square] += 1;
            self.all[slot as usize / 64] |= 1 << (slot % 64);
            (self.low, self.high) = (self.low.min(pos), self.high.max(pos));
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        let count = self.arrived.len();
        for column in [&mut self.x, &mut self.y, &mut self.z] {
            column.resize(count, 0.0);
        }
        self.slots.resize(count, 0);
        // Filled from the back, which turns every square's end into its start.
        for &(square, slot, pos) in self.arrived.iter().rev() {
            let start = &mut self.starts[square as usize];
            *start -= 1;
            let at = *start as usize;
            (self.x[at], self.y[at], self.z[at]) = (pos.x, pos.y, pos.z);
            self.slots[at] = slot;
        }
    }

    /// Adds everybody within `reach_m` of `pos` to the set of slots `found`, which has a word for
    /// each 64 slots. In one crowd that is everybody, without a look at anyone.
    pub(super) fn mark(&self, pos: Vec3, reach_m: f32, found: &mut [u64]) {
        let farthest = (pos - self.low).abs().max((self.high - pos).abs());
        let reach = reach_m * reach_m;
        if farthest.length_squared() <= reach {
            for (found, all) in found.iter_mut().zip(&self.all) {
                *found |= all;
            }
            return;
        }
        for row in self.along(pos.z - reach_m)..=self.along(pos.z + reach_m) {
            // The outermost rows hold whoever stands outside the map.
            let low_z = if row == 0 { f32::MIN } else { row as f32 * self.square_m };
            let high_z =
                if row + 1 == self.side { f32::MAX } else { (row + 1) as f32 * self.square_m };
            let off = (low_z - pos.z).max(pos.z - high_z).max(0.0);
            let half = libm::sqrtf((reach - off * off).max(0.0));
            let first = row * self.side + self.along(pos.x - half);
            let last = row * self.side + self.along(pos.x + half);
            let range = self.starts[first] as usize..self.starts[last + 1] as usize;
            let columns = (&self.x[range.clone()], &self.y[range.clone()], &self.z[range.clone()]);
            let places = columns.0.iter().zip(columns.1).zip(columns.2);
            for (((x, y), z), slot) in places.zip(&self.slots[range]) {
                let (dx, dy, dz) = (x - pos.x, y - pos.y, z - pos.z);
                let inside = u64::from(dx * dx + dy * dy + dz * dz <= reach);
                found[*slot as usize / 64] |= inside << (slot % 64);
            }
        }
    }

    fn along(&self, place_m: f32) -> usize {
        // `as` saturates below at 0 and sends NaN there.
        ((place_m / self.square_m) as usize).min(self.side - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{PlayerSlot, Tick};
    use crate::rng::{Rng, Stream};

    #[test]
    fn everybody_within_the_circle_is_found_and_nobody_else() {
        let mut dice = Rng::new(4).dice(Tick(0), PlayerSlot(0), Stream::Spawn);
        // Some stand outside the map, and some on its edges.
        let mut place = || {
            let along = [0.0, 200.0, dice.between(-9.0, 209.0), dice.between(-9.0, 209.0)];
            Vec3::new(
                along[(dice.between(0.0, 4.0)) as usize % 4],
                dice.between(0.0, 9.0),
                along[2],
            )
        };
        let places: Vec<Vec3> = (0..700).map(|_| place()).collect();
        for size_m in [200.0, 4_000.0] {
            let mut near = Near::default();
            near.build(size_m, 700, (0..).zip(places.iter().copied()));
            for (pos, reach_m) in places.iter().zip([3.0, 30.0, 90.0, 400.0].into_iter().cycle()) {
                let mut found = vec![0; 700usize.div_ceil(64)];
                near.mark(*pos, reach_m, &mut found);
                for (slot, there) in places.iter().enumerate() {
                    let is_near = (*there - *pos).length_squared() <= reach_m * reach_m;
                    assert_eq!(found[slot / 64] >> (slot % 64) & 1 != 0, is_near, "{pos} {there}");
                }
            }
        }
    }
}
