//! The simulation alone: no network, no clock but the stopwatch, bots for players.
//!
//! [`run`] steps a battle as fast as it goes. The bots decide between two steps, from nothing but
//! the view and their seeds, so the state hash at the end is a function of the configuration.

mod config;
pub mod crowd;
mod meter;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sortie_field::Field;
use sortie_sim::battle::{Battle, BattleSetup};
use sortie_sim::command::Command;
use sortie_sim::event::TickOutput;

pub use config::SimRunConfig;
pub use meter::{Stopwatch, SystemTime};
pub use report::SimReport;

use crate::ground::{self, GroundError};
use crowd::Crowd;
use meter::{Meter, micros};
use report::Tally;

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SimRunError {
    /// No such map.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// The rules contradict each other.
    #[error("the rules are unusable: {0}")]
    Rules(String),
}

/// A battle and its players, between two ticks.
pub struct Arena {
    /// The battle.
    pub battle: Battle,
    /// Where it is fought.
    pub field: Arc<Field>,
    /// The map's name.
    pub map: String,
    /// What its players decide.
    pub crowd: Crowd,
}

impl Arena {
    /// A battle at tick 0, its players at the gate.
    pub fn new(config: &SimRunConfig) -> Result<Self, SimRunError> {
        let map = config.map.clone().unwrap_or_else(|| config.scenario.map_for(config.players));
        let field = Arc::new(Field::new(ground::load(&map)?));
        let rules = config.scenario.rules(config.players, config.tick_hz);
        rules.validate().map_err(|error| SimRunError::Rules(error.to_string()))?;
        let crowd = Crowd::new(config, &field, &rules);
        let battle = Battle::new(BattleSetup {
            config: rules,
            field: Arc::clone(&field),
            seed: config.seed,
            threads: config.threads,
        });
        Ok(Self { battle, field, map, crowd })
    }

    /// Lets everyone decide, and steps.
    pub fn step(&mut self) -> &TickOutput {
        let commands = self.crowd.decide(self.battle.view(), &self.field);
        self.battle.step(commands)
    }

    /// Lets everyone decide; gives what they say for the next step.
    pub fn decide(&mut self) -> &[Command] {
        self.crowd.decide(self.battle.view(), &self.field)
    }
}

/// Steps a battle through all ticks, or until `stop` is set; `progress` hears of each tick.
pub fn run(
    config: &SimRunConfig,
    progress: &mut dyn FnMut(u32),
    stop: &AtomicBool,
) -> Result<SimReport, SimRunError> {
    let Arena { mut battle, field, map, mut crowd } = Arena::new(config)?;
    // Buffers grow to their size in the first tenth.
    let steady_from = config.ticks / 10;
    let mut meter = Meter::new(config.ticks as usize, config.stopwatch);
    let mut tally = Tally::default();
    for tick in 0..config.ticks {
        if stop.load(Relaxed) {
            break;
        }
        let began = meter.now();
        let commands = crowd.decide(battle.view(), &field);
        meter.bots_us.push(micros(meter.now() - began));

        let allocations_before = config.allocations.map(|count| count());
        meter.begin();
        let began = meter.now();
        let output = battle.step_profiled(commands, &mut |phase| meter.phase(phase));
        meter.step_us.push(micros(meter.now() - began));
        if tick >= steady_from
            && let (Some(count), Some(before)) = (config.allocations, allocations_before)
        {
            meter.count_allocations(count() - before);
        }
        tally.add(output);
        progress(tick + 1);
    }
    Ok(SimReport::new(config, map, &tally, &mut meter, battle.state_hash()))
}
