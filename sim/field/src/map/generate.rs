//! From recipes to ground and cover: a pure function of the document.
//!
//! Places are chosen first, then the ground is levelled under them, then things are put there,
//! so that doors open on level ground and points are fair.

use glam::{Vec2, Vec3};

use super::document::{Document, ObstacleEntry, TerrainRecipe, limits};
use crate::{
    angle::Yaw,
    hash::{RecipeRng, mix, unit},
    obstacle::{Obstacle, Shape},
    terrain::Terrain,
};

pub(super) struct Generated {
    pub(super) terrain: Terrain,
    pub(super) obstacles: Vec<Obstacle>,
}

/// What a recipe puts in one place.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    House,
    Platform,
    Wall,
    Crate,
}

/// A place that is taken.
#[derive(Clone, Copy)]
struct Site {
    at: Vec2,
    /// Nothing else may come nearer than this.
    keep_m: f32,
    /// Levelled out to here, and blended into the hills to twice as far.
    level_m: f32,
}

pub(super) fn generate(document: &Document) -> Generated {
    let mut sites: Vec<Site> = Vec::new();
    for point in &document.points {
        let at = Vec2::new(point.x, point.z);
        sites.push(Site { at, keep_m: 3.0, level_m: point.radius_m * 0.6 });
    }
    for base in &document.bases {
        let at = Vec2::new(base.x, base.z);
        sites.push(Site { at, keep_m: base.radius_m + 2.0, level_m: base.radius_m });
    }
    let placed = choose_places(document, &mut sites);
    let terrain = raise_ground(document, &sites);
    let mut rng = RecipeRng::new(u64::from(document.scatter.seed) ^ 0xb111d);
    let mut obstacles = Vec::new();
    for (kind, at) in placed {
        let ground = terrain.height(at.x, at.y);
        let base = Vec3::new(at.x, ground, at.y);
        let heading = Yaw((rng.below(32) * 2_048) as u16);
        match kind {
            Kind::House => build_house(&mut obstacles, base, heading, &mut rng),
            Kind::Platform => build_platform(&mut obstacles, base, heading),
            Kind::Wall => build_wall(&mut obstacles, base, heading, &mut rng),
            Kind::Crate => build_crate(&mut obstacles, base, heading, &mut rng),
        }
    }
    obstacles.extend(document.obstacles.iter().map(|entry| place_entry(entry, &terrain)));
    Generated { terrain, obstacles }
}

fn choose_places(document: &Document, sites: &mut Vec<Site>) -> Vec<(Kind, Vec2)> {
    const EDGE_M: f32 = 14.0;
    let recipe = &document.scatter;
    let mut rng = RecipeRng::new(u64::from(recipe.seed));
    let mut placed = Vec::new();
    if document.size_m < 4.0 * EDGE_M {
        return placed;
    }
    let wanted = [
        (Kind::House, recipe.houses, 8.5, 9.0),
        (Kind::Platform, recipe.platforms, 7.0, 7.0),
        (Kind::Wall, recipe.walls, 5.5, 0.0),
        (Kind::Crate, recipe.crates, 2.2, 0.0),
    ];
    for (kind, amount, keep_m, level_m) in wanted {
        for _ in 0..amount {
            // A crowded map takes fewer things instead of searching for ever.
            for _ in 0..12 {
                let at = candidate(document, &mut rng, EDGE_M);
                let free = |site: &Site| {
                    let apart = site.keep_m + keep_m;
                    (site.at - at).length_squared() > apart * apart
                };
                if sites.iter().all(free) {
                    sites.push(Site { at, keep_m, level_m });
                    placed.push((kind, at));
                    break;
                }
            }
        }
    }
    placed
}

fn candidate(document: &Document, rng: &mut RecipeRng, edge_m: f32) -> Vec2 {
    let (low, high) = (edge_m, document.size_m - edge_m);
    let points = &document.points;
    if !points.is_empty() && rng.range(0.0, 1.0) < document.scatter.near_points {
        let point = &points[rng.below(points.len() as u32) as usize];
        let reach = point.radius_m * 2.5 + 10.0;
        let x = point.x + rng.range(-reach, reach);
        let z = point.z + rng.range(-reach, reach);
        return Vec2::new(x.clamp(low, high), z.clamp(low, high));
    }
    Vec2::new(rng.range(low, high), rng.range(low, high))
}

fn raise_ground(document: &Document, sites: &[Site]) -> Terrain {
    let recipe = &document.terrain;
    let wild = |x: f32, z: f32| -> f32 {
        let height_m = hills(recipe, x, z) + ridge(recipe, document.size_m, x);
        let height_m = height_m + table(recipe, document.size_m, x, z);
        height_m.clamp(-limits::HEIGHT_M_MAX, limits::HEIGHT_M_MAX)
    };
    let is_flat = recipe.hills_m == 0.0 && recipe.ridge_m == 0.0 && recipe.heights_m.is_empty();
    if is_flat {
        return Terrain::from_fn(document.size_m, |_, _| 0.0);
    }
    let mut terrain = Terrain::from_fn(document.size_m, wild);
    if !recipe.heights_m.is_empty() {
        // A height table is the author's own work: nothing in it is levelled.
        return terrain;
    }
    for site in sites.iter().filter(|site| site.level_m > 0.0) {
        let level_m = wild(site.at.x, site.at.y);
        let reach_m = site.level_m * 2.0;
        terrain.reshape(site.at.to_array(), reach_m, |x, z, height_m| {
            let apart_m = (Vec2::new(x, z) - site.at).length();
            let outside = (apart_m - site.level_m) / site.level_m;
            level_m + (height_m - level_m) * smooth(outside.clamp(0.0, 1.0))
        });
    }
    terrain
}

/// Sums octaves of smooth seeded noise.
fn hills(recipe: &TerrainRecipe, x: f32, z: f32) -> f32 {
    let (mut sum_m, mut height_m) = (0.0, recipe.hills_m);
    let mut spacing_m = recipe.wavelength_m * 0.5;
    if height_m <= 0.0 {
        return 0.0;
    }
    for octave in 0..recipe.octaves {
        if spacing_m < 8.0 {
            break;
        }
        let seed = u64::from(recipe.seed) << 8 | u64::from(octave);
        sum_m += height_m * 0.5 * noise(seed, x / spacing_m, z / spacing_m);
        height_m *= 0.5;
        spacing_m *= 0.5;
    }
    sum_m
}

/// Value noise, -1 to 1, for coordinates from 0.
fn noise(seed: u64, x: f32, z: f32) -> f32 {
    let (ix, iz) = (x as u32, z as u32);
    let (u, v) = (smooth(x - ix as f32), smooth(z - iz as f32));
    let corner = |dx: u32, dz: u32| {
        let place = u64::from(ix + dx) << 32 | u64::from(iz + dz);
        unit(mix(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ mix(place))) * 2.0 - 1.0
    };
    let north = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * u;
    let south = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * u;
    north + (south - north) * v
}

fn ridge(recipe: &TerrainRecipe, size_m: f32, x: f32) -> f32 {
    if recipe.ridge_m == 0.0 {
        return 0.0;
    }
    let away = (x - size_m * 0.5).abs() / recipe.ridge_reach_m;
    recipe.ridge_m * (1.0 - smooth(away.min(1.0)))
}

fn table(recipe: &TerrainRecipe, size_m: f32, x: f32, z: f32) -> f32 {
    let rows = &recipe.heights_m;
    if rows.is_empty() {
        return 0.0;
    }
    let spans = rows.len() - 1;
    let place = |coordinate: f32| {
        let scaled = (coordinate / size_m * spans as f32).clamp(0.0, spans as f32);
        let index = (scaled as usize).min(spans - 1);
        (index, scaled - index as f32)
    };
    let ((ix, u), (iz, v)) = (place(x), place(z));
    let north = rows[iz][ix] + (rows[iz][ix + 1] - rows[iz][ix]) * u;
    let south = rows[iz + 1][ix] + (rows[iz + 1][ix + 1] - rows[iz + 1][ix]) * u;
    north + (south - north) * v
}

/// 0 to 1 with level ends.
fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// Builds parts in a frame whose z runs along `heading`.
struct Frame<'a> {
    obstacles: &'a mut Vec<Obstacle>,
    base: Vec3,
    heading: Yaw,
}

impl Frame<'_> {
    /// A part from `low` to `high` (across, up, along) relative to the base.
    fn part(&mut self, shape: Shape, low: [f32; 3], high: [f32; 3]) {
        let (low, high) = (Vec3::from(low), Vec3::from(high));
        let middle = (low + high) * 0.5;
        let (sin, cos) = libm::sincosf(self.heading.radians());
        let offset =
            Vec3::new(middle.x * cos + middle.z * sin, middle.y, middle.x * sin - middle.z * cos);
        let half = (high - low) * 0.5;
        self.obstacles.push(Obstacle::new(self.base + offset, half, self.heading, shape));
    }
}

/// Feet of walls reach this far into the ground, so that no slope opens a gap.
const FOOT_M: f32 = 1.0;

/// 10 x 8 m, 3 m walls, a door at each end, a window in each side, a flat roof.
fn build_house(obstacles: &mut Vec<Obstacle>, base: Vec3, heading: Yaw, rng: &mut RecipeRng) {
    const HALF_W: f32 = 4.0;
    const HALF_L: f32 = 5.0;
    const WALL: f32 = 0.3;
    const TOP: f32 = 3.0;
    let mut frame = Frame { obstacles, base, heading };
    for side in [-1.0f32, 1.0] {
        let door_at = rng.range(-1.8, 1.8);
        let (near, far) = span(side * (HALF_L - WALL), side * HALF_L);
        frame.part(Shape::Box, [-HALF_W, -FOOT_M, near], [door_at - 0.8, TOP, far]);
        frame.part(Shape::Box, [door_at + 0.8, -FOOT_M, near], [HALF_W, TOP, far]);
        frame.part(Shape::Box, [door_at - 0.8, 2.3, near], [door_at + 0.8, TOP, far]);
        let window_at = rng.range(-2.0, 2.0);
        let (near, far) = span(side * (HALF_W - WALL), side * HALF_W);
        let end = HALF_L - WALL;
        frame.part(Shape::Box, [near, -FOOT_M, -end], [far, 1.1, end]);
        frame.part(Shape::Box, [near, 1.1, -end], [far, TOP, window_at - 1.0]);
        frame.part(Shape::Box, [near, 1.1, window_at + 1.0], [far, TOP, end]);
    }
    frame.part(Shape::Box, [-HALF_W, TOP, -HALF_L], [HALF_W, TOP + 0.3, HALF_L]);
}

/// A platform 2 m high with a ramp up.
fn build_platform(obstacles: &mut Vec<Obstacle>, base: Vec3, heading: Yaw) {
    let mut frame = Frame { obstacles, base, heading };
    frame.part(Shape::Box, [-2.5, -FOOT_M, 0.0], [2.5, 2.0, 5.0]);
    frame.part(Shape::Box, [-2.5, 2.0, 4.7], [2.5, 3.0, 5.0]);
    frame.part(Shape::Ramp, [-1.5, -0.2, -4.4], [1.5, 2.0, 0.0]);
}

fn build_wall(obstacles: &mut Vec<Obstacle>, base: Vec3, heading: Yaw, rng: &mut RecipeRng) {
    let half_length = rng.range(2.0, 5.0);
    let height = rng.range(1.2, 2.4);
    let mut frame = Frame { obstacles, base, heading };
    frame.part(Shape::Box, [-0.25, -2.0, -half_length], [0.25, height, half_length]);
}

fn build_crate(obstacles: &mut Vec<Obstacle>, base: Vec3, heading: Yaw, rng: &mut RecipeRng) {
    let (half, height) = (rng.range(0.5, 1.1), rng.range(0.8, 1.6));
    let mut frame = Frame { obstacles, base, heading };
    frame.part(Shape::Box, [-half, -FOOT_M, -half], [half, height, half]);
}

fn span(a: f32, b: f32) -> (f32, f32) {
    if a < b { (a, b) } else { (b, a) }
}

fn place_entry(entry: &ObstacleEntry, terrain: &Terrain) -> Obstacle {
    const SUNK_M: f32 = 0.05;
    let bottom = entry.bottom_m.unwrap_or_else(|| terrain.height(entry.x, entry.z) - SUNK_M);
    let half = Vec3::new(entry.width_m, entry.height_m, entry.length_m) * 0.5;
    let center = Vec3::new(entry.x, bottom + half.y, entry.z);
    let yaw = Yaw::from_radians(entry.heading_deg * (core::f32::consts::PI / 180.0));
    Obstacle::new(center, half, yaw, entry.shape)
}
