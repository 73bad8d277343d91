//! The tick that this client shows of others: a little in the past, so that there is always a
//! snapshot on either side of it.

/// Behind the newest snapshot at best: one to interpolate towards, one that may be lost.
const DELAY_MIN_TICKS: f32 = 2.0;
/// Behind the newest snapshot at worst; beyond it lies what lag compensation would not grant.
const DELAY_MAX_TICKS: f32 = 8.0;
/// Most that a shown tick may be longer or shorter than a played one.
const SLEW_MAX: f32 = 0.1;
/// Further off than this, sliding would take too long.
const SNAP_TICKS: f32 = 20.0;

/// Follows the arriving snapshots at an even pace.
#[derive(Clone, Debug, Default)]
pub(crate) struct RenderClock {
    /// The tick shown, with its fraction.
    shown: f32,
    /// Mean and mean deviation of (newest snapshot tick - own tick).
    lag: Option<(f32, f32)>,
    played: u32,
    newest: u32,
}

impl RenderClock {
    /// A snapshot of `tick` arrived before the own tick `played` was over.
    pub(crate) fn note_snapshot(&mut self, tick: u32, played: u32) {
        if tick <= self.newest {
            return;
        }
        self.newest = tick;
        let sample = tick as f32 - played as f32;
        let (mean, deviation) = self.lag.get_or_insert((sample, 0.5));
        let off = sample - *mean;
        if off.abs() > SNAP_TICKS {
            // The own clock jumped, or a blackout ended: what was learnt says nothing any more.
            (*mean, *deviation) = (sample, 1.0);
        }
        *mean += off.clamp(-SNAP_TICKS, SNAP_TICKS) / 16.0;
        *deviation += (off.abs().min(SNAP_TICKS) - *deviation) / 16.0;
    }

    /// The own tick `played` begins: moves on and gives the tick to show.
    pub(crate) fn advance(&mut self, played: u32) -> f32 {
        let passed = played.saturating_sub(self.played).min(60) as f32;
        self.played = played;
        let Some((mean, deviation)) = self.lag else { return self.newest as f32 };
        let delay = (1.0 + 2.0 * deviation).clamp(DELAY_MIN_TICKS, DELAY_MAX_TICKS);
        let target = played as f32 + mean - delay;
        let error = target - (self.shown + passed);
        self.shown = if error.abs() > SNAP_TICKS {
            target
        } else {
            self.shown + passed + (error * 0.1).clamp(-SLEW_MAX, SLEW_MAX) * passed
        };
        // Never beyond what is known: others are shown as they were, not as they might be.
        self.shown = self.shown.clamp(0.0, self.newest as f32);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_path_is_shown_two_ticks_behind() {
        let mut clock = RenderClock::default();
        let mut shown = 0.0;
        for tick in 100..500 {
            clock.note_snapshot(tick, tick + 14);
            shown = clock.advance(tick + 14);
        }
        assert!((497.0 - 0.2..=497.6).contains(&shown), "{shown}");
    }

    #[test]
    fn jitter_is_answered_by_distance_and_not_by_jumps() {
        let mut clock = RenderClock::default();
        let mut last: Option<f32> = None;
        for tick in 100..1_000u32 {
            // Snapshots come in late pairs.
            if tick % 2 == 0 {
                clock.note_snapshot(tick - 1, tick + 14);
                clock.note_snapshot(tick, tick + 14);
            }
            let shown = clock.advance(tick + 14);
            if tick > 200 {
                let step = shown - last.unwrap_or(shown);
                assert!(last.is_none() || (0.85..=1.15).contains(&step), "step {step}");
                assert!(shown < tick as f32 - 1.0);
            }
            last = Some(shown);
        }
    }
}
