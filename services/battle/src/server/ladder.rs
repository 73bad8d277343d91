//! Overload in steps: thin out what is far, halve the snapshots, let nobody new in.
//!
//! Looks at windows of a second. Two in a row above the limit climb a step, so that a rush of
//! newcomers does not; five well below it go back one, so that the ladder does not swing.

use std::time::Duration;

use sortie_wire::message::LoadStep;

/// Share of the period that work may take on average.
const HIGH: f64 = 0.85;
/// Share of ticks that may overrun.
const OVERRUNS: f64 = 0.10;
/// Below this share a step can be given back.
const LOW: f64 = 0.55;
/// Busy windows in a row before a step is climbed.
const BUSY_WINDOWS: u32 = 2;
/// Quiet windows before a step is given back.
const QUIET_WINDOWS: u32 = 5;

const STEPS: [LoadStep; 4] =
    [LoadStep::Normal, LoadStep::ThinFar, LoadStep::HalfRate, LoadStep::NoJoins];

/// The overload ladder.
#[derive(Clone, Debug)]
pub struct Ladder {
    period: Duration,
    window_ticks: u32,
    step: usize,
    ticks: u32,
    overruns: u32,
    work: Duration,
    busy: u32,
    quiet: u32,
}

impl Ladder {
    /// At the foot of the ladder.
    pub fn new(tick_hz: u16, period: Duration) -> Self {
        let window_ticks = u32::from(tick_hz);
        Self {
            period,
            window_ticks,
            step: 0,
            ticks: 0,
            overruns: 0,
            work: Duration::ZERO,
            busy: 0,
            quiet: 0,
        }
    }

    /// Where the server stands.
    pub fn step(&self) -> LoadStep {
        STEPS[self.step]
    }

    /// Takes up what a tick's work took. Whether the step changed.
    pub fn note(&mut self, work: Duration) -> bool {
        self.ticks += 1;
        self.overruns += u32::from(work > self.period);
        self.work += work;
        if self.ticks < self.window_ticks {
            return false;
        }
        let load = self.work.as_secs_f64() / (self.period.as_secs_f64() * f64::from(self.ticks));
        let overruns = f64::from(self.overruns) / f64::from(self.ticks);
        (self.ticks, self.overruns, self.work) = (0, 0, Duration::ZERO);
        let before = self.step;
        let is_busy = load > HIGH || overruns > OVERRUNS;
        self.busy = if is_busy { self.busy + 1 } else { 0 };
        self.quiet = if load < LOW && !is_busy { self.quiet + 1 } else { 0 };
        if self.busy >= BUSY_WINDOWS {
            self.busy = 0;
            self.step = (self.step + 1).min(STEPS.len() - 1);
        } else if self.quiet >= QUIET_WINDOWS {
            self.quiet = 0;
            self.step = self.step.saturating_sub(1);
        }
        self.step != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(16);

    fn seconds(ladder: &mut Ladder, count: u32, work: Duration) {
        for _ in 0..count * 60 {
            ladder.note(work);
        }
    }

    #[test]
    fn overload_climbs_and_quiet_goes_back() {
        let mut ladder = Ladder::new(60, PERIOD);
        seconds(&mut ladder, 10, PERIOD / 2);
        assert_eq!(ladder.step(), LoadStep::Normal);
        seconds(&mut ladder, 1, PERIOD);
        assert_eq!(ladder.step(), LoadStep::Normal);
        seconds(&mut ladder, 1, PERIOD);
        assert_eq!(ladder.step(), LoadStep::ThinFar);
        seconds(&mut ladder, 5, PERIOD * 2);
        assert_eq!(ladder.step(), LoadStep::NoJoins);
        seconds(&mut ladder, 5, PERIOD / 3);
        assert_eq!(ladder.step(), LoadStep::HalfRate);
        seconds(&mut ladder, 20, PERIOD / 3);
        assert_eq!(ladder.step(), LoadStep::Normal);
    }

    #[test]
    fn in_between_the_step_stays() {
        let mut ladder = Ladder::new(60, PERIOD);
        seconds(&mut ladder, 2, PERIOD);
        seconds(&mut ladder, 60, PERIOD * 7 / 10);
        assert_eq!(ladder.step(), LoadStep::ThinFar);
    }
}
