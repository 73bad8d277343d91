//! What a run consists of.

use super::meter::Stopwatch;
use crate::scenario::Scenario;

/// What a run consists of.
#[derive(Clone, Debug)]
pub struct SimRunConfig {
    /// How many players.
    pub players: usize,
    /// How many ticks.
    pub ticks: u32,
    /// Threads of the simulation and of the bots.
    pub threads: usize,
    /// What the players do.
    pub scenario: Scenario,
    /// The map; the scenario's without one.
    pub map: Option<String>,
    /// Seed of the battle and of the bots.
    pub seed: u64,
    /// Ticks a second.
    pub tick_hz: u32,
    /// What time is measured by.
    pub stopwatch: Stopwatch,
    /// Allocations of the process so far; `None` for a program that does not count them.
    pub allocations: Option<fn() -> u64>,
}

impl Default for SimRunConfig {
    /// A thousand players for a minute on one thread, allocations not counted.
    fn default() -> Self {
        Self {
            players: 1_000,
            ticks: 3_600,
            threads: 1,
            scenario: Scenario::Conquest,
            map: None,
            seed: 1,
            tick_hz: 60,
            stopwatch: Stopwatch::Wall,
            allocations: None,
        }
    }
}
