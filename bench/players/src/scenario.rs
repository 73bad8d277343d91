//! What the players of a run do, and on which ground.

use std::fmt;

use serde::Serialize;
use sortie_sim::config::{InterestMode, Mode, SimConfig};
use sortie_sim::id::PLAYERS_MAX;

/// What the players of a run do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Two teams fight for the points of the map.
    #[default]
    Conquest,
    /// Everyone walks at constant density, nobody fights: S1 of the benchmarks.
    Uniform,
    /// All players fight in one place.
    Crush,
    /// Everyone walks in one place, all in sight of each other, nobody fights.
    Crowd,
}

/// Up to so many players meet on the small shipped map, where they see each other at once.
const SMALL_MAP_PLAYERS: usize = 256;

/// Side of the square that a crush happens on, and a crowd walks on, metres.
const CRUSH_SIDE_M: f32 = 96.0;

/// Radius within which a player of [`Scenario::Uniform`] sees others, metres.
pub const S1_RADIUS_M: f64 = 32.0;

/// Reaches from corner to corner of the square of [`Scenario::Crowd`], metres.
const CROWD_RADIUS_M: f32 = 1.5 * CRUSH_SIDE_M;

/// Others that a player of [`Scenario::Uniform`] sees on average.
pub const S1_VISIBLE: f64 = 64.0;

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Conquest, Self::Uniform, Self::Crush, Self::Crowd];

    /// As users type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conquest => "conquest",
            Self::Uniform => "uniform",
            Self::Crush => "crush",
            Self::Crowd => "crowd",
        }
    }

    /// The map that this many players need, as `sortie battle --map` takes it.
    pub fn map_for(self, players: usize) -> String {
        match self {
            Self::Conquest if players <= SMALL_MAP_PLAYERS => "quarry".to_owned(),
            Self::Conquest => "steppe".to_owned(),
            Self::Uniform => format!("plain:{:.1}", uniform_side_m(players)),
            Self::Crush | Self::Crowd => format!("plain:{CRUSH_SIDE_M}"),
        }
    }

    /// The rules for this many players.
    pub fn rules(self, players: usize, tick_hz: u32) -> SimConfig {
        let mut rules = SimConfig {
            tick_hz: tick_hz.min(u32::from(u16::MAX)) as u16,
            players_max: players.clamp(1, PLAYERS_MAX) as u16,
            ..SimConfig::default()
        };
        match self {
            Self::Conquest => {
                rules.mode = Mode::Conquest;
                // One round after the other, for as long as there are players.
                rules.objective.rounds = 0;
            }
            Self::Uniform | Self::Crowd => {
                let radius_m =
                    if self == Self::Crowd { CROWD_RADIUS_M } else { S1_RADIUS_M as f32 };
                rules.mode = Mode::Walk;
                rules.interest.mode = InterestMode::Circle;
                rules.interest.view_m = radius_m;
                rules.interest.mates_m = radius_m;
            }
            Self::Crush => rules.mode = Mode::Deathmatch,
        }
        rules
    }

    /// Whether its players only walk about.
    pub fn is_peaceful(self) -> bool {
        matches!(self, Self::Uniform | Self::Crowd)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Side of the square on which a player sees [`S1_VISIBLE`] others within [`S1_RADIUS_M`] on
/// average, edges included, metres.
///
/// The share of pairs of a unit square that are closer than `r` is `πr² - 8/3·r³ + r⁴/2`.
pub fn uniform_side_m(players: usize) -> f32 {
    let others = players.saturating_sub(1) as f64;
    let visible = |r: f64| others * r * r * (std::f64::consts::PI - r * (8.0 / 3.0 - r / 2.0));
    if visible(1.0) <= S1_VISIBLE {
        return S1_RADIUS_M as f32; // So few that all of them see each other.
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if visible(middle) < S1_VISIBLE { low = middle } else { high = middle }
    }
    (S1_RADIUS_M / low) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uniform_square_keeps_the_published_density() {
        for (players, side_m) in [(100, 51.6), (250, 95.9), (500, 143.3)] {
            assert!((uniform_side_m(players) - side_m).abs() < 0.06, "{players} players");
        }
        assert_eq!(uniform_side_m(1), 32.0);
    }

    #[test]
    fn every_scenario_has_valid_rules() {
        for scenario in Scenario::ALL {
            for players in [1, 1_000, 8_192] {
                scenario.rules(players, 60).validate().unwrap();
            }
        }
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        let names: Vec<String> = Scenario::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["conquest", "uniform", "crush", "crowd"]);
    }
}
