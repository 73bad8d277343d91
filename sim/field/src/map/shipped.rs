//! The maps that come with the program.

use super::document::{BaseEntry, Document, PointEntry, limits};

pub(super) fn text(name: &str) -> Option<&'static str> {
    match name {
        "quarry" => Some(include_str!("../../maps/quarry.toml")),
        "ridge" => Some(include_str!("../../maps/ridge.toml")),
        "steppe" => Some(include_str!("../../maps/steppe.toml")),
        "plain" => Some(include_str!("../../maps/plain.toml")),
        _ => None,
    }
}

/// Flat and empty; NaN gives the smallest.
pub(super) fn plain(size_m: f32) -> Document {
    let size_m = size_m.max(*limits::SIZE_M.start()).min(*limits::SIZE_M.end());
    let (middle, radius_m) = (size_m * 0.5, (size_m * 0.1).clamp(1.0, 30.0));
    let base = |team: u8, x: f32| BaseEntry { team, x, z: middle, radius_m };
    Document {
        name: "plain".to_owned(),
        size_m,
        points: vec![PointEntry { name: "A".to_owned(), x: middle, z: middle, radius_m }],
        bases: vec![base(0, size_m * 0.25), base(1, size_m * 0.75)],
        ..Document::default()
    }
}
