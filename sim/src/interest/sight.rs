//! Lines of sight: from an eye to the few points of a body that decide whether it is seen.

use sortie_field::{Field, Vec3};

/// A cloud of smoke: a ball that nobody sees through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmokeCloud {
    /// Middle of the cloud, in metres.
    pub center: Vec3,
    /// Radius within which sight ends.
    pub radius_m: f32,
}

/// Whether nothing blocks the line between two places: ground, obstacles, smoke.
pub fn in_sight(from: Vec3, to: Vec3, field: &Field, smoke: &[SmokeCloud]) -> bool {
    smoke.iter().all(|cloud| !cloud.blocks(from, to)) && field.line_clear(from, to)
}

impl SmokeCloud {
    /// Whether the line passes through the cloud, ends inside it included.
    pub fn blocks(&self, from: Vec3, to: Vec3) -> bool {
        let along = to - from;
        let length_squared = along.length_squared();
        let share = if length_squared > 0.0 {
            ((self.center - from).dot(along) / length_squared).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let nearest = from + along * share;
        (self.center - nearest).length_squared() < self.radius_m * self.radius_m
    }
}

/// The points of a thing that are looked at: seeing one is seeing it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// What it stands on, or its middle when it hovers.
    pub(super) pos: Vec3,
    /// Metres above `pos`: the body, and the most that is looked at.
    pub(super) body_m: f32,
    pub(super) top_m: f32,
    /// Metres beside `pos`.
    pub(super) side_m: f32,
}

/// Points of a [`Shape`].
pub(super) const POINT_COUNT: u8 = 4;

impl Shape {
    /// Body, above, left, right; as an eye at `from` sees them.
    pub(super) fn point(&self, index: u8, from: Vec3) -> Vec3 {
        let body = self.pos + Vec3::new(0.0, self.body_m, 0.0);
        match index {
            0 => body,
            1 => self.pos + Vec3::new(0.0, self.top_m, 0.0),
            _ => {
                let away = self.pos - from;
                let length_m = libm::sqrtf(away.x * away.x + away.z * away.z).max(1e-3);
                let beside = Vec3::new(-away.z, 0.0, away.x) * (self.side_m / length_m);
                if index == 2 { body + beside } else { body - beside }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sortie_field::map::Map;

    use super::*;

    #[test]
    fn smoke_blocks_what_passes_through_it() {
        let cloud = SmokeCloud { center: Vec3::new(10.0, 1.0, 0.0), radius_m: 3.0 };
        let eye = Vec3::new(0.0, 1.0, 0.0);
        assert!(cloud.blocks(eye, Vec3::new(20.0, 1.0, 0.0)));
        assert!(cloud.blocks(eye, Vec3::new(9.0, 1.0, 0.0)), "inside");
        assert!(!cloud.blocks(eye, Vec3::new(6.0, 1.0, 0.0)), "before it");
        assert!(!cloud.blocks(eye, Vec3::new(20.0, 1.0, 20.0)), "past it");
        let field = Field::new(Map::plain(64.0));
        let up = Vec3::new(32.0, 1.0, 32.0);
        assert!(in_sight(up, up + Vec3::X * 9.0, &field, &[]));
        assert!(!in_sight(
            eye + up,
            up + Vec3::new(20.0, 1.0, 0.0),
            &field,
            &[SmokeCloud { center: up + cloud.center, ..cloud }]
        ));
    }

    #[test]
    fn points_lie_around_the_body_square_to_the_view() {
        let shape = Shape { pos: Vec3::new(5.0, 0.0, 5.0), body_m: 1.3, top_m: 2.0, side_m: 1.0 };
        let from = Vec3::new(0.0, 1.6, 5.0);
        let points = [0, 1, 2, 3].map(|index| shape.point(index, from));
        assert_eq!(points[0], Vec3::new(5.0, 1.3, 5.0));
        assert_eq!(points[1], Vec3::new(5.0, 2.0, 5.0));
        assert_eq!(points[2], Vec3::new(5.0, 1.3, 6.0));
        assert_eq!(points[3], Vec3::new(5.0, 1.3, 4.0));
    }
}
