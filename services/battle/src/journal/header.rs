//! The first block: what the battle is.

use std::sync::Arc;

use sortie_field::{Field, Map};
use sortie_sim::config::SimConfig;
use sortie_sim::{Battle, BattleSetup, SIMULATION};

use super::bytes::{Parts, put_blob};
use super::error::{Damage, JournalError};

/// What a battle is: enough to simulate it again from its first tick.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalHeader {
    /// The battle's name for life.
    pub battle_id: u128,
    /// When it began, milliseconds since 1970; for people.
    pub created_ms: u64,
    /// The root of all chance.
    pub seed: u64,
    /// The simulation that stepped it, see [`SIMULATION`].
    pub simulation: String,
    /// The rules, TOML.
    pub rules: String,
    /// The map, TOML.
    pub map: String,
}

impl JournalHeader {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.rules.len() + self.map.len());
        out.extend_from_slice(&self.battle_id.to_le_bytes());
        out.extend_from_slice(&self.created_ms.to_le_bytes());
        out.extend_from_slice(&self.seed.to_le_bytes());
        for text in [&self.simulation, &self.rules, &self.map] {
            put_blob(&mut out, text.as_bytes());
        }
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Damage> {
        let mut parts = Parts::new(bytes);
        let header = Self {
            battle_id: parts.u128()?,
            created_ms: parts.u64()?,
            seed: parts.u64()?,
            simulation: parts.text()?.to_owned(),
            rules: parts.text()?.to_owned(),
            map: parts.text()?.to_owned(),
        };
        if parts.is_empty() { Ok(header) } else { Err(Damage("it goes on after its end")) }
    }

    /// Whether this program's simulation stepped the battle. Another one may step differently, so
    /// its journals are refused instead of being found to differ somewhere.
    ///
    /// # Errors
    /// Names both.
    pub fn check_simulation(&self) -> Result<(), JournalError> {
        if self.simulation == SIMULATION {
            return Ok(());
        }
        let found = self.simulation.clone();
        Err(JournalError::Version { found, known: SIMULATION.to_owned() })
    }

    /// What the battle is simulated with.
    ///
    /// # Errors
    /// The rules or the map are none, or another simulation made them.
    pub fn setup(&self, threads: usize) -> Result<BattleSetup, JournalError> {
        self.check_simulation()?;
        let config = SimConfig::parse(&self.rules)
            .map_err(|error| JournalError::Setup(format!("rules are invalid: {error}")))?;
        let map = Map::parse(&self.map)
            .map_err(|error| JournalError::Setup(format!("map is invalid: {error}")))?;
        Ok(BattleSetup { config, field: Arc::new(Field::new(map)), seed: self.seed, threads })
    }

    /// The battle before its first tick.
    ///
    /// # Errors
    /// As [`setup`](Self::setup).
    pub fn battle(&self, threads: usize) -> Result<Battle, JournalError> {
        self.setup(threads).map(Battle::new)
    }
}
