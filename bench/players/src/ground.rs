//! Maps by the names that the command line takes.

use std::path::Path;

use sortie_field::map::Map;

/// Why there is no such map.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// Neither a shipped map nor a file.
    #[error(
        "no map '{0}': neither a file nor one of ridge, steppe, quarry, plain:SIZE (SIZE in \
         metres, like plain:256)"
    )]
    Unknown(String),
    /// The file cannot be read.
    #[error("cannot read the map {0}")]
    Unreadable(String, #[source] std::io::Error),
    /// The file is no map.
    #[error("the map {0} is unusable: {1}")]
    Unusable(String, String),
}

/// Smallest and largest side of a plain, metres.
const PLAIN_SIDE_M: std::ops::RangeInclusive<f32> = 16.0..=4_095.0;

/// The map of a name: `ridge`, `steppe`, `quarry`, `plain:SIZE` or a TOML file.
pub fn load(name: &str) -> Result<Map, GroundError> {
    if let Some(side) = name.strip_prefix("plain:") {
        let side_m = side.parse::<f32>().ok().filter(|side_m| PLAIN_SIDE_M.contains(side_m));
        return side_m.map(Map::plain).ok_or_else(|| GroundError::Unknown(name.to_owned()));
    }
    if let Some(map) = Map::shipped(name) {
        return Ok(map);
    }
    if !Path::new(name).exists() {
        return Err(GroundError::Unknown(name.to_owned()));
    }
    let text = std::fs::read_to_string(name)
        .map_err(|error| GroundError::Unreadable(name.to_owned(), error))?;
    Map::parse(&text).map_err(|error| GroundError::Unusable(name.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn every_scenario_has_its_ground() {
        for scenario in Scenario::ALL {
            for players in [1, 100, 1_000] {
                load(&scenario.map_for(players)).unwrap();
            }
        }
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for name in ["plain:", "plain:NaN", "plain:1e9", "nowhere", "plain:-3"] {
            assert!(matches!(load(name), Err(GroundError::Unknown(_))), "{name}");
        }
    }
}
