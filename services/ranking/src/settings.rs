//! What an operator may choose.

use std::time::Duration;

use crate::eligibility::Rules;

/// How results, ratings and leaderboards are handled. All nodes use the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Who is rated.
    pub rules: Rules,
    /// Days without a ranked battle before the uncertainty begins to grow. 14.
    pub idle_grace_days: u32,
    /// Days until the place of a recording may be forgotten. 30.
    pub replay_kept_days: u32,
    /// How often leaderboards on the bus follow Postgres. 2 s.
    pub boards_period: Duration,
    /// How often idle ratings are looked for. 1 min.
    pub decay_period: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            idle_grace_days: 14,
            replay_kept_days: 30,
            boards_period: Duration::from_secs(2),
            decay_period: Duration::from_secs(60),
        }
    }
}
