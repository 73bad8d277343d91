//! A map made ready to be asked: where is the ground, what is in the way.

use glam::Vec3;

use crate::{grid::Grid, map::Map, obstacle::Obstacle, polygon::inside_polygon};

/// How far from a place movement may ask about obstacles, metres: a body's radius, its way in
/// one step, and something to spare.
pub(crate) const NEAR_M: f32 = 2.0;

/// The static battlefield with its acceleration structures. Never changes; share it by `Arc`.
#[derive(Clone, Debug)]
pub struct Field {
    pub(crate) map: Map,
    /// Obstacles by the blocks they lie in, for rays.
    pub(crate) rays: Grid,
    /// Obstacles by the blocks they are near to, for bodies: one block answers.
    bodies: Grid,
}

impl Field {
    /// Builds the structures; a 2,048 m map takes some milliseconds.
    pub fn new(map: Map) -> Self {
        let rays = Grid::new(&map.terrain, &map.obstacles, 0.0);
        let bodies = Grid::new(&map.terrain, &map.obstacles, NEAR_M);
        Self { map, rays, bodies }
    }

    /// The map it was made from.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// Height of the bare ground, metres; outside the map that of its nearest edge.
    #[inline]
    pub fn ground_y(&self, x: f32, z: f32) -> f32 {
        self.map.terrain.height(x, z)
    }

    /// Height of the highest surface, ground or obstacle, that a disc of `radius_m` (at most
    /// 1 m) at `pos` rests on or stands above, metres. Surfaces up to 5 cm above `pos` count.
    pub fn floor_y(&self, pos: Vec3, radius_m: f32) -> f32 {
        const SLACK_M: f32 = 0.05;
        let ground = self.ground_y(pos.x, pos.z);
        let tops = self.near(pos.x, pos.z).filter_map(|obstacle| {
            let nearest = obstacle.nearest(pos.x, pos.z);
            let holds = nearest.distance_m < radius_m && nearest.top_m <= pos.y + SLACK_M;
            holds.then_some(nearest.top_m)
        });
        tops.fold(ground, f32::max)
    }

    /// Whether an upright cylinder with its feet at `pos` (radius at most 1 m) is on the map and
    /// overlaps no obstacle. The ground is not looked at.
    pub fn has_room(&self, pos: Vec3, radius_m: f32, height_m: f32) -> bool {
        let range = radius_m..=self.map.size_m - radius_m;
        range.contains(&pos.x)
            && range.contains(&pos.z)
            && self.near(pos.x, pos.z).all(|obstacle| {
                let nearest = obstacle.nearest(pos.x, pos.z);
                nearest.distance_m >= radius_m
                    || nearest.top_m <= pos.y
                    || obstacle.bottom() >= pos.y + height_m
            })
    }

    /// Whether a place lies inside the map's boundary polygon.
    pub fn inside_boundary(&self, x: f32, z: f32) -> bool {
        inside_polygon(&self.map.boundary, x, z)
    }

    /// Obstacles within [`NEAR_M`] of a place, and perhaps a few more, in the map's order.
    #[inline]
    pub(crate) fn near(&self, x: f32, z: f32) -> impl Iterator<Item = &Obstacle> {
        self.bodies.near(x, z).iter().map(|&index| &self.map.obstacles[index as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::angle::Yaw;
    use crate::obstacle::Shape;

    fn yard() -> Field {
        let mut map = Map::plain(64.0);
        let half = Vec3::new(2.0, 1.0, 2.0);
        map.obstacles.push(Obstacle::new(Vec3::new(30.0, 1.0, 30.0), half, Yaw(0), Shape::Box));
        Field::new(map)
    }

    #[test]
    fn floors_are_ground_or_what_stands_on_it() {
        let field = yard();
        assert_eq!(field.floor_y(Vec3::new(30.0, 5.0, 30.0), 0.4), 2.0);
        assert_eq!(field.floor_y(Vec3::new(30.0, 1.0, 30.0), 0.4), 0.0, "the top is above");
        assert_eq!(field.floor_y(Vec3::new(32.3, 5.0, 30.0), 0.4), 2.0, "on the edge");
        assert_eq!(field.floor_y(Vec3::new(33.0, 5.0, 30.0), 0.4), 0.0);
    }

    #[test]
    fn room_is_where_nothing_stands() {
        let field = yard();
        assert!(field.has_room(Vec3::new(10.0, 0.0, 10.0), 0.4, 1.8));
        assert!(field.has_room(Vec3::new(30.0, 2.0, 30.0), 0.4, 1.8));
        assert!(!field.has_room(Vec3::new(32.2, 0.0, 30.0), 0.4, 1.8));
        assert!(!field.has_room(Vec3::new(0.2, 0.0, 30.0), 0.4, 1.8), "over the map's edge");
    }
}
