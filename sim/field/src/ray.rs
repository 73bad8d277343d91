//! Rays against the field: the nearest of ground and obstacles.
//!
//! A ray walks the blocks it crosses and looks into one only when it dips below the highest
//! thing there. Within a block the ground is met exactly, cell by cell.

use glam::Vec3;

pub use crate::obstacle::RayHit;
use crate::{
    field::Field,
    grid::{BLOCK_CELLS, BLOCK_M, Block, PARALLEL, Square, Walk},
    terrain::{CELL_M, CellSpan},
};

/// Ends of a [`Field::line_clear`] segment this near to a surface do not count as blocked, metres.
const ENDS_M: f32 = 0.02;

/// No ray needs to be longer; keeps infinity out of the arithmetic.
const FAR_M: f32 = 20_000.0;

impl Field {
    /// The first thing that a ray meets within `max_m`, ground or obstacle.
    ///
    /// `dir_unit` has length 1. A ray that starts inside something meets it at distance 0; one
    /// that starts less than 2 cm under the ground starts on top of it. Nothing is met outside
    /// the map; what is not finite meets nothing.
    pub fn raycast(&self, origin: Vec3, dir_unit: Vec3, max_m: f32) -> Option<RayHit> {
        self.cast::<false>(self.on_top(origin), dir_unit, max_m)
    }

    /// Whether nothing stands between two places. Exactly the same in both directions; the last
    /// 2 cm at each end are not looked at, so that a foot on the ground can be seen.
    pub fn line_clear(&self, from: Vec3, to: Vec3) -> bool {
        let (from, to) = (self.on_top(from), self.on_top(to));
        // One canonical direction makes the answer symmetrical to the last bit.
        let (a, b) =
            if (from.x, from.z, from.y) <= (to.x, to.z, to.y) { (from, to) } else { (to, from) };
        let between = b - a;
        let length = between.length();
        if length <= 2.0 * ENDS_M {
            return true;
        }
        let dir = between * (1.0 / length);
        self.cast::<true>(a + dir * ENDS_M, dir, length - 2.0 * ENDS_M).is_none()
    }

    /// Lifts a place that rounding put just under the ground.
    fn on_top(&self, place: Vec3) -> Vec3 {
        let under_m = self.map.terrain.height(place.x, place.z) - place.y;
        let lift_m = if (0.0..ENDS_M).contains(&under_m) { under_m + 1e-3 } else { 0.0 };
        Vec3::new(place.x, place.y + lift_m, place.z)
    }

    /// With `ANY` the first thing found will do, else the nearest.
    #[inline]
    fn cast<const ANY: bool>(&self, origin: Vec3, dir: Vec3, max_m: f32) -> Option<RayHit> {
        if !(origin + dir).is_finite() || max_m.is_nan() {
            return None;
        }
        let inverse = Vec3::ONE / dir;
        let [from_m, end_m] = self.clip_to_map(origin, dir, inverse, max_m)?;
        let mut ray = Ray { origin, dir, inverse, best: None, end_m };
        let squares = self.rays.blocks_per_side();
        let mut walk = Walk::new(origin, dir, inverse, BLOCK_M, squares, [from_m, end_m]);
        while let Some(square) = walk.next(squares) {
            ray.look_into(self, square);
            if ray.best.is_some() && (ANY || ray.end_m <= square.to_m) {
                break;
            }
        }
        ray.best
    }

    /// The stretch of the ray above the map's square.
    fn clip_to_map(&self, origin: Vec3, dir: Vec3, inverse: Vec3, max_m: f32) -> Option<[f32; 2]> {
        let (mut from_m, mut end_m) = (0.0f32, max_m.min(FAR_M));
        for axis in [0, 2] {
            let (start, along) = (origin[axis], dir[axis]);
            if along.abs() <= PARALLEL {
                if !(0.0..=self.map.size_m).contains(&start) {
                    return None;
                }
                continue;
            }
            let low = -start * inverse[axis];
            let high = (self.map.size_m - start) * inverse[axis];
            from_m = from_m.max(low.min(high));
            end_m = end_m.min(low.max(high));
        }
        (from_m <= end_m).then_some([from_m, end_m])
    }
}

/// A ray on its way, and the nearest thing met so far.
struct Ray {
    origin: Vec3,
    dir: Vec3,
    inverse: Vec3,
    best: Option<RayHit>,
    /// Nothing beyond is of interest any more.
    end_m: f32,
}

impl Ray {
    #[inline]
    fn look_into(&mut self, field: &Field, square: Square) {
        let block = field.rays.block(square.ix, square.iz);
        let heights = [square.from_m, square.to_m].map(|at| self.origin.y + self.dir.y * at);
        let lowest = heights[0].min(heights[1]);
        if lowest <= block.solid_top_m {
            self.meet_obstacles(field, block);
        }
        if lowest <= block.ground_top_m {
            self.meet_ground(field, square);
        }
    }

    #[inline]
    fn meet_obstacles(&mut self, field: &Field, block: Block) {
        for &index in field.rays.listed(block) {
            let obstacle = &field.map.obstacles[index as usize];
            if let Some(hit) = obstacle.raycast(self.origin, self.dir, self.end_m) {
                self.keep(hit);
            }
        }
    }

    #[inline]
    fn meet_ground(&mut self, field: &Field, square: Square) {
        let terrain = &field.map.terrain;
        let cells = terrain.cells();
        let to_m = square.to_m.min(self.end_m);
        let range = [square.from_m, to_m];
        let mut walk = Walk::new(self.origin, self.dir, self.inverse, CELL_M, cells, range);
        // Rounding may start the walk one cell outside the block; no ground is lost by it.
        for _ in 0..2 * BLOCK_CELLS + 2 {
            let Some(Square { ix, iz, from_m, to_m }) = walk.next(cells) else { return };
            let span = CellSpan { ix, iz, from_m, to_m };
            if let Some(distance_m) = terrain.enter(self.origin, self.dir, span) {
                let at = self.origin + self.dir * distance_m;
                let normal = terrain.normal(at.x, at.z);
                // A ray that came from below did not meet the upper side.
                let normal = if normal.dot(self.dir) < 0.0 { normal } else { -self.dir };
                self.keep(RayHit { distance_m, normal });
                return;
            }
        }
    }

    #[inline]
    fn keep(&mut self, hit: RayHit) {
        if hit.distance_m < self.end_m || self.best.is_none() {
            self.end_m = hit.distance_m;
            self.best = Some(hit);
        }
    }
}
