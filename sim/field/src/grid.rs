//! Which obstacles to look at: a square grid of blocks, each with the list of those it touches.

use glam::Vec3;

use crate::{
    obstacle::Obstacle,
    terrain::{CELL_M, Terrain},
};

/// Terrain cells along a block's side.
pub(crate) const BLOCK_CELLS: usize = 2;

/// Side of a block, metres.
pub(crate) const BLOCK_M: f32 = CELL_M * BLOCK_CELLS as f32;

/// Directions this near to an axis never cross a line along it: their inverse could overflow.
pub(crate) const PARALLEL: f32 = 1e-12;

/// One block of the grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// No ground in the block is higher, metres.
    pub(crate) ground_top_m: f32,
    /// No obstacle of the block is higher, metres.
    pub(crate) solid_top_m: f32,
    first: u32,
    count: u32,
}

/// Obstacles by block.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    blocks_per_side: usize,
    blocks: Vec<Block>,
    /// Indices into the obstacles, block after block, rising within a block.
    listed: Vec<u32>,
}

impl Grid {
    /// Lists each obstacle in every block that its bounding rectangle, grown by `margin_m`,
    /// touches.
    pub(crate) fn new(terrain: &Terrain, obstacles: &[Obstacle], margin_m: f32) -> Self {
        let blocks_per_side = terrain.cells().div_ceil(BLOCK_CELLS);
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); blocks_per_side * blocks_per_side];
        for (index, obstacle) in obstacles.iter().enumerate() {
            let [reach_x, reach_z] = obstacle.reach_xz();
            let last = blocks_per_side as i32 - 1;
            // A hair wider than the solid, since rays may round into the next block.
            let clamp = |m: f32| (libm::floorf(m / BLOCK_M) as i32).clamp(0, last) as usize;
            let range = |middle: f32, reach: f32| {
                let reach = reach + margin_m + 0.01;
                clamp(middle - reach)..=clamp(middle + reach)
            };
            for iz in range(obstacle.center.z, reach_z) {
                for ix in range(obstacle.center.x, reach_x) {
                    lists[iz * blocks_per_side + ix].push(index as u32);
                }
            }
        }
        let mut grid = Self { blocks_per_side, blocks: Vec::new(), listed: Vec::new() };
        for (at, list) in lists.iter().enumerate() {
            let tops = list.iter().map(|&index| obstacles[index as usize].top());
            grid.blocks.push(Block {
                ground_top_m: ground_top(terrain, at % blocks_per_side, at / blocks_per_side),
                solid_top_m: tops.fold(f32::NEG_INFINITY, f32::max),
                first: grid.listed.len() as u32,
                count: list.len() as u32,
            });
            grid.listed.extend(list);
        }
        grid
    }

    pub(crate) fn blocks_per_side(&self) -> usize {
        self.blocks_per_side
    }

    #[inline]
    pub(crate) fn block(&self, ix: usize, iz: usize) -> Block {
        self.blocks[iz * self.blocks_per_side + ix]
    }

    /// Indices of a block's obstacles.
    #[inline]
    pub(crate) fn listed(&self, block: Block) -> &[u32] {
        &self.listed[block.first as usize..(block.first + block.count) as usize]
    }

    /// Indices of the obstacles near a place; outside the grid those of the nearest block.
    #[inline]
    pub(crate) fn near(&self, x: f32, z: f32) -> &[u32] {
        let last = self.blocks_per_side - 1;
        // `as` saturates and sends NaN to 0.
        let ix = ((x * (1.0 / BLOCK_M)) as usize).min(last);
        let iz = ((z * (1.0 / BLOCK_M)) as usize).min(last);
        self.listed(self.block(ix, iz))
    }
}

fn ground_top(terrain: &Terrain, block_x: usize, block_z: usize) -> f32 {
    let cells = |block: usize| {
        let first = block * BLOCK_CELLS;
        first..(first + BLOCK_CELLS).min(terrain.cells())
    };
    let mut top = f32::NEG_INFINITY;
    for iz in cells(block_z) {
        for ix in cells(block_x) {
            top = top.max(terrain.cell_top(ix, iz));
        }
    }
    top
}

/// Walks the squares of a grid that a ray crosses, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    ix: i32,
    iz: i32,
    step: [i32; 2],
    /// Distance at which the ray next crosses a line of constant x, of constant z.
    next_m: [f32; 2],
    per_square_m: [f32; 2],
    at_m: f32,
    end_m: f32,
}

/// One square of a [`Walk`] and the stretch of the ray within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Square {
    pub(crate) ix: usize,
    pub(crate) iz: usize,
    pub(crate) from_m: f32,
    pub(crate) to_m: f32,
}

impl Walk {
    /// Over squares of `side_m`, `squares` along each side, from `from_m` to `end_m` along the
    /// ray. `inverse` is 1 / dir; infinite components are fine.
    #[inline]
    pub(crate) fn new(
        origin: Vec3,
        dir: Vec3,
        inverse: Vec3,
        side_m: f32,
        squares: usize,
        [from_m, end_m]: [f32; 2],
    ) -> Self {
        let last = squares as i32 - 1;
        let start = origin + dir * from_m;
        let square = |coordinate: f32| ((coordinate / side_m) as i32).clamp(0, last);
        let (ix, iz) = (square(start.x), square(start.z));
        let axis = |index: i32, dir: f32, inverse: f32, origin: f32| -> (i32, f32, f32) {
            if dir > PARALLEL {
                (1, ((index + 1) as f32 * side_m - origin) * inverse, side_m * inverse)
            } else if dir < -PARALLEL {
                (-1, (index as f32 * side_m - origin) * inverse, -side_m * inverse)
            } else {
                (0, f32::INFINITY, f32::INFINITY)
            }
        };
        let (step_x, next_x, per_x) = axis(ix, dir.x, inverse.x, origin.x);
        let (step_z, next_z, per_z) = axis(iz, dir.z, inverse.z, origin.z);
        Self {
            ix,
            iz,
            step: [step_x, step_z],
            next_m: [next_x, next_z],
            per_square_m: [per_x, per_z],
            at_m: from_m,
            end_m,
        }
    }

    /// The next square, or `None` past the end or the grid's edge.
    #[inline]
    pub(crate) fn next(&mut self, squares: usize) -> Option<Square> {
        if self.at_m > self.end_m
            || self.ix as u32 >= squares as u32
            || self.iz as u32 >= squares as u32
        {
            return None;
        }
        let (ix, iz, from_m) = (self.ix as usize, self.iz as usize, self.at_m);
        let axis = usize::from(self.next_m[1] < self.next_m[0]);
        let to_m = self.next_m[axis].max(from_m);
        self.next_m[axis] += self.per_square_m[axis];
        if axis == 0 {
            self.ix += self.step[0];
        } else {
            self.iz += self.step[1];
        }
        self.at_m = to_m;
        if to_m >= self.end_m {
            // The next call ends the walk.
            self.at_m = f32::INFINITY;
        }
        Some(Square { ix, iz, from_m, to_m: to_m.min(self.end_m) })
    }
}
