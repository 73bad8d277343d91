//! What a battlefield consists of, and the document it is written in.
//!
//! A document is TOML: explicit parts (points, bases, boxes, ramps, a height table) and recipes
//! (hills, scattered houses and cover) that a seed turns into more of the same. Documents stay
//! small, so the server can send them to clients; both sides build the same map from the text.

mod check;
mod document;
mod error;
mod generate;
mod shipped;

use glam::{Vec2, Vec3};

pub use document::{
    BaseEntry, Document, ObstacleEntry, PointEntry, ScatterRecipe, TerrainRecipe, limits,
};
pub use error::MapError;

use crate::{hash::ContentHash, obstacle::Obstacle, terrain::Terrain};

/// A place to take and hold.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturePoint {
    /// Shown to players: `A`, `B`, …
    pub name: String,
    /// Its middle, on the ground.
    pub pos: Vec3,
    /// Soldiers within this horizontal distance count, metres.
    pub radius_m: f32,
}

/// A disc in which a team's soldiers come into the battle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpawnArea {
    /// Its middle, on the ground.
    pub center: Vec3,
    /// Horizontal radius, metres.
    pub radius_m: f32,
}

/// A battlefield, complete and valid. Build a [`Field`](crate::Field) from it to play on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Name of the map, as orders and messages have it.
    pub name: String,
    /// Side of the square, metres: x and z run from 0 to this.
    pub size_m: f32,
    /// The ground.
    pub terrain: Terrain,
    /// Capture points in order: A first.
    pub points: Vec<CapturePoint>,
    /// Spawn areas, at least one per team; index 0 is the first team.
    pub bases: [Vec<SpawnArea>; 2],
    /// Corners (x, z) of the polygon that soldiers should stay inside of.
    pub boundary: Vec<Vec2>,
    /// Everything solid on the ground.
    pub obstacles: Vec<Obstacle>,
    document: Document,
    hash: u64,
}

impl Map {
    /// Reads a document and builds what it describes.
    ///
    /// # Errors
    /// Names the line and what is wrong with it: syntax, unknown keys, numbers that are not
    /// finite or out of range, inverted boxes, things outside the map, too many of them.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        if text.len() > limits::DOCUMENT_BYTES_MAX {
            let length = text.len();
            let limit = limits::DOCUMENT_BYTES_MAX;
            return Err(MapError::whole(format!("{length} bytes long; at most {limit} allowed")));
        }
        let document: Document =
            toml::from_str(text).map_err(|error| MapError::from_toml(text, &error))?;
        check::check(&document).map_err(|fault| fault.locate(text))?;
        Ok(Self::build(document))
    }

    /// A shipped map: `ridge` (512 m, up to 128 players), `steppe` (2,048 m, 1,000 and more),
    /// `plain` (flat and empty, 512 m; see [`Map::plain`] for other sizes) or `quarry` (320 m, up
    /// to 256 players, close together).
    pub fn shipped(name: &str) -> Option<Self> {
        shipped::text(name).map(|text| Self::parse(text).expect("shipped maps are valid"))
    }

    /// Names that [`Map::shipped`] knows.
    pub const SHIPPED: [&'static str; 4] = ["ridge", "steppe", "plain", "quarry"];

    /// Flat ground without obstacles, one capture point in the middle, bases west and east.
    /// `size_m` is clamped to the legal range; the boundary is the map's edge.
    pub fn plain(size_m: f32) -> Self {
        let document = shipped::plain(size_m);
        assert!(check::check(&document).is_ok(), "a plain is valid at every legal size");
        Self::build(document)
    }

    /// TOML that parses to this same map, with the same hash.
    pub fn document(&self) -> String {
        toml::to_string(&self.document).expect("documents hold only what TOML can say")
    }

    /// Over all content, generated parts included. Two maps with one hash play the same.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// `document` has passed the check.
    fn build(document: Document) -> Self {
        let generated = generate::generate(&document);
        let terrain = generated.terrain;
        let on_ground = |x: f32, z: f32| Vec3::new(x, terrain.height(x, z), z);
        let points = document.points.iter().map(|entry| CapturePoint {
            name: entry.name.clone(),
            pos: on_ground(entry.x, entry.z),
            radius_m: entry.radius_m,
        });
        let points = points.collect();
        let mut bases = [Vec::new(), Vec::new()];
        for entry in &document.bases {
            let center = on_ground(entry.x, entry.z);
            bases[usize::from(entry.team)].push(SpawnArea { center, radius_m: entry.radius_m });
        }
        let mut map = Self {
            name: document.name.clone(),
            size_m: document.size_m,
            points,
            bases,
            boundary: document.boundary_or_edge(),
            obstacles: generated.obstacles,
            terrain,
            document,
            hash: 0,
        };
        map.hash = map.content_hash();
        map
    }

    fn content_hash(&self) -> u64 {
        let mut hash = ContentHash::new();
        hash.text(&self.name);
        hash.float(self.size_m);
        for &height_m in self.terrain.heights_m() {
            hash.float(height_m);
        }
        hash.word(self.points.len() as u64);
        for point in &self.points {
            hash.text(&point.name);
            hash.vector(point.pos);
            hash.float(point.radius_m);
        }
        for areas in &self.bases {
            hash.word(areas.len() as u64);
            for area in areas {
                hash.vector(area.center);
                hash.float(area.radius_m);
            }
        }
        hash.word(self.boundary.len() as u64);
        for corner in &self.boundary {
            hash.float(corner.x);
            hash.float(corner.y);
        }
        hash.word(self.obstacles.len() as u64);
        for obstacle in &self.obstacles {
            hash.vector(obstacle.center);
            hash.vector(obstacle.half);
            hash.word(u64::from(obstacle.yaw.0) << 8 | obstacle.shape as u64);
        }
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_hashes_of_shipped_maps() {
        let hashes = Map::SHIPPED.map(|name| Map::shipped(name).expect("shipped").hash());
        // A change here makes every journal of the map unreadable: change the map's name with it.
        let golden = [
            0xf9d2_3bb9_0b6b_2760,
            0xfea4_709f_fe93_c2eb,
            0x4c32_5bbe_bdaf_d58f,
            0x1504_645d_b185_ff25,
        ];
        assert_eq!(hashes, golden, "{hashes:#018x?}");
    }

    #[test]
    fn shipped_ground_can_be_walked_everywhere() {
        for name in Map::SHIPPED {
            let map = Map::shipped(name).expect("shipped");
            let middles = (0..map.terrain.cells()).map(|cell| cell as f32 * 4.0 + 2.0);
            let steepest = middles
                .clone()
                .flat_map(|z| middles.clone().map(move |x| (x, z)))
                .map(|(x, z)| map.terrain.normal(x, z).y)
                .fold(1.0, f32::min);
            assert!(steepest > 0.75, "{name}: {steepest} is over 41 degrees");
        }
    }

    #[test]
    fn a_document_builds_the_same_map_again() {
        let mut maps: Vec<Map> =
            Map::SHIPPED.iter().map(|name| Map::shipped(name).expect("shipped")).collect();
        maps.push(Map::plain(143.3));
        for map in maps {
            let text = map.document();
            assert!(text.len() < 8 * 1024, "{} is sent to every client", map.name);
            assert_eq!(Map::parse(&text).expect("own document"), map);
        }
    }

    #[test]
    fn plains_come_in_every_size() {
        for size_m in [f32::NAN, -1.0, 0.0, 51.6, 95.9, 143.3, 4_000.0, 1e9, f32::INFINITY] {
            let map = Map::plain(size_m);
            assert!(map.obstacles.is_empty());
            assert!(map.terrain.heights_m().iter().all(|&height_m| height_m == 0.0));
        }
        assert_eq!(Map::plain(143.3).size_m, 143.3);
    }

    #[test]
    fn points_of_shipped_maps_are_open_ground() {
        for name in ["ridge", "steppe", "quarry"] {
            let map = Map::shipped(name).expect("shipped");
            assert!(map.points.len() >= 5);
            assert!(map.obstacles.len() > 100, "{name}: {} obstacles", map.obstacles.len());
            for point in &map.points {
                let mut near = map.obstacles.iter().map(|o| o.nearest(point.pos.x, point.pos.z));
                assert!(near.all(|nearest| nearest.distance_m > 1.0), "{name} {}", point.name);
            }
        }
    }
}
