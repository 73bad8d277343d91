//! Points. What they are given for stands where it happens; how many, in the rules.

use crate::components::Stats;

/// Gives points.
pub(crate) fn add(stats: &mut Stats, points: u32) {
    stats.score.points = stats.score.points.saturating_add(points);
}
