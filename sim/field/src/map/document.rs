//! A map document's entries, as they stand in the TOML.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use crate::obstacle::Shape;

/// Bounds of a document; everything beyond is refused.
pub mod limits {
    use core::ops::RangeInclusive;

    /// Longest text, bytes. The server sends it to every client in one message.
    pub const DOCUMENT_BYTES_MAX: usize = 60 * 1024;
    /// Side of a map, metres. Positions on the wire end at 4,095 m.
    pub const SIZE_M: RangeInclusive<f32> = 16.0..=4_095.0;
    /// Ground height, metres either way.
    pub const HEIGHT_M_MAX: f32 = 250.0;
    /// Extent of one obstacle along each axis, metres.
    pub const EXTENT_M: RangeInclusive<f32> = 0.1..=200.0;
    /// Radius of capture points and spawn areas, metres.
    pub const RADIUS_M: RangeInclusive<f32> = 1.0..=200.0;
    /// Capture points are lettered.
    pub const POINT_COUNT_MAX: usize = 26;
    /// Spawn areas of both teams together.
    pub const BASE_COUNT_MAX: usize = 64;
    /// Corners of the boundary.
    pub const BOUNDARY_COUNT_MAX: usize = 64;
    /// Boxes and ramps written out.
    pub const OBSTACLE_COUNT_MAX: usize = 1_024;
    /// Houses, crates, walls or platforms that one recipe may scatter.
    pub const SCATTER_COUNT_MAX: u32 = 2_000;
    /// Rows, and heights a row, of a height table.
    pub const HEIGHT_ROWS: RangeInclusive<usize> = 2..=65;
    /// Bytes of a name.
    pub const NAME_BYTES_MAX: usize = 32;
}

/// A whole map document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The map's name: letters, digits, `-` and `_`.
    pub name: String,
    /// Side of the square, metres.
    pub size_m: f32,
    /// Corners `[x, z]` of the polygon to stay inside of; left out, the map's edge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boundary: Vec<[f32; 2]>,
    /// The ground; left out, flat at height 0.
    #[serde(default)]
    pub terrain: TerrainRecipe,
    /// Cover that a seed places; left out, none.
    #[serde(default)]
    pub scatter: ScatterRecipe,
    /// Capture points.
    #[serde(default, rename = "point", skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<PointEntry>,
    /// Spawn areas.
    #[serde(default, rename = "base", skip_serializing_if = "Vec::is_empty")]
    pub bases: Vec<BaseEntry>,
    /// Obstacles one by one.
    #[serde(default, rename = "obstacle", skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<ObstacleEntry>,
}

/// The ground: a table of heights, or hills from a seed, or both added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerrainRecipe {
    /// Decides where the hills are.
    pub seed: u32,
    /// Height of the broadest hills, metres; each octave is half as high and half as broad.
    pub hills_m: f32,
    /// From hilltop to hilltop, metres.
    pub wavelength_m: f32,
    /// How many sizes of hills, 0 to 6.
    pub octaves: u8,
    /// Height of a ridge from north to south through the middle, metres.
    pub ridge_m: f32,
    /// From the ridge's crest to its foot, metres.
    pub ridge_reach_m: f32,
    /// Rows of heights from north to south, spread evenly over the map, metres.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heights_m: Vec<Vec<f32>>,
}

/// Cover scattered over the map, away from bases and off the middle of points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScatterRecipe {
    /// Decides what stands where.
    pub seed: u32,
    /// Houses of four walls with doors, windows and a roof.
    pub houses: u32,
    /// Single crates and low walls to hide behind.
    pub crates: u32,
    /// Long walls of a man's height.
    pub walls: u32,
    /// Platforms with a ramp up.
    pub platforms: u32,
    /// Share of all this that stands near a capture point, 0 to 1.
    pub near_points: f32,
}

/// A capture point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointEntry {
    /// Shown to players.
    pub name: String,
    /// East, metres.
    pub x: f32,
    /// South, metres.
    pub z: f32,
    /// Horizontal radius, metres.
    pub radius_m: f32,
}

/// A spawn area.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseEntry {
    /// 0 or 1.
    pub team: u8,
    /// East, metres.
    pub x: f32,
    /// South, metres.
    pub z: f32,
    /// Horizontal radius, metres.
    pub radius_m: f32,
}

/// One box or ramp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObstacleEntry {
    /// `Box` or `Ramp`.
    pub shape: Shape,
    /// East, middle, metres.
    pub x: f32,
    /// South, middle, metres.
    pub z: f32,
    /// Height of the underside, metres; left out, just below the ground there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottom_m: Option<f32>,
    /// Across the heading, metres.
    pub width_m: f32,
    /// Up, metres.
    pub height_m: f32,
    /// Along the heading, metres.
    pub length_m: f32,
    /// Heading, degrees clockwise from north; a ramp rises along it.
    #[serde(default)]
    pub heading_deg: f32,
}

impl Document {
    /// The boundary's corners; without an explicit one those of the map.
    pub(super) fn boundary_or_edge(&self) -> Vec<Vec2> {
        if self.boundary.is_empty() {
            let far = self.size_m;
            return [[0.0, 0.0], [far, 0.0], [far, far], [0.0, far]].map(Vec2::from).to_vec();
        }
        self.boundary.iter().copied().map(Vec2::from).collect()
    }
}
