//! Chance without a hidden state: every roll is a pure function of (seed, tick, who, stream).
//!
//! There is no generator to advance, so the order in which systems or threads roll cannot change
//! what they get, and chance needs no place in a checkpoint.

use bevy_ecs::prelude::Resource;

use crate::id::{EntityId, Tick};

/// The battle's seed; the root of all chance in it.
#[derive(Resource, Clone, Copy, Debug)]
pub struct Rng {
    seed: u64,
}

/// What the chance is for. Streams of one player in one tick do not touch each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Where the rounds of a shot go.
    Spread = 1,
    /// Where a soldier comes into the field.
    Spawn = 2,
    /// Which way two soldiers on one spot part.
    Separation = 3,
    /// Recoil's sideways part.
    Recoil = 4,
    /// A thrown thing's wobble.
    Throw = 5,
    /// Whose health changes on a walk.
    Health = 6,
}

/// The rolls of one (tick, who, stream), in order.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Rng {
    /// Chance grown from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The rolls that belong to `who` in `tick` for one purpose; the same every time.
    pub fn dice(&self, tick: Tick, who: impl Into<EntityId>, stream: Stream) -> Dice {
        let place = u64::from(tick.0) << 32 | u64::from(who.into().0);
        Dice { state: scramble(scramble(self.seed ^ place) ^ stream as u64) }
    }
}

impl Dice {
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.state)
    }

    /// The next number in 0.0..1.0, in steps of 2^-24, all of which f32 holds exactly.
    pub fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / 16_777_216.0
    }

    /// The next number in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// The next number in `0..count`; 0 when `count` is 0.
    pub fn below(&mut self, count: u32) -> u32 {
        // The bias is below 2^-32: far under what a battle could show.
        ((u128::from(self.next_u64()) * u128::from(count)) >> 64) as u32
    }

    /// A point in the unit disc, evenly spread over its area.
    pub fn disc(&mut self) -> (f32, f32) {
        let radius = libm::sqrtf(self.unit());
        let (sin, cos) = libm::sincosf(self.unit() * core::f32::consts::TAU);
        (radius * cos, radius * sin)
    }
}

/// SplitMix64's finisher: every input bit changes every output bit with even odds.
fn scramble(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PlayerSlot;

    #[test]
    fn the_same_question_has_the_same_answer() {
        let rng = Rng::new(7);
        let ask = || rng.dice(Tick(9), PlayerSlot(3), Stream::Spread).next_u64();
        assert_eq!(ask(), ask());
        assert_ne!(ask(), rng.dice(Tick(9), PlayerSlot(3), Stream::Spawn).next_u64());
        assert_ne!(ask(), rng.dice(Tick(9), PlayerSlot(4), Stream::Spread).next_u64());
        assert_ne!(ask(), Rng::new(8).dice(Tick(9), PlayerSlot(3), Stream::Spread).next_u64());
    }

    #[test]
    fn rolls_are_even() {
        let rng = Rng::new(1);
        let rolls = 20_000;
        let sum: f32 =
            (0..rolls).map(|tick| rng.dice(Tick(tick), PlayerSlot(0), Stream::Spawn).unit()).sum();
        assert!((sum / rolls as f32 - 0.5).abs() < 0.01, "mean {}", sum / rolls as f32);
    }
}
