//! What a headless run tells.

use std::collections::BTreeMap;

use serde::Serialize;
use sortie_sim::event::{Event, TickOutput};

use super::config::SimRunConfig;
use super::meter::{Meter, SystemTime};
use crate::samples::{P50P99, Tail};

/// The report of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SimReport {
    /// How many players.
    pub players: usize,
    /// Ticks stepped.
    pub ticks: u32,
    /// Threads of the simulation and of the bots.
    pub threads: usize,
    /// What the players did.
    pub scenario: String,
    /// Name of the map.
    pub map: String,
    /// One `step` of the battle, microseconds of wall time.
    pub tick_us: Tail,
    /// The bots' decisions for a tick, microseconds of wall time.
    pub bots_us: P50P99,
    /// Time per phase of the tick, microseconds of wall time.
    pub system_us: BTreeMap<String, SystemTime>,
    /// Most regions at a time.
    pub regions_max: u32,
    /// Regions split.
    pub region_splits: u64,
    /// Pairs of regions merged.
    pub region_merges: u64,
    /// Work units of the busiest region, at its busiest.
    pub region_load_max: u32,
    /// Allocations inside a step, on average over the steady state; absent where the program does
    /// not count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations_per_tick: Option<f64>,
    /// Shots fired.
    pub shots: u64,
    /// Times a soldier was hurt.
    pub hits: u64,
    /// Enemies brought down.
    pub kills: u64,
    /// Points that changed hands.
    pub captures: u64,
    /// The state after the last tick, hexadecimal.
    pub state_hash: String,
}

/// What happened, summed over the ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    ticks: u32,
    regions_max: u32,
    load_max: u32,
    splits: u64,
    merges: u64,
    shots: u64,
    hits: u64,
    kills: u64,
    captures: u64,
}

impl Tally {
    /// Adds one tick.
    pub(super) fn add(&mut self, output: &TickOutput) {
        self.ticks += 1;
        self.regions_max = self.regions_max.max(output.report.regions);
        self.load_max = self.load_max.max(output.report.load_max);
        self.splits += u64::from(output.report.splits);
        self.merges += u64::from(output.report.merges);
        for event in &output.events {
            match event {
                Event::Shot { .. } => self.shots += 1,
                Event::Hit { shooter, victim, .. } if shooter != victim => self.hits += 1,
                Event::Downed { killer: Some(_), .. } => self.kills += 1,
                Event::PointOwner { owner: Some(_), .. } => self.captures += 1,
                _ => {}
            }
        }
    }
}

impl SimReport {
    pub(super) fn new(
        config: &SimRunConfig,
        map: String,
        tally: &Tally,
        meter: &mut Meter,
        state_hash: u64,
    ) -> Self {
        Self {
            players: config.players,
            ticks: tally.ticks,
            threads: config.threads,
            scenario: config.scenario.to_string(),
            map,
            tick_us: meter.step_us.tail(),
            bots_us: meter.bots_us.p50_p99(),
            system_us: meter.systems(),
            regions_max: tally.regions_max,
            region_splits: tally.splits,
            region_merges: tally.merges,
            region_load_max: tally.load_max,
            allocations_per_tick: meter.allocations_per_tick(),
            shots: tally.shots,
            hits: tally.hits,
            kills: tally.kills,
            captures: tally.captures,
            state_hash: format!("{state_hash:016x}"),
        }
    }
}
