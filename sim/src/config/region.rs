//! When regions split and merge.

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, check};

/// When regions split and merge. The answer of a battle never depends on it, only its cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionRules {
    /// Work units above which a region is hot.
    pub ceiling_units: u32,
    /// Work units below which two siblings together are cold; below the ceiling, so that what
    /// just merged is not at once hot again.
    pub low_water_units: u32,
    /// A region splits when it has been hot for so many ticks in a row.
    pub split_after_ticks: u16,
    /// Siblings merge when they have been cold for so many ticks in a row.
    pub merge_after_ticks: u16,
    /// No region gets narrower than this, metres.
    pub side_min_m: f32,
    /// There never are more regions than this, 1 to 4,096.
    pub regions_max: u16,
}

impl RegionRules {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check(self.ceiling_units > 0, "region.ceiling_units must be above 0")?;
        let low = self.low_water_units < self.ceiling_units;
        check(low, "region.low_water_units must be below ceiling_units")?;
        check(self.split_after_ticks > 0, "region.split_after_ticks must be above 0")?;
        check(self.merge_after_ticks > 0, "region.merge_after_ticks must be above 0")?;
        check((0.1..=1e3).contains(&self.side_min_m), "region.side_min_m must be 0.1 to 1000")?;
        check((1..=4096).contains(&self.regions_max), "region.regions_max must be 1 to 4096")
    }
}
