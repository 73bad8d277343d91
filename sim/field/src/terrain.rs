//! The ground: a square grid of heights, bilinear between them.
//!
//! A ray meets the ground exactly: along a ray the bilinear surface of one cell is a quadratic,
//! so nothing is sampled and nothing is missed between samples.

use glam::Vec3;

/// Side of a terrain cell, metres.
pub(crate) const CELL_M: f32 = 4.0;

/// Heights over `0..=size_m` in x and z.
#[derive(Clone, Debug, PartialEq)]
pub struct Terrain {
    cells: usize,
    /// Rows of constant z, `cells + 1` heights each.
    heights_m: Vec<f32>,
}

/// One stretch of a ray within a single terrain cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CellSpan {
    pub(crate) ix: usize,
    pub(crate) iz: usize,
    pub(crate) from_m: f32,
    pub(crate) to_m: f32,
}

impl Terrain {
    /// The ground over a square of `size_m`, with `height_m(x, z)` at every grid corner.
    pub fn from_fn(size_m: f32, mut height_m: impl FnMut(f32, f32) -> f32) -> Self {
        let cells = cells_over(size_m);
        let mut heights_m = Vec::with_capacity((cells + 1) * (cells + 1));
        for iz in 0..=cells {
            for ix in 0..=cells {
                heights_m.push(height_m(ix as f32 * CELL_M, iz as f32 * CELL_M));
            }
        }
        Self { cells, heights_m }
    }

    /// Replaces the corner heights within `reach_m` of a place along x and z by
    /// `height_m(x, z, height before)`.
    pub(crate) fn reshape(
        &mut self,
        [x, z]: [f32; 2],
        reach_m: f32,
        mut height_m: impl FnMut(f32, f32, f32) -> f32,
    ) {
        // `as` saturates below at 0.
        let corners = |middle: f32| {
            let first = libm::ceilf((middle - reach_m) / CELL_M) as usize;
            first..=(((middle + reach_m) / CELL_M) as usize).min(self.cells)
        };
        for iz in corners(z) {
            for ix in corners(x) {
                let height = &mut self.heights_m[iz * (self.cells + 1) + ix];
                *height = height_m(ix as f32 * CELL_M, iz as f32 * CELL_M, *height);
            }
        }
    }

    /// Cells along one side.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// All corner heights in metres, rows of constant z.
    pub fn heights_m(&self) -> &[f32] {
        &self.heights_m
    }

    /// Ground height in metres; outside the grid that of the nearest edge, for NaN that of 0.
    #[inline]
    pub fn height(&self, x: f32, z: f32) -> f32 {
        let (ix, u) = self.split(x);
        let (iz, v) = self.split(z);
        let [a, b, c, e] = self.surface(ix, iz);
        a + b * u + c * v + e * u * v
    }

    /// The upward unit normal.
    #[inline]
    pub fn normal(&self, x: f32, z: f32) -> Vec3 {
        let (ix, u) = self.split(x);
        let (iz, v) = self.split(z);
        let [_, b, c, e] = self.surface(ix, iz);
        let dx = (b + e * v) * (1.0 / CELL_M);
        let dz = (c + e * u) * (1.0 / CELL_M);
        Vec3::new(-dx, 1.0, -dz) * (1.0 / (dx * dx + 1.0 + dz * dz).sqrt())
    }

    /// The highest corner of a cell: no ground in it is above.
    pub(crate) fn cell_top(&self, ix: usize, iz: usize) -> f32 {
        let at = iz * (self.cells + 1) + ix;
        let (near, far) = (&self.heights_m[at..at + 2], &self.heights_m[at + self.cells + 1..]);
        near[0].max(near[1]).max(far[0].max(far[1]))
    }

    /// Where a ray that was above ground before `span` goes below it, metres along the ray.
    #[inline]
    pub(crate) fn enter(&self, origin: Vec3, dir: Vec3, span: CellSpan) -> Option<f32> {
        const PER_M: f32 = 1.0 / CELL_M;
        let [a, b, c, e] = self.surface(span.ix, span.iz);
        let start = origin + dir * span.from_m;
        let u = start.x * PER_M - span.ix as f32;
        let v = start.z * PER_M - span.iz as f32;
        let (du, dv) = (dir.x * PER_M, dir.z * PER_M);
        // Height above ground at s metres into the cell: q2 s² + q1 s + q0.
        let q0 = start.y - (a + b * u + c * v + e * u * v);
        if q0 <= 0.0 {
            return Some(span.from_m);
        }
        let q1 = dir.y - (b * du + c * dv + e * (u * dv + v * du));
        let q2 = -e * du * dv;
        let length = span.to_m - span.from_m;
        let dips = q2 > 0.0 && q1 < 0.0 && -q1 < 2.0 * q2 * length;
        if (q2 * length + q1) * length + q0 > 0.0 && !dips {
            return None;
        }
        let discriminant = q1 * q1 - 4.0 * q2 * q0;
        if discriminant < 0.0 {
            return None;
        }
        // The form with q0 on top stays exact as q2 goes to zero, which it does on flat ground.
        let root = 2.0 * q0 / (discriminant.sqrt() - q1);
        Some(span.from_m + root.clamp(0.0, length.max(0.0)))
    }

    /// `[h00, dx, dz, twist]`: height = h00 + dx u + dz v + twist u v for u, v in 0..=1.
    #[inline]
    fn surface(&self, ix: usize, iz: usize) -> [f32; 4] {
        let at = iz * (self.cells + 1) + ix;
        let next = at + self.cells + 1;
        let (h00, h10) = (self.heights_m[at], self.heights_m[at + 1]);
        let (h01, h11) = (self.heights_m[next], self.heights_m[next + 1]);
        [h00, h10 - h00, h01 - h00, h11 - h10 - h01 + h00]
    }

    /// Cell and place within it, 0 to 1, of one coordinate.
    #[inline]
    fn split(&self, coordinate: f32) -> (usize, f32) {
        let scaled = (coordinate * (1.0 / CELL_M)).max(0.0).min(self.cells as f32);
        let cell = (scaled as usize).min(self.cells - 1);
        (cell, scaled - cell as f32)
    }
}

/// Cells needed to cover `size_m`; at least one.
pub(crate) fn cells_over(size_m: f32) -> usize {
    (libm::ceilf(size_m / CELL_M) as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x / 2: rises to the east.
    fn slope() -> Terrain {
        Terrain::from_fn(64.0, |x, _| x * 0.5)
    }

    #[test]
    fn heights_are_linear_between_corners() {
        let terrain = slope();
        assert_eq!(terrain.height(10.0, 3.0), 5.0);
        assert_eq!(terrain.height(-5.0, 900.0), 0.0);
        assert_eq!(terrain.height(f32::NAN, f32::INFINITY), 0.0);
    }

    #[test]
    fn normals_lean_downhill() {
        let normal = slope().normal(10.0, 10.0);
        assert!(normal.x < 0.0 && normal.z == 0.0);
        assert!((normal.length() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_ray_enters_where_the_surface_is() {
        let span = CellSpan { ix: 0, iz: 0, from_m: 0.0, to_m: 3.0 };
        let (origin, dir) = (Vec3::new(2.0, 3.0, 2.0), Vec3::NEG_Y);
        assert_eq!(slope().enter(origin, dir, span), Some(2.0));
        assert_eq!(slope().enter(origin, Vec3::Y, span), None);
    }
}
