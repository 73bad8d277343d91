//! How urgent news of an entity is to one player.
//!
//! Priority is weight x ticks that the news has waited: sending makes the wait start anew. So a far
//! walker is told seldom but surely, and nothing starves. The weight of whoever is near, in view,
//! fast or in combat is higher.
//!
//! In a crowd everyone's priority is computed for everyone in every tick, so it is a handful of
//! operations on columns without a branch, and it is not the priority itself but its class: four
//! to each doubling, which is all that rationing needs.

use sortie_wire::state::{EntityState, flags};

/// Who looks, in wire units.
#[derive(Clone, Copy, Debug, Default)]
pub struct Viewpoint {
    /// Centimetres east, as quantised on the wire.
    pub x: u32,
    /// Centimetres south, as quantised on the wire.
    pub z: u32,
    /// The unit vector of the view's heading, east.
    pub east: f32,
    /// The unit vector of the view's heading, south.
    pub south: f32,
}

/// Who the snapshot is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Viewer<'a> {
    /// The team view of the history that this player's team sees.
    pub team_view: usize,
    /// Where it stands and looks.
    pub from: Viewpoint,
    /// Entities in combat with it, in id order.
    pub combat: &'a [u32],
    /// Its squad mates, in id order.
    pub squad: &'a [u32],
}

/// Nobody is nearer than so many metres: from there on the weight falls with the distance.
const NEAR_M: f32 = 25.0;
/// And nobody counts as farther.
const FAR_END_M: f32 = 400.0;
/// Weight at [`NEAR_M`].
const NEAR_WEIGHT: f32 = 32.0;
/// Entities beyond this are the far bands that overload thins out first, metres.
pub const FAR_M: f32 = 60.0;
/// Half the view cone is 45 degrees: the square of its cosine.
const CONE_COS_SQUARED: f32 = 0.5;
/// Doublings of the weight for whoever is in the view cone, as a factor of its square.
const IN_VIEW_SQUARED: f32 = 4.0;

/// Classes of priority.
pub(crate) const CLASSES: usize = 128;
/// Classes to a doubling.
pub(crate) const CLASSES_PER_DOUBLING: u8 = 4;

/// What a priority depends on besides the viewer; one entry for each slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// Metres east.
    x: Vec<f32>,
    /// Metres south.
    z: Vec<f32>,
    /// The square of the weight at one metre.
    weight_squared: Vec<f32>,
}

impl Marks {
    pub(crate) fn clear(&mut self) {
        self.x.clear();
        self.z.clear();
        self.weight_squared.clear();
    }

    pub(crate) fn push(&mut self, state: Option<EntityState>) {
        let state = state.unwrap_or_default();
        self.x.push(state.x as f32 / 100.0);
        self.z.push(state.z as f32 / 100.0);
        self.weight_squared.push(weight(&state) * weight(&state));
    }

    /// The class of each slot's priority, from 1, into `classes`; `waited` gives the ticks.
    pub(crate) fn classes(&self, from: &Viewpoint, waited: &[f32], classes: &mut Vec<u8>) {
        let (x, z) = (from.x as f32 / 100.0, from.z as f32 / 100.0);
        let rows = self.x.len().min(waited.len());
        classes.resize(rows, 0);
        let (xs, zs, weights) = (&self.x[..rows], &self.z[..rows], &self.weight_squared[..rows]);
        let (waited, classes) = (&waited[..rows], &mut classes[..rows]);
        // Indices, since a loop over one range becomes vector instructions and one over five
        // iterators does not.
        for row in 0..rows {
            let offset = (xs[row] - x, zs[row] - z);
            let squared = priority_squared(offset, from, weights[row]);
            classes[row] = class(squared * waited[row] * waited[row]);
        }
    }

    /// Whether a slot lies in the bands that are thinned out first.
    pub(crate) fn is_far(&self, slot: u32, from: &Viewpoint) -> bool {
        let dx = self.x[slot as usize] - from.x as f32 / 100.0;
        let dz = self.z[slot as usize] - from.z as f32 / 100.0;
        dx * dx + dz * dz > FAR_M * FAR_M
    }
}

/// Weight at one metre.
fn weight(state: &EntityState) -> f32 {
    // Fast: a late update shows as a jump.
    let fast = if state.kind != 0 || state.flags & flags::SPRINTING != 0 { 1.5 } else { 1.0 };
    let firing = if state.flags & flags::FIRING != 0 { 2.0 } else { 1.0 };
    NEAR_WEIGHT * NEAR_M * fast * firing
}

/// The square of the priority after one tick.
#[inline(always)]
fn priority_squared((dx, dz): (f32, f32), from: &Viewpoint, weight_squared: f32) -> f32 {
    let distance_squared = dx * dx + dz * dz;
    let ahead = (dx * from.east + dz * from.south).max(0.0);
    let in_view = ahead * ahead > CONE_COS_SQUARED * distance_squared;
    let factor = if in_view { IN_VIEW_SQUARED } else { 1.0 };
    weight_squared * factor / distance_squared.clamp(NEAR_M * NEAR_M, FAR_END_M * FAR_END_M)
}

/// The class of a priority whose square is given: four to each doubling of the priority.
#[inline(always)]
fn class(squared: f32) -> u8 {
    // Floats order like their bits, and the upper ones are a logarithm: the exponent and one bit
    // of the fraction of a square tell halves of its doublings, quarters of the root's.
    let halves = (squared.max(1.0).to_bits() >> 22) - (1.0_f32.to_bits() >> 22);
    (1 + halves).min(CLASSES as u32 - 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(east_m: u32, south_m: u32, flags: u16, waited: f32) -> u8 {
        let state = EntityState {
            x: 100_000 + east_m * 100,
            z: 100_000 + south_m * 100,
            flags,
            ..EntityState::default()
        };
        let mut marks = Marks::default();
        marks.push(Some(state));
        let from = Viewpoint { x: 100_000, z: 100_000, east: 1.0, south: 0.0 };
        let mut classes = Vec::new();
        marks.classes(&from, &[waited], &mut classes);
        classes[0]
    }

    #[test]
    fn near_in_view_fast_and_waiting_come_first() {
        let beside = class_of(0, 30, 0, 1.0);
        assert!(beside >= 16, "{beside}");
        assert_eq!(class_of(0, 60, 0, 1.0), beside - 4, "twice as far");
        assert_eq!(class_of(0, 60, 0, 2.0), beside, "and waited twice as long");
        assert_eq!(class_of(30, 0, 0, 1.0), beside + 4, "in view");
        assert_eq!(class_of(0, 30, flags::FIRING, 1.0), beside + 4);
        assert!(class_of(0, 30, flags::SPRINTING, 1.0) > beside);
        assert_eq!(class_of(0, 1, 0, 1.0), class_of(0, 25, 0, 1.0), "near is near");
        assert_eq!(class_of(0, 400, 0, 1.0), class_of(0, 900, 0, 1.0), "far is far");
    }

    #[test]
    fn the_longest_wait_is_still_told_from_a_longer_one() {
        assert!(class_of(25, 0, flags::FIRING, 250.0) < CLASSES as u8 - 1);
    }
}
