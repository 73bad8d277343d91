//! The players of the `uniform` scenario: they walk and look about, nobody fights.
//!
//! As S1 of the benchmarks has it: full speed, a heading that wanders with a random turn about
//! once a second, turning back at the walls, and a view that turns by 1 to 5 degrees every tick, so
//! that every visible player changes every tick.

use sortie_field::{Pitch, Vec3, Yaw, angle::direction};

/// Units of [`Yaw`] per degree.
const UNITS_PER_DEGREE: f32 = 65_536.0 / 360.0;

/// Distance from a wall at which a walker turns back, metres.
const WALL_M: f32 = 2.0;

/// One walking player.
#[derive(Clone, Debug)]
pub struct Walker {
    random: u64,
    heading: Yaw,
    yaw: Yaw,
    /// Yaw units added to the heading each tick.
    drift: i16,
    side_m: f32,
    turn_ticks: u64,
}

/// What a walker does in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Sideways, -127 to 127, relative to the view.
    pub right: i8,
    /// Along the view, -127 to 127.
    pub forward: i8,
    /// Where it looks.
    pub yaw: Yaw,
}

impl Walker {
    /// A walker on a square of this side; equal seeds and places walk equally.
    pub fn new(seed: u64, number: usize, side_m: f32, tick_hz: u32) -> Self {
        let mut walker = Self {
            random: seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            heading: Yaw(0),
            yaw: Yaw(0),
            drift: 0,
            side_m,
            turn_ticks: u64::from(tick_hz.max(1)),
        };
        walker.heading = Yaw(walker.draw() as u16);
        walker.yaw = Yaw(walker.draw() as u16);
        walker
    }

    /// The next step from `pos`.
    pub fn step(&mut self, pos: Vec3) -> Step {
        let draw = self.draw();
        if draw.is_multiple_of(self.turn_ticks) {
            // Up to 2 degrees a tick, either way.
            self.drift = ((draw >> 32) % 728) as i16 - 364;
        }
        self.heading = Yaw(self.heading.0.wrapping_add_signed(self.drift));
        let walk = direction(self.heading, Pitch(0));
        let far = self.side_m - WALL_M;
        let turned_x = (pos.x < WALL_M && walk.x < 0.0) || (pos.x > far && walk.x > 0.0);
        let turned_z = (pos.z < WALL_M && walk.z < 0.0) || (pos.z > far && walk.z > 0.0);
        if turned_x || turned_z {
            let x = if turned_x { -walk.x } else { walk.x };
            let z = if turned_z { -walk.z } else { walk.z };
            self.heading = Yaw::towards(x, z);
            self.drift = 0;
        }
        let degrees = 1.0 + 4.0 * ((draw >> 48) as f32 / 65_536.0);
        self.yaw = Yaw(self.yaw.0.wrapping_add((degrees * UNITS_PER_DEGREE) as u16));
        let relative = direction(Yaw(self.heading.0.wrapping_sub(self.yaw.0)), Pitch(0));
        let axis = |share: f32| (share * 127.0) as i8;
        Step { right: axis(relative.x), forward: axis(-relative.z), yaw: self.yaw }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks as the simulation would, at 5 m/s.
    fn walk(walker: &mut Walker, pos: &mut Vec3) -> Step {
        let step = walker.step(*pos);
        let forward = direction(step.yaw, Pitch(0));
        let right = direction(Yaw(step.yaw.0.wrapping_add(16_384)), Pitch(0));
        let way = forward * f32::from(step.forward) + right * f32::from(step.right);
        *pos += way * (5.0 / 127.0 / 60.0);
        step
    }

    #[test]
    fn walkers_stay_inside_and_keep_moving() {
        for number in 0..20 {
            let mut walker = Walker::new(3, number, 50.0, 60);
            let mut pos = Vec3::new(25.0, 0.0, 25.0);
            let mut way_m = 0.0;
            for _ in 0..3_600 {
                let before = pos;
                walk(&mut walker, &mut pos);
                way_m += (pos - before).length();
                assert!(pos.x > 0.0 && pos.x < 50.0 && pos.z > 0.0 && pos.z < 50.0, "{pos}");
            }
            assert!(way_m > 285.0, "walked {way_m} m of 300");
        }
    }

    #[test]
    fn the_view_turns_on_every_tick() {
        let (mut walker, mut pos) = (Walker::new(3, 1, 50.0, 60), Vec3::splat(25.0));
        let mut before = walk(&mut walker, &mut pos).yaw;
        for _ in 0..600 {
            let yaw = walk(&mut walker, &mut pos).yaw;
            let turned = f32::from(before.turn_to(yaw)) / UNITS_PER_DEGREE;
            assert!((0.99..=5.01).contains(&turned), "turned by {turned} degrees");
            before = yaw;
        }
    }
}
