//! The rules of a battle as data: equal on every machine that simulates it, hashed into journals
//! and handshakes. Addresses, pools and paths are process configuration and not here.

mod combat;
mod error;
mod interest;
mod mode;
mod region;
pub mod weapons;

use serde::{Deserialize, Serialize};
use sortie_field::MoveRules;

pub use combat::{CombatRules, ObjectiveRules, ScoreRules};
pub use error::ConfigError;
pub use interest::{InterestMode, InterestRules};
pub use mode::Mode;
pub use region::RegionRules;
pub use weapons::{ClassSpec, Gadget, Loadout, WEAPONS_MAX, WeaponMode, WeaponSpec};

use self::error::check;
use crate::hash::Mixer;
use crate::id::{Class, PLAYERS_MAX, WeaponId};

/// The shipped rules: one document, kept in a file a subject.
const SHIPPED: &str =
    concat!(include_str!("../rules/battle.toml"), include_str!("../rules/weapons.toml"));

/// All rules of a battle. [`SimConfig::default`] is what stands in `sim/rules/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimConfig {
    /// Ticks a second, 20 to 128.
    pub tick_hz: u16,
    /// What the round is about.
    pub mode: Mode,
    /// Whether a team can hurt itself.
    pub friendly_fire: bool,
    /// Most players at a time, 1 to [`PLAYERS_MAX`].
    pub players_max: u16,
    /// How far back a shot may look, seconds.
    pub rewind_s_max: f32,
    /// How long positions are kept for that, seconds; longer than `rewind_s_max`.
    pub history_s: f32,
    /// How bodies move.
    pub movement: MoveRules,
    /// What bodies do to each other, and what falls and the border do to them.
    pub body: BodyRules,
    /// When regions split and merge.
    pub region: RegionRules,
    /// What a player may see.
    pub interest: InterestRules,
    /// What hurts and heals.
    pub combat: CombatRules,
    /// What a round is won by.
    pub objective: ObjectiveRules,
    /// Points on the scoreboard.
    pub score: ScoreRules,
    /// The weapon table, by [`WeaponId`].
    pub weapons: Vec<WeaponSpec>,
    /// What each class carries, in the order of [`Class::ALL`].
    pub classes: Vec<ClassSpec>,
}

/// What bodies do to each other, and what falls and the border do to them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRules {
    /// Bodies whose middles are nearer than this push each other apart, metres.
    pub personal_space_m: f32,
    /// How fast at most, m/s.
    pub push_mps_max: f32,
    /// Falls up to this height do not hurt, metres.
    pub fall_safe_m: f32,
    /// Falls from this height kill, metres.
    pub fall_deadly_m: f32,
    /// Time to return from outside the border, seconds.
    pub border_s: f32,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self::parse(SHIPPED).expect("the shipped rules are valid")
    }
}

impl SimConfig {
    /// Reads a complete document.
    ///
    /// # Errors
    /// What is wrong with it, with its line where TOML knows it.
    pub fn parse(document: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(document).map_err(|error| ConfigError::Syntax(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Whether a battle can be fought by these rules.
    ///
    /// # Errors
    /// Names the first value that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check((20..=128).contains(&self.tick_hz), "tick_hz must be 20 to 128")?;
        let players = 1..=PLAYERS_MAX;
        check(players.contains(&usize::from(self.players_max)), "players_max must be 1 to 8192")?;
        check((0.0..=1.0).contains(&self.rewind_s_max), "rewind_s_max must be 0 to 1")?;
        let history = self.rewind_s_max..=2.0;
        check(history.contains(&self.history_s), "history_s must be rewind_s_max to 2")?;
        self.movement.validate().map_err(|error| ConfigError::Value(error.to_string()))?;
        self.body.validate()?;
        self.region.validate()?;
        self.interest.validate()?;
        self.combat.validate()?;
        self.objective.validate()?;
        weapons::validate(&self.weapons, &self.classes)
    }

    /// A weapon's row. Ids come from [`loadout`](Self::loadout) and from checked state.
    pub fn weapon(&self, id: WeaponId) -> &WeaponSpec {
        &self.weapons[usize::from(id.0)]
    }

    /// What a class is.
    pub fn class(&self, class: Class) -> &ClassSpec {
        &self.classes[class as usize]
    }

    /// What a class carries. Valid rules name weapons of the table only.
    pub fn loadout(&self, class: Class) -> Loadout {
        weapons::loadout(&self.weapons, self.class(class)).expect("valid rules name weapons")
    }

    /// The document that reads as these rules.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("rules hold only what TOML can say")
    }

    /// Over all values. Two configurations with one hash play the same.
    pub fn hash(&self) -> u64 {
        Mixer::of_bytes(self.to_toml().as_bytes())
    }

    /// The farthest rewind in whole ticks, rounded down.
    pub fn rewind_ticks_max(&self) -> u32 {
        (self.rewind_s_max * f32::from(self.tick_hz)) as u32
    }

    /// Ticks for which positions are kept; more than [`rewind_ticks_max`](Self::rewind_ticks_max).
    pub fn history_ticks(&self) -> u32 {
        ((self.history_s * f32::from(self.tick_hz)) as u32).max(self.rewind_ticks_max() + 1)
    }
}

impl BodyRules {
    fn validate(&self) -> Result<(), ConfigError> {
        let space = 0.0..=2.0;
        check(space.contains(&self.personal_space_m), "body.personal_space_m must be 0 to 2")?;
        check((0.0..=5.0).contains(&self.push_mps_max), "body.push_mps_max must be 0 to 5")?;
        check((0.0..=1e3).contains(&self.fall_safe_m), "body.fall_safe_m must be 0 to 1000")?;
        let deadly = self.fall_deadly_m > self.fall_safe_m && self.fall_deadly_m <= 1e4;
        check(deadly, "body.fall_deadly_m must be above fall_safe_m, at most 10000")?;
        check((0.0..=600.0).contains(&self.border_s), "body.border_s must be 0 to 600")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_back_as_the_same_rules() {
        let config = SimConfig::default();
        let again = SimConfig::parse(&config.to_toml()).unwrap();
        assert_eq!(again, config);
        assert_eq!(again.hash(), config.hash());
    }

    #[test]
    fn any_other_value_changes_the_hash() {
        let config = SimConfig::default();
        let other = SimConfig { friendly_fire: true, ..config.clone() };
        assert_ne!(config.hash(), other.hash());
    }

    #[test]
    fn unknown_keys_and_nonsense_are_refused() {
        let shipped = SimConfig::default().to_toml();
        assert!(SimConfig::parse(&format!("speed = 3\n{shipped}")).is_err());
        let slow = shipped.replace("tick_hz = 60", "tick_hz = 10");
        assert!(SimConfig::parse(&slow).unwrap_err().to_string().contains("tick_hz"));
        let nan = shipped.replace("view_m = 200.0", "view_m = nan");
        assert!(SimConfig::parse(&nan).unwrap_err().to_string().contains("view_m"));
    }

    #[test]
    fn positions_are_kept_longer_than_shots_look_back() {
        let config = SimConfig::default();
        assert_eq!(config.rewind_ticks_max(), 12);
        assert!(config.rewind_ticks_max() < config.history_ticks());
    }
}
