//! What a player may see and hear.

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, check};

/// How it is decided whether a player may see something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InterestMode {
    /// Enemies in line of sight only.
    #[default]
    Sight,
    /// Everything within the view distance; for benchmarks.
    Circle,
}

/// What a player may see and hear.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterestRules {
    /// By sight or by distance alone.
    pub mode: InterestMode,
    /// Nobody and nothing farther away is shown, metres.
    pub view_m: f32,
    /// The own team within this distance is shown whether in sight or not, metres.
    pub mates_m: f32,
    /// Shots nearer than this are heard, metres.
    pub hearing_m: f32,
    /// How far beside and above a body one must see to be shown it, metres.
    pub peek_m: f32,
    /// Ticks for which what went out of sight is still shown, 1 to 16.
    pub grace_ticks: u8,
}

impl InterestRules {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check((1.0..=4096.0).contains(&self.view_m), "interest.view_m must be 1 to 4096")?;
        check((0.0..=4096.0).contains(&self.mates_m), "interest.mates_m must be 0 to 4096")?;
        check((0.0..=1e3).contains(&self.hearing_m), "interest.hearing_m must be 0 to 1000")?;
        check((0.0..=2.0).contains(&self.peek_m), "interest.peek_m must be 0 to 2")?;
        check((1..=16).contains(&self.grace_ticks), "interest.grace_ticks must be 1 to 16")
    }
}
