//! What stands on the ground: boxes turned about the vertical, and ramps to climb them.

use glam::Vec3;
use serde::{Deserialize, Serialize};

use crate::angle::Yaw;

/// The form of an obstacle within its turned bounding box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Shape {
    /// Fills it.
    Box = 0,
    /// Fills the half below the diagonal plane that rises along the obstacle's heading.
    Ramp = 1,
}

/// One solid, convex thing. Made by [`Obstacle::new`]; the fields are for reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Obstacle {
    /// The middle of the bounding box, metres.
    pub center: Vec3,
    /// Half the extent across the heading (x), up (y) and along the heading (z), metres.
    pub half: Vec3,
    /// The heading; a ramp rises along it.
    pub yaw: Yaw,
    /// Box or ramp.
    pub shape: Shape,
    sin: f32,
    cos: f32,
}

/// Where a ray met something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RayHit {
    /// Metres along the ray.
    pub distance_m: f32,
    /// Unit normal of what was hit; against the ray when it started inside.
    pub normal: Vec3,
}

/// The horizontal relation of an obstacle's footprint to a point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nearest {
    /// Distance from the footprint, negative inside it, metres.
    pub(crate) distance_m: f32,
    /// Unit direction x, z away from the footprint.
    pub(crate) away: [f32; 2],
    /// Height of the obstacle's top at the footprint's nearest point, metres.
    pub(crate) top_m: f32,
}

impl Obstacle {
    /// A solid around `center`; `half` as in the field of that name.
    pub fn new(center: Vec3, half: Vec3, yaw: Yaw, shape: Shape) -> Self {
        let (sin, cos) = libm::sincosf(yaw.radians());
        Self { center, half, yaw, shape, sin, cos }
    }

    /// Height of the underside, metres.
    #[inline]
    pub fn bottom(&self) -> f32 {
        self.center.y - self.half.y
    }

    /// Height of the highest part, metres.
    #[inline]
    pub fn top(&self) -> f32 {
        self.center.y + self.half.y
    }

    /// Half the extents along world x and z of the turned footprint, metres.
    pub fn reach_xz(&self) -> [f32; 2] {
        let (sin, cos) = (self.sin.abs(), self.cos.abs());
        [self.half.x * cos + self.half.z * sin, self.half.x * sin + self.half.z * cos]
    }

    /// Whether the point lies inside or on the solid.
    pub fn contains(&self, point: Vec3) -> bool {
        let local = self.turn(point - self.center);
        local.abs().cmple(self.half).all()
            && (self.shape == Shape::Box || local.y + self.half.y <= self.rise(local.z))
    }

    /// The first meeting with a ray within `max_m`; a start inside meets at once.
    #[inline]
    pub fn raycast(&self, origin: Vec3, dir: Vec3, max_m: f32) -> Option<RayHit> {
        let start = self.turn(origin - self.center);
        let along = self.turn(dir);
        let mut clip = Clip { enter: 0.0, leave: max_m, normal: -along };
        for axis in 0..3 {
            clip.slab(axis, start[axis], along[axis], self.half[axis])?;
        }
        if self.shape == Shape::Ramp {
            let slope = self.half.y / self.half.z;
            let above = start.y + self.half.y - self.rise(start.z);
            let normal = Vec3::new(0.0, 1.0, -slope) * (1.0 / (1.0 + slope * slope).sqrt());
            clip.half_space(above, along.y - along.z * slope, normal)?;
        }
        Some(RayHit { distance_m: clip.enter, normal: self.turn(clip.normal) })
    }

    /// Distance, direction and top of the footprint as seen from a point in the plane.
    #[inline]
    pub(crate) fn nearest(&self, x: f32, z: f32) -> Nearest {
        let local = self.turn(Vec3::new(x - self.center.x, 0.0, z - self.center.z));
        let clamped_x = local.x.clamp(-self.half.x, self.half.x);
        let clamped_z = local.z.clamp(-self.half.z, self.half.z);
        let (dx, dz) = (local.x - clamped_x, local.z - clamped_z);
        let squared = dx * dx + dz * dz;
        let (distance_m, away) = if squared > 0.0 {
            let distance = squared.sqrt();
            (distance, Vec3::new(dx / distance, 0.0, dz / distance))
        } else {
            // Inside: the nearest side is the way out.
            let (in_x, in_z) = (self.half.x - local.x.abs(), self.half.z - local.z.abs());
            if in_x < in_z {
                (-in_x, Vec3::new(1.0f32.copysign(local.x), 0.0, 0.0))
            } else {
                (-in_z, Vec3::new(0.0, 0.0, 1.0f32.copysign(local.z)))
            }
        };
        let away = self.turn(away);
        Nearest { distance_m, away: [away.x, away.z], top_m: self.top_at(clamped_z) }
    }

    #[inline]
    fn top_at(&self, local_z: f32) -> f32 {
        match self.shape {
            Shape::Box => self.top(),
            Shape::Ramp => self.bottom() + self.rise(local_z),
        }
    }

    /// Height of a ramp's surface above its bottom at a place along its heading.
    #[inline]
    fn rise(&self, local_z: f32) -> f32 {
        (local_z + self.half.z) * (self.half.y / self.half.z)
    }

    /// World offset to (across, up, along the heading), or back: a mirror is its own inverse.
    #[inline]
    fn turn(&self, v: Vec3) -> Vec3 {
        Vec3::new(v.x * self.cos + v.z * self.sin, v.y, v.x * self.sin - v.z * self.cos)
    }
}

/// The stretch of a ray inside a growing set of half-spaces.
struct Clip {
    enter: f32,
    leave: f32,
    normal: Vec3,
}

impl Clip {
    #[inline]
    fn slab(&mut self, axis: usize, start: f32, along: f32, half: f32) -> Option<()> {
        if along == 0.0 {
            return (start.abs() <= half).then_some(());
        }
        let inverse = 1.0 / along;
        let near = (-half.copysign(along) - start) * inverse;
        let far = (half.copysign(along) - start) * inverse;
        if near > self.enter {
            self.enter = near;
            self.normal = Vec3::ZERO;
            self.normal[axis] = -1.0f32.copysign(along);
        }
        self.leave = self.leave.min(far);
        (self.enter <= self.leave).then_some(())
    }

    /// Keeps the part where `above + along t <= 0`.
    #[inline]
    fn half_space(&mut self, above: f32, along: f32, normal: Vec3) -> Option<()> {
        if along == 0.0 {
            return (above <= 0.0).then_some(());
        }
        let at = -above / along;
        if along < 0.0 {
            if at > self.enter {
                self.enter = at;
                self.normal = normal;
            }
        } else {
            self.leave = self.leave.min(at);
        }
        (self.enter <= self.leave).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit_box(yaw: Yaw, shape: Shape) -> Obstacle {
        Obstacle::new(Vec3::new(10.0, 1.0, 10.0), Vec3::new(1.0, 1.0, 2.0), yaw, shape)
    }

    #[test]
    fn a_ray_meets_the_near_side() {
        let hit = unit_box(Yaw(0), Shape::Box)
            .raycast(Vec3::new(0.0, 1.0, 10.0), Vec3::X, 50.0)
            .expect("straight ahead");
        assert_eq!(hit, RayHit { distance_m: 9.0, normal: Vec3::NEG_X });
    }

    #[test]
    fn turning_a_box_turns_its_sides() {
        let hit = unit_box(Yaw(16_384), Shape::Box)
            .raycast(Vec3::new(0.0, 1.0, 10.0), Vec3::X, 50.0)
            .expect("straight ahead");
        assert!((hit.distance_m - 8.0).abs() < 1e-4);
        assert!((hit.normal - Vec3::NEG_X).length() < 1e-4);
    }

    #[test]
    fn a_start_inside_meets_at_once() {
        let hit = unit_box(Yaw(0), Shape::Box)
            .raycast(Vec3::new(10.0, 1.0, 10.0), Vec3::X, 50.0)
            .expect("inside");
        assert_eq!(hit, RayHit { distance_m: 0.0, normal: Vec3::NEG_X });
    }

    #[test]
    fn a_ramp_rises_along_its_heading() {
        // Heading north: low at z = 12, high at z = 8.
        let ramp = unit_box(Yaw(0), Shape::Ramp);
        assert!((ramp.nearest(10.0, 11.9).top_m - 0.05).abs() < 1e-4);
        assert!((ramp.nearest(10.0, 8.1).top_m - 1.95).abs() < 1e-4);
        let down = ramp.raycast(Vec3::new(10.0, 9.0, 10.0), Vec3::NEG_Y, 50.0).expect("below");
        assert!((down.distance_m - 8.0).abs() < 1e-4);
        assert!(down.normal.z > 0.0, "the surface faces the low end");
        assert!(ramp.contains(Vec3::new(10.0, 0.9, 10.0)));
        assert!(!ramp.contains(Vec3::new(10.0, 1.1, 10.0)));
    }

    #[test]
    fn footprints_know_the_way_out() {
        let outside = unit_box(Yaw(0), Shape::Box).nearest(12.0, 10.0);
        assert_eq!((outside.distance_m, outside.away), (1.0, [1.0, 0.0]));
        let inside = unit_box(Yaw(0), Shape::Box).nearest(10.75, 10.0);
        assert_eq!((inside.distance_m, inside.away), (-0.25, [1.0, 0.0]));
    }
}
