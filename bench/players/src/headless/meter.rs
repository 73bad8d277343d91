//! What a headless run costs, tick by tick.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cpu::thread_time;
use crate::samples::{Samples, rounded};

/// What one system of the tick takes, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SystemTime {
    /// On average.
    pub mean: f64,
    /// In 99 of 100 ticks at most.
    pub p99: f64,
}

/// What time is measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stopwatch {
    /// As it passes: what players feel.
    #[default]
    Wall,
    /// As the calling thread works: what the work costs on a machine that is busy otherwise. Of
    /// use with one thread only.
    Cpu,
}

/// Times and counts of one run.
pub(super) struct Meter {
    /// One `step` of the battle each, microseconds.
    pub step_us: Samples,
    /// The bots' decisions, microseconds.
    pub bots_us: Samples,
    systems: Vec<(&'static str, Samples)>,
    /// Allocations inside steps of the steady state, and how many ticks that were.
    allocations: (u64, u64),
    stopwatch: Stopwatch,
    started: Instant,
    phase_began: Duration,
    next_phase: usize,
}

impl Meter {
    /// Room for `ticks`, so that measuring does not allocate.
    pub(super) fn new(ticks: usize, stopwatch: Stopwatch) -> Self {
        Self {
            stopwatch,
            started: Instant::now(),
            step_us: Samples::with_capacity(ticks),
            bots_us: Samples::with_capacity(ticks),
            systems: Vec::new(),
            allocations: (0, 0),
            phase_began: Duration::ZERO,
            next_phase: 0,
        }
    }

    /// Time since some moment before the run.
    pub(super) fn now(&self) -> Duration {
        match self.stopwatch {
            Stopwatch::Wall => self.started.elapsed(),
            Stopwatch::Cpu => thread_time(),
        }
    }

    /// A step begins.
    pub(super) fn begin(&mut self) {
        self.phase_began = self.now();
        self.next_phase = 0;
    }

    /// The phase `name` of this step has ended.
    pub(super) fn phase(&mut self, name: &'static str) {
        let now = self.now();
        let spent = now - self.phase_began;
        self.phase_began = now;
        // Phases come in the same order on every tick: the next one is nearly always right.
        let at = match self.systems.get(self.next_phase) {
            Some((known, _)) if *known == name => self.next_phase,
            _ => self.place_of(name),
        };
        self.next_phase = at + 1;
        self.systems[at].1.push(micros(spent));
    }

    fn place_of(&mut self, name: &'static str) -> usize {
        let known = self.systems.iter().position(|(known, _)| *known == name);
        known.unwrap_or_else(|| {
            self.systems.push((name, Samples::with_capacity(self.step_us.capacity())));
            self.systems.len() - 1
        })
    }

    /// Counts the allocations of one step of the steady state.
    pub(super) fn count_allocations(&mut self, count: u64) {
        self.allocations.0 += count;
        self.allocations.1 += 1;
    }

    /// Allocations a tick in the steady state; `None` if they were not counted.
    pub(super) fn allocations_per_tick(&self) -> Option<f64> {
        let (count, ticks) = self.allocations;
        (ticks > 0).then(|| rounded(count as f64 / ticks as f64))
    }

    /// Time per system, by name.
    pub(super) fn systems(&mut self) -> BTreeMap<String, SystemTime> {
        let time = |samples: &mut Samples| SystemTime {
            mean: rounded(samples.mean()),
            p99: samples.tail().p99,
        };
        self.systems.iter_mut().map(|(name, samples)| ((*name).to_owned(), time(samples))).collect()
    }
}

/// A duration in microseconds.
pub(super) fn micros(time: Duration) -> f32 {
    time.as_secs_f32() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_one_sample_a_tick() {
        let mut meter = Meter::new(3, Stopwatch::Wall);
        for tick in 0..3 {
            meter.begin();
            meter.phase("move");
            if tick == 1 {
                meter.phase("rare");
            }
            meter.phase("fire");
        }
        let counts: Vec<_> = meter.systems.iter().map(|(name, of)| (*name, of.count())).collect();
        assert_eq!(counts, [("move", 3), ("fire", 3), ("rare", 1)]);
    }

    #[test]
    fn allocations_are_averaged_over_the_steady_state() {
        let mut meter = Meter::new(0, Stopwatch::Cpu);
        assert_eq!(meter.allocations_per_tick(), None);
        meter.count_allocations(3);
        meter.count_allocations(0);
        assert_eq!(meter.allocations_per_tick(), Some(1.5));
    }
}
