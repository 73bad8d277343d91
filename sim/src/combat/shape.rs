//! What of a soldier a line can meet: a head on a body, both upright cylinders.

use sortie_field::Vec3;

use super::history::PastPose;

/// A body is as wide as movement makes it, metres.
pub(super) const BODY_RADIUS_M: f32 = 0.4;
const HEAD_RADIUS_M: f32 = 0.17;
/// The head is so high.
const HEAD_M: f32 = 0.3;
/// From this part of the height up to the head is torso; below are limbs.
const TORSO_FROM: f32 = 0.45;

/// Where a round went in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Head,
    Torso,
    Limbs,
}

/// The first point of a line from `origin` along `dir` (length 1), up to `max_m`, that lies in the
/// soldier: how far, and where. A line that begins inside meets it at 0.
pub(super) fn meet(origin: Vec3, dir: Vec3, max_m: f32, pose: &PastPose) -> Option<(f32, Zone)> {
    let PastPose { pos, height_m } = *pose;
    let neck = pos.y + height_m - HEAD_M;
    let line = Line { origin, dir, max_m };
    let head = line.meet_cylinder(pos, HEAD_RADIUS_M, neck, pos.y + height_m);
    let body = line.meet_cylinder(pos, BODY_RADIUS_M, pos.y, neck);
    let zone_of_body = |at_m: f32| {
        let height = origin.y + dir.y * at_m - pos.y;
        if height >= height_m * TORSO_FROM { Zone::Torso } else { Zone::Limbs }
    };
    match (head, body) {
        (Some(head), Some(body)) if body < head => Some((body, zone_of_body(body))),
        (Some(head), _) => Some((head, Zone::Head)),
        (None, Some(body)) => Some((body, zone_of_body(body))),
        (None, None) => None,
    }
}

struct Line {
    origin: Vec3,
    dir: Vec3,
    max_m: f32,
}

impl Line {
    /// Where the line enters the upright cylinder around `axis` between two heights.
    fn meet_cylinder(&self, axis: Vec3, radius_m: f32, low: f32, high: f32) -> Option<f32> {
        let Self { origin, dir, max_m } = *self;
        let (dx, dz) = (origin.x - axis.x, origin.z - axis.z);
        let a = dir.x * dir.x + dir.z * dir.z;
        let c = dx * dx + dz * dz - radius_m * radius_m;
        let (mut enter, mut leave) = (0.0f32, max_m);
        if a < 1e-9 {
            if c > 0.0 {
                return None;
            }
        } else {
            let b = dx * dir.x + dz * dir.z;
            let root = b * b - a * c;
            if root < 0.0 {
                return None;
            }
            let root = libm::sqrtf(root);
            enter = enter.max((-b - root) / a);
            leave = leave.min((-b + root) / a);
        }
        if dir.y == 0.0 {
            if !(low..=high).contains(&origin.y) {
                return None;
            }
        } else {
            let (to_low, to_high) = ((low - origin.y) / dir.y, (high - origin.y) / dir.y);
            enter = enter.max(to_low.min(to_high));
            leave = leave.min(to_low.max(to_high));
        }
        (enter <= leave).then_some(enter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDING: PastPose = PastPose { pos: Vec3::new(10.0, 0.0, 0.0), height_m: 1.8 };

    fn level(height: f32) -> Option<(f32, Zone)> {
        meet(Vec3::new(0.0, height, 0.0), Vec3::X, 100.0, &STANDING)
    }

    #[test]
    fn height_decides_the_zone() {
        assert_eq!(level(1.7).map(|hit| hit.1), Some(Zone::Head));
        assert_eq!(level(1.2).map(|hit| hit.1), Some(Zone::Torso));
        assert_eq!(level(0.4).map(|hit| hit.1), Some(Zone::Limbs));
        assert_eq!(level(1.9), None);
        assert_eq!(level(-0.1), None);
        let (distance_m, _) = level(1.2).unwrap();
        assert!((distance_m - 9.6).abs() < 1e-4);
    }

    #[test]
    fn a_line_may_come_from_anywhere() {
        let down = meet(Vec3::new(10.0, 5.0, 0.0), Vec3::NEG_Y, 100.0, &STANDING);
        assert!(matches!(down, Some((_, Zone::Head))));
        let beside = meet(Vec3::new(10.3, 5.0, 0.0), Vec3::NEG_Y, 100.0, &STANDING);
        assert!(matches!(beside, Some((_, Zone::Torso))), "the shoulder");
        assert_eq!(meet(Vec3::new(0.0, 1.2, 0.0), Vec3::NEG_X, 100.0, &STANDING), None, "behind");
        assert_eq!(meet(Vec3::new(0.0, 1.2, 0.0), Vec3::X, 9.0, &STANDING), None, "too far");
        let inside = meet(Vec3::new(10.0, 1.2, 0.0), Vec3::X, 1.0, &STANDING);
        assert_eq!(inside, Some((0.0, Zone::Torso)));
    }
}
