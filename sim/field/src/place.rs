//! Places to stand: where a body fits, and how far it can walk straight on from there.
//!
//! Whoever is put somewhere without walking there must stand free, and must not be behind what
//! nobody gets through. Both follow from one rule: a place is found where a body fits, and from
//! there on only by walking.

use glam::{Vec2, Vec3};

use crate::{body::MoveRules, field::Field, movement::too_steep};

/// From one look at the way to the next, metres; less than the thinnest body is wide, so that no
/// wall is stepped over.
const STRIDE_M: f32 = 0.2;

/// Room left to what stands beside a place, metres: bodies keep a smaller gap themselves.
const SPARE_M: f32 = 0.01;

/// Places that are looked at around one that is taken; they cover 10 m around it.
const LOOKS_MAX: u16 = 400;
/// From one of them to its neighbours, metres.
const LOOK_M: f32 = 0.5;

impl Field {
    /// Whether a standing body with its feet at `pos` touches nothing but what it stands on.
    pub fn fits(&self, pos: Vec3, rules: &MoveRules) -> bool {
        self.has_room(pos, rules.radius_m + SPARE_M, rules.stand_m)
    }

    /// The nearest place to (x, z), more or less, where a standing body fits on the ground within
    /// the boundary. Where all around is solid, the top of it; outside the map, its nearest edge.
    pub fn free_place(&self, x: f32, z: f32, rules: &MoveRules) -> Vec3 {
        let edge_m = rules.radius_m + SPARE_M;
        let on_map = |x: f32| x.clamp(edge_m, (self.map.size_m - edge_m).max(edge_m));
        let (x, z) = (on_map(x), on_map(z));
        let on_ground = |x: f32, z: f32| Vec3::new(x, self.ground_y(x, z), z);
        (0..LOOKS_MAX)
            .map(|look| {
                let by = spiral(look);
                on_ground(on_map(x + by.x), on_map(z + by.y))
            })
            .find(|place| self.inside_boundary(place.x, place.z) && self.fits(*place, rules))
            .unwrap_or_else(|| {
                let above = Vec3::new(x, f32::MAX, z);
                Vec3::new(x, self.floor_y(above, edge_m), z)
            })
    }

    /// Where a body gets that stands at `from` and walks straight on by (x, z) metres: there, or to
    /// the last free place before what it cannot pass upright and at a walk. That is what is too
    /// high to step on, too low to pass under, too steep, an edge, or the boundary.
    pub fn walk_straight(&self, from: Vec3, by: Vec2, rules: &MoveRules) -> Vec3 {
        let length_m = by.length();
        if !length_m.is_finite() || !from.is_finite() {
            return from;
        }
        // Who stands where it is too steep slides down, and walks nowhere.
        let slides = from.y <= self.ground_y(from.x, from.z)
            && too_steep(self.map.terrain.normal(from.x, from.z), rules);
        if slides {
            return from;
        }
        let strides = libm::ceilf(length_m / STRIDE_M);
        let mut place = from;
        for stride in 1..=strides as u32 {
            let part = by * (stride as f32 / strides);
            let Some(next) = self.stride(place, from.x + part.x, from.z + part.y, rules) else {
                break;
            };
            place = next;
        }
        place
    }

    /// The place at (x, z) when one stride from `place` leads there.
    fn stride(&self, place: Vec3, x: f32, z: f32, rules: &MoveRules) -> Option<Vec3> {
        // Surfaces that much higher than the place itself still count as its floor.
        const FLOOR_SLACK_M: f32 = 0.05;
        let reach = Vec3::new(x, place.y + rules.step_up_m - FLOOR_SLACK_M, z);
        let floor_y = self.floor_y(reach, rules.radius_m);
        let next = Vec3::new(x, floor_y, z);
        let on_ground = floor_y <= self.ground_y(x, z);
        let steep = on_ground && too_steep(self.map.terrain.normal(x, z), rules);
        let level = (floor_y - place.y).abs() <= rules.step_up_m;
        // Who steps from falling ground onto an obstacle does so from where the ground is lower.
        let is_on_ground = place.y <= self.ground_y(place.x, place.z);
        let foot_y = if is_on_ground { place.y.min(self.ground_y(x, z)) } else { place.y };
        let low = floor_y - foot_y <= rules.step_up_m;
        let free = self.inside_boundary(x, z) && self.fits(next, rules);
        (level && low && !steep && free).then_some(next)
    }
}

/// Places around a middle, each next one farther out, evenly spread.
fn spiral(index: u16) -> Vec2 {
    const GOLDEN_ANGLE: f32 = 2.399_963_2;
    let (sin, cos) = libm::sincosf(f32::from(index) * GOLDEN_ANGLE);
    Vec2::new(cos, sin) * (LOOK_M * libm::sqrtf(f32::from(index)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Map, Obstacle, Shape, Yaw};

    /// A plain of 64 m with these boxes: middle x and z, half width, half length, from, to.
    fn yard(boxes: &[[f32; 6]]) -> Field {
        let mut map = Map::plain(64.0);
        for &[x, z, half_x, half_z, from, to] in boxes {
            let half = Vec3::new(half_x, (to - from) / 2.0, half_z);
            let middle = Vec3::new(x, (from + to) / 2.0, z);
            map.obstacles.push(Obstacle::new(middle, half, Yaw(0), Shape::Box));
        }
        Field::new(map)
    }

    fn walked(field: &Field, from: [f32; 2], by: [f32; 2]) -> Vec3 {
        let rules = MoveRules::default();
        let from = Vec3::new(from[0], field.ground_y(from[0], from[1]), from[1]);
        field.walk_straight(from, Vec2::from(by), &rules)
    }

    #[test]
    fn a_walk_ends_before_a_wall_however_thin() {
        let field = yard(&[[20.0, 20.0, 0.01, 5.0, 0.0, 2.0]]);
        let place = walked(&field, [17.0, 20.0], [6.0, 0.0]);
        assert!((19.3..19.59).contains(&place.x), "{place}");
        assert_eq!(walked(&field, [17.0, 28.0], [6.0, 0.0]).x, 23.0, "past its end");
    }

    #[test]
    fn a_walk_steps_up_and_down_a_little_and_no_more() {
        let field = yard(&[[20.0, 20.0, 2.0, 2.0, 0.0, 0.4], [30.0, 20.0, 2.0, 2.0, 0.0, 0.5]]);
        let over = walked(&field, [15.0, 20.0], [10.0, 0.0]);
        assert_eq!((over.x, over.y), (25.0, 0.0));
        assert_eq!(walked(&field, [15.0, 20.0], [5.0, 0.0]).y, 0.4);
        assert!(walked(&field, [25.0, 20.0], [5.0, 0.0]).x < 27.6);
        // Off a crate nobody walks.
        let rules = MoveRules::default();
        let place = field.walk_straight(Vec3::new(30.0, 0.5, 20.0), Vec2::new(5.0, 0.0), &rules);
        assert!(place.y == 0.5 && place.x <= 32.4, "{place}");
    }

    #[test]
    fn a_walk_needs_room_for_the_head_and_stays_within_the_boundary() {
        let field = yard(&[[20.0, 20.0, 2.0, 2.0, 1.5, 2.0], [20.0, 40.0, 2.0, 2.0, 1.9, 2.0]]);
        assert!(walked(&field, [15.0, 20.0], [10.0, 0.0]).x < 17.6, "too low");
        assert_eq!(walked(&field, [15.0, 40.0], [10.0, 0.0]).x, 25.0);
        assert!(walked(&field, [60.0, 32.0], [30.0, 0.0]).x <= 63.6);
        assert_eq!(walked(&field, [60.0, 32.0], [f32::NAN, 0.0]).x, 60.0);
    }

    #[test]
    fn a_free_place_is_the_nearest_on_the_ground_or_on_top_of_everything() {
        let rules = MoveRules::default();
        let field = yard(&[[20.0, 20.0, 2.0, 2.0, 0.0, 2.0], [45.0, 45.0, 15.0, 15.0, 0.0, 9.0]]);
        assert_eq!(field.free_place(10.0, 10.0, &rules), Vec3::new(10.0, 0.0, 10.0));
        let beside = field.free_place(20.0, 20.0, &rules);
        assert!(beside.y == 0.0 && field.fits(beside, &rules), "{beside}");
        assert!((beside - Vec3::new(20.0, 0.0, 20.0)).length() < 4.0, "{beside}");
        assert_eq!(field.free_place(45.0, 45.0, &rules), Vec3::new(45.0, 9.0, 45.0));
        let corner = field.free_place(-9.0, 1e9, &rules);
        assert!(field.fits(corner, &rules), "{corner}");
    }
}
