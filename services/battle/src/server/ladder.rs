//! Overload in steps: thin out what is far, halve the snapshots, let nobody new in.
//!
//! Looks at windows of a second. A window is busy when the server's own work fills the time there
//! is: on average, or in one tick of five. A tick that is late because the machine gave the time
//! to somebody else is not the server's work: a step taken for it would cost the players
//! something and save nothing of what is missing. Three busy windows in a row climb a step, so
//! that a rush of newcomers does not; five quiet ones go back one, so that the ladder does not
//! swing.

use std::time::Duration;

use sortie_wire::message::LoadStep;

/// Share of the threads' time that work may take on average.
const BUSY_LOAD: f64 = 0.85;
/// Share of ticks whose own work may be longer than a tick.
const BUSY_OVERRUNS: f64 = 0.20;
/// Windows in a row that climb a step.
const BUSY_WINDOWS: u32 = 3;
/// Below this share of the time, and with hardly a tick too long, a window is quiet.
const QUIET_LOAD: f64 = 0.60;
const QUIET_OVERRUNS: f64 = 0.05;
/// Windows in a row that give a step back.
const QUIET_WINDOWS: u32 = 5;

const STEPS: [LoadStep; 4] =
    [LoadStep::Normal, LoadStep::ThinFar, LoadStep::HalfRate, LoadStep::NoJoins];

/// What one tick cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// The server's own work, as long as it would have taken had nobody else wanted the processors.
    pub own: Duration,
    /// CPU time of all threads since the tick before.
    pub cpu: Duration,
}

/// The overload ladder.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    period: Duration,
    threads: usize,
    window_ticks: u32,
    step: usize,
    window: Window,
    busy: u32,
    quiet: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    ticks: u32,
    overruns: u32,
    own: Duration,
    cpu: Duration,
}

impl Ladder {
    /// At the foot of the ladder, for a server with so many threads.
    pub(super) fn new(tick_hz: u16, period: Duration, threads: usize) -> Self {
        Self {
            period,
            threads: threads.max(1),
            window_ticks: u32::from(tick_hz.max(1)),
            step: 0,
            window: Window::default(),
            busy: 0,
            quiet: 0,
        }
    }

    /// Where the server stands.
    pub(super) fn step(&self) -> LoadStep {
        STEPS[self.step]
    }

    /// Takes up a tick. Whether the step changed.
    pub(super) fn note(&mut self, cost: Cost) -> bool {
        let window = &mut self.window;
        window.ticks += 1;
        window.overruns += u32::from(cost.own > self.period);
        window.own += cost.own;
        window.cpu += cost.cpu;
        window.ticks >= self.window_ticks && self.judge()
    }

    fn judge(&mut self) -> bool {
        let Window { ticks, overruns, own, cpu } = std::mem::take(&mut self.window);
        let there_is = self.period.as_secs_f64() * f64::from(ticks);
        let of_threads = cpu.as_secs_f64() / (there_is * self.threads as f64);
        let load = of_threads.max(own.as_secs_f64() / there_is);
        let overruns = f64::from(overruns) / f64::from(ticks);
        let is_busy = load > BUSY_LOAD || overruns > BUSY_OVERRUNS;
        let is_quiet = load < QUIET_LOAD && overruns < QUIET_OVERRUNS;
        self.busy = if is_busy { self.busy + 1 } else { 0 };
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        let before = self.step;
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

    fn seconds(ladder: &mut Ladder, count: u32, own: Duration) {
        for _ in 0..count * 60 {
            ladder.note(Cost { own, cpu: own });
        }
    }

    #[test]
    fn overload_climbs_and_quiet_goes_back() {
        let mut ladder = Ladder::new(60, PERIOD, 1);
        seconds(&mut ladder, 10, PERIOD / 2);
        assert_eq!(ladder.step(), LoadStep::Normal);
        seconds(&mut ladder, 2, PERIOD);
        assert_eq!(ladder.step(), LoadStep::Normal);
        seconds(&mut ladder, 1, PERIOD);
        assert_eq!(ladder.step(), LoadStep::ThinFar);
        seconds(&mut ladder, 12, PERIOD * 2);
        assert_eq!(ladder.step(), LoadStep::NoJoins);
        seconds(&mut ladder, 5, PERIOD / 3);
        assert_eq!(ladder.step(), LoadStep::HalfRate);
        seconds(&mut ladder, 20, PERIOD / 3);
        assert_eq!(ladder.step(), LoadStep::Normal);
    }

    #[test]
    fn in_between_the_step_stays() {
        let mut ladder = Ladder::new(60, PERIOD, 1);
        seconds(&mut ladder, 3, PERIOD);
        seconds(&mut ladder, 60, PERIOD * 7 / 10);
        assert_eq!(ladder.step(), LoadStep::ThinFar);
    }

    #[test]
    fn single_ticks_that_are_too_long_are_overload_too() {
        let mut ladder = Ladder::new(60, PERIOD, 1);
        for tick in 0..60 * 3 {
            let own = if tick % 4 == 0 { PERIOD * 2 } else { PERIOD / 8 };
            ladder.note(Cost { own, cpu: own });
        }
        assert_eq!(ladder.step(), LoadStep::ThinFar);
    }

    #[test]
    fn one_thread_that_is_full_is_overload_however_many_idle_beside_it() {
        let mut ladder = Ladder::new(60, PERIOD, 4);
        seconds(&mut ladder, 3, PERIOD * 9 / 10);
        assert_eq!(ladder.step(), LoadStep::ThinFar);
    }
}
