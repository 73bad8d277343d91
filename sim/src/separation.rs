//! Soldiers push each other apart softly instead of blocking.
//!
//! Every push is computed from where everybody stood when the tick began, so the order in which
//! soldiers are looked at cannot matter; of each pair both get the same push, opposite ways.

use bevy_ecs::prelude::Resource;
use sortie_field::{Vec2, Vec3};

use crate::config::BodyRules;
use crate::id::{PlayerSlot, Tick};
use crate::rng::{Rng, Stream};

/// Whoever is this much higher stands on something else, metres.
const APART_M: f32 = 1.8;

/// Nearer than this no direction can be told, metres.
const SAME_SPOT_M: f32 = 1e-3;

/// Where the soldiers that push stood when the tick began, by small cells.
///
/// The cells are hashed into twice as many buckets as there are soldiers, so that it costs the
/// same on a map of any size and in a crowd of any shape.
#[derive(Resource, Debug, Default)]
pub struct SeparationGrid {
    /// Where each bucket's soldiers begin in `members`; one more at the end.
    starts: Vec<u32>,
    members: Vec<Member>,
    /// Scratch: members in the order they came.
    arrived: Vec<Member>,
    cell_m: f32,
}

/// One who pushes and is pushed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Member {
    /// Slot of the player whose soldier it is.
    pub slot: PlayerSlot,
    /// Where its feet are, in metres.
    pub pos: Vec3,
    cell: [i32; 2],
}

/// What the others do to one soldier.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Push {
    /// Metres a second, x and z.
    pub velocity_mps: Vec2,
    /// Others that were looked at: the work it took.
    pub candidates: u32,
}

impl SeparationGrid {
    /// Takes up the soldiers of this tick, in slot order.
    pub fn build(&mut self, space_m: f32, soldiers: impl Iterator<Item = (PlayerSlot, Vec3)>) {
        self.cell_m = space_m.max(0.25);
        self.arrived.clear();
        let cell_m = self.cell_m;
        self.arrived.extend(soldiers.map(|(slot, pos)| Member {
            slot,
            pos,
            cell: cell_of(pos, cell_m),
        }));
        let buckets = (2 * self.arrived.len()).next_power_of_two().max(16);
        self.starts.clear();
        self.starts.resize(buckets + 1, 0);
        for member in &self.arrived {
            self.starts[bucket_of(member.cell, buckets) + 1] += 1;
        }
        for bucket in 0..buckets {
            self.starts[bucket + 1] += self.starts[bucket];
        }
        self.members.clear();
        self.members.resize(self.arrived.len(), Member::default());
        // Filled from the back, which turns every end of a bucket into its start.
        for member in self.arrived.iter().rev() {
            let place = &mut self.starts[bucket_of(member.cell, buckets) + 1];
            *place -= 1;
            self.members[*place as usize] = *member;
        }
        // Each bucket's start now stands one entry late; the last is the count.
        self.starts.remove(0);
        self.starts.push(self.arrived.len() as u32);
    }

    /// The push on one soldier from all others nearer than the personal space.
    pub fn push_on(
        &self,
        slot: PlayerSlot,
        pos: Vec3,
        rules: &BodyRules,
        rng: &Rng,
        tick: Tick,
    ) -> Push {
        let space_m = rules.personal_space_m;
        let mut push = Push::default();
        if space_m <= 0.0 || self.members.is_empty() {
            return push;
        }
        let [x, z] = cell_of(pos, self.cell_m);
        for cell in
            (-1..=1).flat_map(|dz| (-1..=1).map(move |dx| [x.wrapping_add(dx), z.wrapping_add(dz)]))
        {
            for other in self.in_cell(cell) {
                if other.slot == slot {
                    continue;
                }
                push.candidates += 1;
                let away = Vec2::new(pos.x - other.pos.x, pos.z - other.pos.z);
                let distance_m = away.length();
                if distance_m >= space_m || (pos.y - other.pos.y).abs() >= APART_M {
                    continue;
                }
                let direction = if distance_m > SAME_SPOT_M {
                    away / distance_m
                } else {
                    parting(slot, other.slot, rng, tick)
                };
                let share = 1.0 - distance_m / space_m;
                push.velocity_mps += direction * (share * rules.push_mps_max);
            }
        }
        let speed_mps = push.velocity_mps.length();
        if speed_mps > rules.push_mps_max {
            push.velocity_mps *= rules.push_mps_max / speed_mps;
        }
        push
    }

    fn in_cell(&self, cell: [i32; 2]) -> impl Iterator<Item = &Member> {
        let bucket = bucket_of(cell, self.starts.len() - 1);
        let range = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        // Other cells may share the bucket.
        self.members[range].iter().filter(move |member| member.cell == cell)
    }
}

fn cell_of(pos: Vec3, cell_m: f32) -> [i32; 2] {
    [libm::floorf(pos.x / cell_m) as i32, libm::floorf(pos.z / cell_m) as i32]
}

fn bucket_of([x, z]: [i32; 2], buckets: usize) -> usize {
    let mixed = (x as u32).wrapping_mul(0x9e37_79b1) ^ (z as u32).wrapping_mul(0x85eb_ca77);
    (mixed ^ mixed >> 15) as usize & (buckets - 1)
}

/// Two on one spot part in a direction that chance gives to the pair.
fn parting(slot: PlayerSlot, other: PlayerSlot, rng: &Rng, tick: Tick) -> Vec2 {
    let (low, high) = (slot.min(other), slot.max(other));
    let mut dice = rng.dice(Tick(tick.0 ^ u32::from(high.0) << 16), low, Stream::Separation);
    let (sin, cos) = libm::sincosf(dice.unit() * core::f32::consts::TAU);
    let direction = Vec2::new(cos, sin);
    if slot == low { direction } else { -direction }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SimConfig;

    fn pushes(places: &[Vec3]) -> Vec<Push> {
        let rules = SimConfig::default().body;
        let mut grid = SeparationGrid::default();
        let slots = || (0..).map(PlayerSlot).zip(places.iter().copied());
        grid.build(rules.personal_space_m, slots());
        let push = |(slot, pos)| grid.push_on(slot, pos, &rules, &Rng::new(5), Tick(1));
        slots().map(push).collect()
    }

    #[test]
    fn a_pair_is_pushed_equally_and_opposite() {
        let [left, right] = [Vec3::new(10.0, 0.0, 10.0), Vec3::new(10.3, 0.2, 10.4)];
        let pushes = pushes(&[left, right]);
        assert!(pushes[0].velocity_mps.x < 0.0);
        assert_eq!(pushes[0].velocity_mps, -pushes[1].velocity_mps);
    }

    #[test]
    fn on_one_spot_they_still_part() {
        let pushes = pushes(&[Vec3::splat(4.0), Vec3::splat(4.0)]);
        assert!(pushes[0].velocity_mps.length() > 1.0);
        assert_eq!(pushes[0].velocity_mps, -pushes[1].velocity_mps);
    }

    #[test]
    fn strangers_and_other_floors_are_left_alone() {
        let far = Vec3::new(5.0, 0.0, 5.0);
        let above = Vec3::new(4.0, 3.0, 4.0);
        for push in pushes(&[Vec3::new(4.0, 0.0, 4.0), far, above]) {
            assert_eq!(push.velocity_mps, Vec2::ZERO);
        }
    }

    #[test]
    fn hashing_cells_finds_whom_looking_at_everybody_finds() {
        let mut dice = Rng::new(3).dice(Tick(0), PlayerSlot(0), Stream::Spawn);
        let mut place = || Vec3::new(dice.between(0.0, 9.0), 0.0, dice.between(0.0, 9.0));
        let places: Vec<Vec3> = (0..300).map(|_| place()).collect();
        let rules = SimConfig::default().body;
        for (slot, push) in pushes(&places).iter().enumerate() {
            let mut sum = Vec2::ZERO;
            for (_, other) in places.iter().enumerate().filter(|(other, _)| *other != slot) {
                let away = Vec2::new(places[slot].x - other.x, places[slot].z - other.z);
                let share = 1.0 - away.length() / rules.personal_space_m;
                sum += away.normalize() * share.max(0.0) * rules.push_mps_max;
            }
            let sum = sum.clamp_length_max(rules.push_mps_max);
            assert!((sum - push.velocity_mps).length() < 1e-4, "{slot}: {sum} {push:?}");
        }
    }
}
