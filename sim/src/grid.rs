//! Things by the square they lie in: a counting sort, done anew whenever they have moved.

use sortie_field::Vec3;

/// Indices of things by square. Its buffers are reused.
#[derive(Clone, Debug, Default)]
pub struct SquareGrid {
    square_m: f32,
    squares_per_side: usize,
    /// Where each square's things begin in `things`; one more at the end.
    starts: Vec<u32>,
    things: Vec<u32>,
    /// Scratch: (square, index) in the order they came.
    arrived: Vec<(u32, u32)>,
}

impl SquareGrid {
    /// Squares of `square_m` over a map of `size_m`, with nothing in them.
    pub fn new(size_m: f32, square_m: f32) -> Self {
        let squares_per_side = (libm::ceilf(size_m / square_m) as usize).max(1);
        Self { square_m, squares_per_side, ..Self::default() }
    }

    /// Takes up things by index and place; within a square they keep this order. What lies
    /// outside the map goes to the nearest square.
    pub fn build(&mut self, places: impl Iterator<Item = (u32, Vec3)>) {
        let squares = self.squares_per_side * self.squares_per_side;
        self.starts.clear();
        self.starts.resize(squares + 1, 0);
        self.arrived.clear();
        for (index, pos) in places {
            let square = self.along(pos.z) * self.squares_per_side + self.along(pos.x);
            self.arrived.push((square as u32, index));
            self.starts[square] += 1;
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.things.clear();
        self.things.resize(self.arrived.len(), 0);
        // Filled from the back, which turns every square's end into its start.
        for &(square, index) in self.arrived.iter().rev() {
            let place = &mut self.starts[square as usize];
            *place -= 1;
            self.things[*place as usize] = index;
        }
    }

    /// Calls `meet` for everything in the squares that a circle touches; some of it may lie
    /// outside the circle.
    #[inline]
    pub fn near(&self, pos: Vec3, radius_m: f32, mut meet: impl FnMut(u32)) {
        if self.starts.is_empty() {
            return;
        }
        let columns = self.along(pos.x - radius_m)..=self.along(pos.x + radius_m);
        for row in self.along(pos.z - radius_m)..=self.along(pos.z + radius_m) {
            // Squares of a row lie side by side, so their things do too.
            let first = row * self.squares_per_side + columns.start();
            let last = row * self.squares_per_side + columns.end();
            let range = self.starts[first] as usize..self.starts[last + 1] as usize;
            self.things[range].iter().for_each(|&index| meet(index));
        }
    }

    /// Calls `meet` for everything in the squares that come within `margin_m` of a line, each
    /// once; some of it may lie farther away.
    #[inline]
    pub fn near_line(&self, from: Vec3, to: Vec3, margin_m: f32, mut meet: impl FnMut(u32)) {
        if self.starts.is_empty() {
            return;
        }
        // What the parts of the line below are rounded by.
        let margin_m = margin_m + 0.01;
        let (rise_x, rise_z) = (to.x - from.x, to.z - from.z);
        let last_row = self.squares_per_side - 1;
        let rows =
            self.along(from.z.min(to.z) - margin_m)..=self.along(from.z.max(to.z) + margin_m);
        for row in rows {
            // What lies outside the map is in the outermost rows.
            let low_z = if row == 0 { f32::NEG_INFINITY } else { row as f32 * self.square_m };
            let next_z = (row + 1) as f32 * self.square_m;
            let high_z = if row == last_row { f32::INFINITY } else { next_z };
            let (mut enter, mut leave) = (0.0f32, 1.0f32);
            if rise_z.abs() > 1e-6 {
                let low = (low_z - margin_m - from.z) / rise_z;
                let high = (high_z + margin_m - from.z) / rise_z;
                enter = enter.max(low.min(high));
                leave = leave.min(low.max(high));
            }
            let (start_x, end_x) = (from.x + rise_x * enter, from.x + rise_x * leave);
            let first = self.along(start_x.min(end_x) - margin_m);
            let last = self.along(start_x.max(end_x) + margin_m);
            let row = row * self.squares_per_side;
            let range = self.starts[row + first] as usize..self.starts[row + last + 1] as usize;
            self.things[range].iter().for_each(|&index| meet(index));
        }
    }

    fn along(&self, place_m: f32) -> usize {
        // `as` saturates below at 0 and sends NaN there.
        ((place_m / self.square_m) as usize).min(self.squares_per_side - 1)
    }
}

#[cfg(test)]
mod tests {
    use sortie_field::Vec2;

    use super::*;
    use crate::id::{PlayerSlot, Tick};
    use crate::rng::{Rng, Stream};

    #[test]
    fn nobody_within_the_circle_is_missed() {
        let mut dice = Rng::new(4).dice(Tick(0), PlayerSlot(0), Stream::Spawn);
        // Some lie outside the map.
        let mut place = || Vec3::new(dice.between(-9.0, 209.0), 0.0, dice.between(-9.0, 209.0));
        let places: Vec<Vec3> = (0..500).map(|_| place()).collect();
        let mut grid = SquareGrid::new(200.0, 16.0);
        grid.build((0..).zip(places.iter().copied()));
        for (index, pos) in places.iter().enumerate() {
            let mut met = Vec::new();
            grid.near(*pos, 30.0, |other| met.push(other));
            met.sort_unstable();
            assert!(met.windows(2).all(|pair| pair[0] < pair[1]), "nobody twice");
            for (other, there) in (0..).zip(&places) {
                let near = (*pos - *there).length() <= 30.0;
                assert!(!near || met.contains(&other), "{index} misses {other}");
            }
        }
    }

    #[test]
    fn nobody_beside_a_line_is_missed() {
        let mut dice = Rng::new(6).dice(Tick(0), PlayerSlot(0), Stream::Spawn);
        let mut place = || Vec3::new(dice.between(-9.0, 209.0), 0.0, dice.between(-9.0, 209.0));
        let places: Vec<Vec3> = (0..500).map(|_| place()).collect();
        let mut grid = SquareGrid::new(200.0, 16.0);
        grid.build((0..).zip(places.iter().copied()));
        let mut lines: Vec<[Vec3; 2]> = (0..300).map(|_| [place(), place()]).collect();
        lines.push([Vec3::ZERO, Vec3::X * 200.0]);
        lines.push([Vec3::Z * 200.0, Vec3::ZERO]);
        lines.push([Vec3::splat(32.0), Vec3::splat(32.0)]);
        let mut all = 0;
        for [from, to] in lines {
            let mut met = Vec::new();
            grid.near_line(from, to, 3.0, |other| met.push(other));
            all += met.len();
            met.sort_unstable();
            assert!(met.windows(2).all(|pair| pair[0] < pair[1]), "nobody twice");
            for (other, there) in (0..).zip(&places) {
                let [a, b, p] = [from, to, *there].map(|at| Vec2::new(at.x, at.z));
                let part = (p - a).dot(b - a) / (b - a).length_squared().max(1e-9);
                let beside_m = (a + (b - a) * part.clamp(0.0, 1.0) - p).length();
                assert!(beside_m > 3.0 || met.contains(&other), "{from} {to} misses {other}");
            }
        }
        assert!(all < 303 * 500 / 4, "{all}: most are not looked at");
    }
}
