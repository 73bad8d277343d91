//! The first block: what the battle is.

use std::sync::Arc;

use sortie_field::{Field, Map};
use sortie_sim::config::SimConfig;
use sortie_sim::{Battle, BattleSetup};

use super::bytes::{Parts, put_blob};
use super::error::{Damage, JournalError};

/// The simulation that journals of this program were made by. Another one may step differently,
/// so its journals are refused instead of being found to differ somewhere.
pub const SIMULATION: &str = concat!("sortie-sim ", env!("CARGO_PKG_VERSION"));

/// What a battle is: enough to simulate it again from its first tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
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

impl Header {
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

    /// What the battle is simulated with.
    ///
    /// # Errors
    /// The rules or the map are none, or another simulation made them.
    pub fn setup(&self, threads: usize) -> Result<BattleSetup, JournalError> {
        if self.simulation != SIMULATION {
            let found = self.simulation.clone();
            return Err(JournalError::Version { found, known: SIMULATION.to_owned() });
        }
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
