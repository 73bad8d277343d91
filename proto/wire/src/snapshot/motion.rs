//! Where an entity is expected: both ends carry on the motion that they saw last.

use crate::state::{ANGLE_STEP, EntityState, XZ_BITS, Y_BITS};

/// How an entity moved from one snapshot to a later one that a client decoded against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Motion {
    /// East, up, south, centimetres.
    moved: [i32; 3],
    /// Turned to the right, in steps of [`ANGLE_STEP`], the shorter way round.
    turned: i32,
    /// Ticks that this took; 0: it did not move, or nobody knows how.
    ticks: u32,
}

impl Motion {
    /// Of an entity that is expected to stay where it is.
    pub const NONE: Self = Self { moved: [0; 3], turned: 0, ticks: 0 };

    /// What led `from` one state `to` another in so many ticks.
    pub fn between(from: &EntityState, to: &EntityState, ticks: u32) -> Self {
        Self {
            moved: [
                to.x as i32 - from.x as i32,
                to.y as i32 - from.y as i32,
                to.z as i32 - from.z as i32,
            ],
            turned: turn(from.yaw, to.yaw),
            ticks,
        }
    }

    /// The ticks that it took; 0 when nothing is known.
    pub fn ticks(&self) -> u32 {
        self.ticks
    }

    /// Where `state` is expected `ahead` ticks later: each coordinate carried on in proportion,
    /// rounded to the nearest step, halves upwards, and kept on the wire's grid.
    #[inline]
    pub fn predict(&self, state: &EntityState, ahead: u32) -> EntityState {
        if self.ticks == 0 {
            return *state;
        }
        let [x, y, z] = self.moved.map(|moved| self.carried_on(moved, ahead));
        let turned = self.carried_on(self.turned, ahead);
        EntityState {
            x: (state.x as i32 + x).clamp(0, (1 << XZ_BITS) - 1) as u32,
            y: (state.y as i32 + y).clamp(0, (1 << Y_BITS) - 1) as u32,
            z: (state.z as i32 + z).clamp(0, (1 << XZ_BITS) - 1) as u32,
            yaw: state.yaw.wrapping_add((turned * i32::from(ANGLE_STEP)) as u16),
            ..*state
        }
    }

    /// At most 2^19 centimetres in one tick, 63 times: within 26 bits.
    #[inline(always)]
    fn carried_on(&self, moved: i32, ahead: u32) -> i32 {
        if ahead == self.ticks {
            return moved;
        }
        let ticks = self.ticks as i32;
        (2 * moved * ahead as i32 + ticks).div_euclid(2 * ticks)
    }
}

/// Steps from one heading to another, the shorter way round; half a turn is negative.
#[inline(always)]
pub(super) fn turn(from: u16, to: u16) -> i32 {
    i32::from(to.wrapping_sub(from) as i16 / ANGLE_STEP as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: u32, y: u32, z: u32, yaw: u16) -> EntityState {
        EntityState { x, y, z, yaw, ..EntityState::default() }
    }

    #[test]
    fn motion_is_carried_on_in_proportion() {
        let (from, to) = (at(100, 50, 900, 65_472), at(107, 50, 890, 128));
        let motion = Motion::between(&from, &to, 2);
        assert_eq!(motion.predict(&to, 2), at(114, 50, 880, 320));
        // 3.5 is rounded up, -5 is exact, 1.5 steps become 2.
        assert_eq!(motion.predict(&to, 1), at(111, 50, 885, 256));
        assert_eq!(Motion::NONE.predict(&to, 7), to);
    }

    #[test]
    fn the_grid_has_ends() {
        let motion = Motion::between(&at(500_000, 9, 9, 0), &at(0, 9, (1 << 19) - 1, 0), 1);
        let there = motion.predict(&at(1, 9, 9, 0), 63);
        assert_eq!((there.x, there.z), (0, (1 << 19) - 1));
    }
}
