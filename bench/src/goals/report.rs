//! What a run found, as it is kept.

use serde::{Deserialize, Serialize};

use super::details::Details;
use super::outcome::Outcome;
use crate::measure::table::Provenance;

/// All that a run of `bench-goals` found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GoalsReport {
    /// Where the figures come from.
    pub origin: Provenance,
    /// The lane of whole servers.
    pub lane: String,
    /// The table.
    pub outcomes: Vec<Outcome>,
    /// Everything else.
    pub details: Details,
}
