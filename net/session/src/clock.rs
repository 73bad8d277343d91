//! The client's clock: it runs ahead of the server so that each input arrives just before its tick.
//!
//! Every snapshot says how many inputs the server still held after the one it consumed
//! (`input_margin`; negative: by how much they were late). The clock steers the *low edge* of that
//! margin, mean minus twice the mean deviation, to [`MARGIN_TARGET_TICKS`]: a steady path pays
//! almost no delay, a jittery one pays for its jitter. Ticks never repeat and never run backwards.

use std::time::{Duration, Instant};

/// Inputs that should still lie on the server after each consumed one, at the low edge.
pub const MARGIN_TARGET_TICKS: f32 = 1.0;
/// Errors up to this are left alone.
const DEAD_BAND_TICKS: f32 = 1.0;
/// Errors of one sign in a row before the clock acts.
const SAME_SIGN_MIN: u32 = 3;
/// The clock never runs faster or slower than by this share.
pub const SLEW_MAX: f32 = 0.05;
/// Beyond this error slewing would take seconds: the clock jumps.
const SNAP_TICKS: f32 = 10.0;
/// After a jump the server's figures are those of before it for a round trip; an answer to an
/// input sent after the jump ends the wait, or this.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// Reports for which the first guess of the lead is on trial: a handshake measures the round trip
/// once or twice, and a client that starts late loses every input until it has slewed.
const TRIAL_REPORTS: u32 = 120;

/// Jitter makes a snapshot look younger than it is by about this much, ticks.
const TRIAL_SLACK_TICKS: u32 = 4;

/// When the client's next tick is due, and which it is.
#[derive(Clone, Debug)]
pub struct ClientClock {
    tick_len: Duration,
    /// The next tick to be played.
    next_tick: u32,
    /// How far ahead of a tick just heard of the clock began.
    lead_ticks: u32,
    /// The first tick played.
    first_tick: u32,
    next_at: Instant,
    /// Share by which ticks come sooner (positive) or later.
    slew: f32,
    margin: Option<Margin>,
    /// Same-signed errors in a row; the sign is that of the error.
    run: i32,
    /// Ignore margins until the server consumed this tick, or this time.
    settling: Option<(u32, Instant)>,
    jumps: u64,
    /// Reports taken.
    reports: u32,
    /// Late reports in a row, and the worst of them.
    late: (i32, f32),
}

/// Moving mean and mean deviation, in ticks.
#[derive(Clone, Copy, Debug)]
struct Margin {
    mean: f32,
    deviation: f32,
}

impl ClientClock {
    /// A clock for a server that was at `server_tick` when it sent the message just received,
    /// over a path with this round trip.
    pub fn new(now: Instant, tick_hz: u16, server_tick: u32, rtt: Duration) -> Self {
        let tick_len = Duration::from_secs(1) / u32::from(tick_hz.max(1));
        let rtt_ticks = rtt.as_secs_f32() / tick_len.as_secs_f32();
        // Half a round trip has passed since the message left, half will pass before an input
        // arrives; a tick for its own quantisation and the target margin come on top. A handshake
        // measures a jittery path once or twice: a fifth more, because starting early costs
        // nothing but a second of slewing, and starting late costs every input until then.
        let lead_ticks = (1.2 * rtt_ticks + 2.0 + MARGIN_TARGET_TICKS).ceil() as u32;
        Self {
            tick_len,
            next_tick: server_tick.saturating_add(lead_ticks),
            lead_ticks,
            first_tick: server_tick.saturating_add(lead_ticks),
            next_at: now,
            slew: 0.0,
            margin: None,
            run: 0,
            settling: None,
            jumps: 0,
            reports: 0,
            late: (0, 0.0),
        }
    }

    /// When the next tick is due.
    pub fn next_tick_at(&self) -> Instant {
        self.next_at
    }

    /// The next tick to be played.
    pub fn next_tick(&self) -> u32 {
        self.next_tick
    }

    /// Plays the due tick, gives its number and sets the time of the next one. A caller who comes
    /// very late does not have to play all that was missed: the clock lets it go.
    pub fn advance(&mut self, now: Instant) -> u32 {
        let tick = self.next_tick;
        self.next_tick += 1;
        self.next_at += self.tick_len.mul_f32(1.0 - self.slew);
        let behind = now.saturating_duration_since(self.next_at);
        let missed = (behind.as_secs_f32() / self.tick_len.as_secs_f32()) as u32;
        if missed > SNAP_TICKS as u32 {
            self.next_tick += missed;
            self.next_at += self.tick_len * missed;
        }
        tick
    }

    /// A snapshot of `server_tick` has just come in, which had consumed the input of tick
    /// `consumed_tick` as the newest. Before the first input of this clock is consumed, this says
    /// at once what margins would say a round trip later: the welcome, which came on a stream, may
    /// have been old when it arrived.
    pub fn note_server_tick(&mut self, now: Instant, server_tick: u32, consumed_tick: u32) {
        let expected = server_tick.saturating_add(self.lead_ticks);
        let behind = expected.saturating_sub(self.next_tick);
        if consumed_tick < self.first_tick && behind > TRIAL_SLACK_TICKS {
            self.jump(now, -(behind as f32));
        }
    }

    /// Learns from a snapshot how well inputs arrive: `margin_ticks` as the server sent it, and
    /// the newest input tick that it had consumed.
    pub fn note_margin(&mut self, now: Instant, margin_ticks: i8, consumed_tick: u32) {
        if let Some((tick, until)) = self.settling {
            if consumed_tick < tick && now < until {
                return;
            }
            self.settling = None;
        }
        let sample = f32::from(margin_ticks);
        self.reports += 1;
        self.late =
            if sample < 0.0 { (self.late.0 + 1, self.late.1.min(sample)) } else { (0, 0.0) };
        if self.reports < TRIAL_REPORTS && self.late.0 >= SAME_SIGN_MIN as i32 {
            self.jump(now, self.late.1 - MARGIN_TARGET_TICKS);
            return;
        }
        let margin = self.margin.get_or_insert(Margin { mean: sample, deviation: 0.5 });
        let off = sample - margin.mean;
        margin.mean += off / 16.0;
        margin.deviation += (off.abs() - margin.deviation) / 32.0;
        let error = margin.mean - 2.0 * margin.deviation - MARGIN_TARGET_TICKS;
        // A jump answers what is, not what the mean still remembers.
        if error.abs().min((sample - MARGIN_TARGET_TICKS).abs()) > SNAP_TICKS {
            self.jump(now, sample - MARGIN_TARGET_TICKS);
            return;
        }
        self.steer(error);
    }

    fn steer(&mut self, error: f32) {
        let sign = if error.abs() <= DEAD_BAND_TICKS { 0 } else { error.signum() as i32 };
        if sign == 0 {
            // Keep steering into the middle of the band, or the clock would ride on its edge.
            let past_the_middle = error.signum() * self.slew >= 0.0 || error.abs() < 0.25;
            if past_the_middle {
                self.slew = 0.0;
            }
            self.run = 0;
            return;
        }
        self.run = if self.run.signum() == sign { self.run + sign } else { sign };
        if self.run.unsigned_abs() >= SAME_SIGN_MIN {
            // Too early (positive): slow down. Full slew from three ticks of error on.
            self.slew = (-error * SLEW_MAX / 3.0).clamp(-SLEW_MAX, SLEW_MAX);
        }
    }

    /// Moves by `error_ticks` at once: waits when too early, skips ticks when too late.
    fn jump(&mut self, now: Instant, error_ticks: f32) {
        let whole = error_ticks.abs().round() as u32;
        if error_ticks > 0.0 {
            self.next_at += self.tick_len * whole;
        } else {
            self.next_tick += whole;
        }
        self.slew = 0.0;
        self.run = 0;
        self.margin = None;
        self.late = (0, 0.0);
        self.settling = Some((self.next_tick, now + SETTLE_MAX));
        self.jumps += 1;
    }

    /// The length of a tick at normal speed.
    pub fn tick_len(&self) -> Duration {
        self.tick_len
    }

    /// The present slew, -0.05 to 0.05; positive: faster than the server.
    pub fn slew(&self) -> f32 {
        self.slew
    }

    /// How often the clock had to jump.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a client against a perfect server over a symmetric path; gives the clock and the
    /// margins of the last 200 ticks.
    fn run(start_error_ticks: i32, one_way_ticks: u32) -> (ClientClock, Vec<i32>) {
        let epoch = Instant::now();
        let tick_len = Duration::from_secs(1) / 60;
        let rtt = tick_len * 2 * one_way_ticks;
        let server_at = |now: Instant| ((now - epoch).as_secs_f64() * 60.0) as i64;
        let start = epoch + tick_len * 1_000;
        let server_tick = (1_000 - i64::from(one_way_ticks)) as u32;
        let mut clock = ClientClock::new(start, 60, server_tick, rtt);
        clock.next_tick = clock.next_tick.saturating_add_signed(start_error_ticks);
        let mut margins = Vec::new();
        for _ in 0..1_800 {
            let now = clock.next_tick_at();
            let tick = clock.advance(now);
            let arrives = server_at(now + tick_len * one_way_ticks);
            let margin = i64::from(tick) - arrives - 1;
            margins.push(margin as i32);
            // The report comes back a round trip later; the test gives the delayed one.
            if let Some(&seen) =
                margins.get(margins.len().saturating_sub(2 * one_way_ticks as usize + 1))
            {
                clock.note_margin(now, seen.clamp(-127, 127) as i8, tick - 2 * one_way_ticks);
            }
        }
        (clock, margins.split_off(1_600))
    }

    #[test]
    fn it_settles_a_little_early_from_any_start() {
        for one_way in [0, 1, 6, 12] {
            for start in [-40, -8, -3, 0, 3, 8, 12] {
                let (clock, margins) = run(start, one_way);
                let (low, high) = (
                    margins.iter().min().copied().unwrap(),
                    margins.iter().max().copied().unwrap(),
                );
                assert!(low >= 0, "late by {low} from {start} over {one_way}");
                assert!(high <= 5, "early by {high} from {start} over {one_way}");
                assert!(clock.slew().abs() <= SLEW_MAX);
            }
        }
    }

    #[test]
    fn small_errors_are_left_alone() {
        let now = Instant::now();
        let mut clock = ClientClock::new(now, 60, 0, Duration::ZERO);
        for tick in 0..100 {
            clock.note_margin(now, 2, tick);
        }
        assert_eq!(clock.slew(), 0.0);
    }

    #[test]
    fn ticks_never_repeat() {
        let start = Instant::now();
        let mut clock = ClientClock::new(start, 60, 100, Duration::from_millis(50));
        let mut last = 0;
        for step in 0..500u32 {
            let margin = if step % 50 < 25 { 40 } else { -40 };
            let tick = clock.advance(clock.next_tick_at());
            assert!(tick > last);
            last = tick;
            clock.note_margin(clock.next_tick_at(), margin, tick);
        }
        assert!(clock.jumps() > 0);
    }
}
