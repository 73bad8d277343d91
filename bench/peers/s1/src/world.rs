//! The players of S1: they walk and look about on flat ground, nobody fights.

use crate::{Pose, TICK_HZ};

/// Whoever is this near is visible, metres.
pub const RADIUS_M: f32 = 32.0;

/// Others that a player sees on average.
const VISIBLE: f64 = 64.0;

const SPEED_MPS: f32 = 5.0;
const HEALTH_MAX: u8 = 100;

/// The world at one tick. Equal seeds and sizes walk equally.
#[derive(Clone, Debug)]
pub struct World {
    players: Vec<Player>,
    side_m: f32,
    tick: u32,
    random: u64,
    grid: Grid,
}

#[derive(Clone, Copy, Debug)]
struct Player {
    x: f32,
    z: f32,
    /// Way of walking, radians.
    heading: f32,
    /// Radians added to the heading each tick.
    drift: f32,
    yaw_degrees: f32,
    health: u8,
}

impl World {
    /// `count` players on a square on which each sees [`VISIBLE`] others on average.
    pub fn new(seed: u64, count: usize) -> Self {
        let side_m = side_m(count);
        let mut world = Self {
            players: Vec::with_capacity(count),
            side_m,
            tick: 0,
            random: seed,
            grid: Grid::default(),
        };
        for _ in 0..count {
            let player = Player {
                x: world.unit() * side_m,
                z: world.unit() * side_m,
                heading: world.unit() * std::f32::consts::TAU,
                drift: 0.0,
                yaw_degrees: world.unit() * 360.0,
                health: HEALTH_MAX,
            };
            world.players.push(player);
        }
        world.grid.fill(&world.players, side_m);
        world
    }

    /// Moves everybody on by one tick.
    pub fn step(&mut self) {
        let mut players = std::mem::take(&mut self.players);
        for player in &mut players {
            self.walk(player);
        }
        self.players = players;
        self.tick += 1;
        self.grid.fill(&self.players, self.side_m);
    }

    /// Ticks stepped so far.
    pub fn tick(&self) -> u32 {
        self.tick
    }

    /// How many players there are.
    pub fn count(&self) -> usize {
        self.players.len()
    }

    /// What others see of a player.
    pub fn pose(&self, player: usize) -> Pose {
        let Player { x, z, yaw_degrees, .. } = self.players[player];
        Pose::new(x, z, yaw_degrees)
    }

    /// Health of a player, 1 to 100.
    pub fn health(&self, player: usize) -> u8 {
        self.players[player].health
    }

    /// Where a player stands, metres.
    pub fn position(&self, player: usize) -> (f32, f32) {
        (self.players[player].x, self.players[player].z)
    }

    /// Whether `other` is near enough for `player` to see. Everybody sees oneself.
    pub fn sees(&self, player: usize, other: usize) -> bool {
        let (x, z) = self.position(player);
        let (other_x, other_z) = self.position(other);
        let (dx, dz) = (x - other_x, z - other_z);
        dx * dx + dz * dz <= RADIUS_M * RADIUS_M
    }

    /// Clears `seen` and fills it with everybody that `player` sees, oneself included.
    pub fn visible(&self, player: usize, seen: &mut Vec<u16>) {
        seen.clear();
        let Player { x, z, .. } = self.players[player];
        for cell in self.grid.around(x, z) {
            for near in &self.grid.entries[cell] {
                let (dx, dz) = (x - near.x, z - near.z);
                if dx * dx + dz * dz <= RADIUS_M * RADIUS_M {
                    seen.push(near.player);
                }
            }
        }
    }

    fn walk(&mut self, player: &mut Player) {
        if self.unit() * TICK_HZ as f32 <= 1.0 {
            // Up to 2 degrees a tick, either way.
            player.drift = (self.unit() - 0.5) * 4.0f32.to_radians();
        }
        player.heading += player.drift;
        let (sin, cos) = player.heading.sin_cos();
        let way_m = SPEED_MPS / TICK_HZ as f32;
        let (x, z) = (player.x + cos * way_m, player.z + sin * way_m);
        let inside = 0.0..self.side_m;
        if inside.contains(&x) && inside.contains(&z) {
            (player.x, player.z) = (x, z);
        } else {
            let turned_x = if inside.contains(&x) { cos } else { -cos };
            let turned_z = if inside.contains(&z) { sin } else { -sin };
            player.heading = turned_z.atan2(turned_x);
        }
        player.yaw_degrees = (player.yaw_degrees + 1.0 + 4.0 * self.unit()) % 360.0;
        if self.unit() < 0.01 / TICK_HZ as f32 {
            let health = 1 + (self.unit() * f32::from(HEALTH_MAX - 1)) as u8;
            // Never the same again: a change must be one.
            player.health = if health == player.health { HEALTH_MAX } else { health };
        }
    }

    /// From 0 to below 1 (SplitMix64).
    fn unit(&mut self) -> f32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Side of the square on which each of `count` players sees [`VISIBLE`] others on average, edges
/// included, metres. Small crowds stand on a square on which everybody sees everybody.
pub fn side_m(count: usize) -> f32 {
    use std::f64::consts::PI;
    let share = |r: f64| PI * r * r - 8.0 / 3.0 * r.powi(3) + r.powi(4) / 2.0;
    let others = count.saturating_sub(1) as f64;
    let (mut low, mut high) = (0.0, 1.0);
    if others * share(high) <= VISIBLE {
        return RADIUS_M;
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if others * share(middle) < VISIBLE { low = middle } else { high = middle }
    }
    (f64::from(RADIUS_M) / low) as f32
}

/// Players by squares of [`RADIUS_M`], so that a circle touches nine of them at most.
#[derive(Clone, Debug, Default)]
struct Grid {
    width: usize,
    entries: Vec<Vec<Near>>,
}

#[derive(Clone, Copy, Debug)]
struct Near {
    x: f32,
    z: f32,
    player: u16,
}

impl Grid {
    fn fill(&mut self, players: &[Player], side_m: f32) {
        self.width = (side_m / RADIUS_M) as usize + 1;
        self.entries.resize_with(self.width * self.width, Vec::new);
        for entry in &mut self.entries {
            entry.clear();
        }
        for (number, player) in players.iter().enumerate() {
            let cell = self.column(player.z) * self.width + self.column(player.x);
            self.entries[cell].push(Near { x: player.x, z: player.z, player: number as u16 });
        }
    }

    fn column(&self, at: f32) -> usize {
        ((at / RADIUS_M) as usize).min(self.width - 1)
    }

    /// Indices of the squares that a circle around this point can touch.
    fn around(&self, x: f32, z: f32) -> impl Iterator<Item = usize> + use<> {
        let (column, row, width) = (self.column(x), self.column(z), self.width);
        let columns = column.saturating_sub(1)..(column + 2).min(width);
        let rows = row.saturating_sub(1)..(row + 2).min(width);
        rows.flat_map(move |row| columns.clone().map(move |column| row * width + column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_those_of_the_definition() {
        for (count, side) in [(100, 51.6), (250, 95.9), (500, 143.3)] {
            assert!((side_m(count) - side).abs() < 0.1, "{count}: {}", side_m(count));
        }
    }

    #[test]
    fn players_see_64_others_on_average() {
        let mut world = World::new(3, 500);
        let (mut sum, mut seen) = (0, Vec::new());
        for _ in 0..200 {
            world.step();
            for player in 0..world.count() {
                world.visible(player, &mut seen);
                sum += seen.len() - 1;
            }
        }
        let mean = sum as f64 / (200.0 * 500.0);
        assert!((56.0..72.0).contains(&mean), "{mean}");
    }

    #[test]
    fn the_grid_finds_whom_brute_force_finds() {
        let mut world = World::new(5, 300);
        for _ in 0..60 {
            world.step();
        }
        let mut seen = Vec::new();
        for player in 0..world.count() {
            world.visible(player, &mut seen);
            seen.sort_unstable();
            let all: Vec<u16> =
                (0..300).filter(|&other| world.sees(player, usize::from(other))).collect();
            assert_eq!(seen, all);
        }
    }

    #[test]
    fn everybody_changes_every_tick_and_stays_inside() {
        let mut world = World::new(7, 100);
        for _ in 0..600 {
            let before: Vec<Pose> = (0..100).map(|player| world.pose(player)).collect();
            world.step();
            for (player, before) in before.into_iter().enumerate() {
                assert_ne!(world.pose(player), before);
                let (x, z) = world.position(player);
                assert!((0.0..world.side_m).contains(&x) && (0.0..world.side_m).contains(&z));
            }
        }
    }

    #[test]
    fn equal_seeds_walk_equally() {
        let (mut one, mut other) = (World::new(9, 50), World::new(9, 50));
        for _ in 0..100 {
            one.step();
            other.step();
        }
        assert!((0..50).all(|player| one.pose(player) == other.pose(player)));
    }
}
