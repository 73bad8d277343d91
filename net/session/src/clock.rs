//! The client's clock: it runs ahead of the server so that each input arrives just before its tick.
//!
//! Every snapshot says which input was the newest that had arrived (`input_margin`), and so how
//! long it took (`Delays`). From how far the clock is ahead, it follows how early an input that
//! takes as long will be; the clock steers the latest of them to [`MARGIN_TARGET_TICKS`]. A steady
//! path pays almost no delay, a jittery one pays for its jitter, and a jump needs no settling: it
//! changes how far the clock is ahead and not what is known of the path. Without evidence the clock
//! goes by the round trip. Ticks never repeat and never run backwards.

use std::time::{Duration, Instant};

use crate::delays::Delays;

/// How early an input should arrive that takes as long as those that take long, ticks.
pub const MARGIN_TARGET_TICKS: f32 = 1.0;
/// Earlier than that by up to this much is left alone.
const DEAD_BAND_TICKS: f64 = 1.25;
/// Slowing down ends when no more than this is left.
const SLOW_UNTIL_TICKS: f64 = 0.5;
/// The clock never runs faster or slower than by this share.
pub const SLEW_MAX: f32 = 0.05;
/// Beyond this error slewing would take seconds: the clock jumps.
const SNAP_TICKS: f64 = 10.0;
/// Behind by less than this, running faster costs less than what a jump skips.
const LATE_TICKS: f64 = 0.5;
/// Inputs come that much too early for so long before the clock waits for the server.
const EARLY_FOR: Duration = Duration::from_millis(250);
/// Whoever waits too short waits again; whoever waits too long has to skip ticks, and nobody plays
/// those. So much of a wait is left out, seconds: of one that goes by delays learnt lately, and of
/// one that goes by a round trip that may be an older path's.
const WAIT_SLACK_S: f64 = 0.03;
const ANEW_SLACK_S: f64 = 0.15;
/// Before the first input has arrived, a clock that seems to be behind by more than this jumps.
const TRIAL_SLACK_TICKS: f64 = 4.0;
/// No start goes by a longer round trip: being wrong by seconds would mean waiting for seconds.
const RTT_MAX: Duration = Duration::from_secs(1);
/// A clock none of whose inputs is consumed for so long, and a round trip, is started anew.
const UNANSWERED_MAX: Duration = Duration::from_secs(1);

/// When the client's next tick is due, and which it is.
#[derive(Clone, Debug)]
pub struct ClientClock {
    tick_hz: f64,
    tick_len: Duration,
    epoch: Instant,
    /// The next tick to be played.
    next_tick: u32,
    next_at: Instant,
    /// Share by which ticks come sooner (positive) or later.
    slew: f32,
    rtt: Duration,
    delays: Delays,
    /// Since when inputs come much too early, and the longest delay since.
    early: Option<(Instant, f64)>,
    /// The newest input consumed, and when that was learnt or the clock was set.
    consumed: u32,
    answered_at: Instant,
    jumps: u64,
}

impl ClientClock {
    /// A clock for a server that was at `server_tick` when it sent the message just received,
    /// over a path with this round trip.
    pub fn new(now: Instant, tick_hz: u16, server_tick: u32, rtt: Duration) -> Self {
        let tick_hz = tick_hz.max(1);
        let mut clock = Self {
            tick_hz: tick_hz.into(),
            tick_len: Duration::from_secs(1) / u32::from(tick_hz),
            epoch: now,
            next_tick: server_tick,
            next_at: now,
            slew: 0.0,
            rtt,
            delays: Delays::new(tick_hz, server_tick),
            early: None,
            consumed: 0,
            answered_at: now,
            jumps: 0,
        };
        clock.next_tick = server_tick.saturating_add(clock.lead_ticks());
        clock
    }

    /// How far ahead of a tick just heard of the clock runs, by what is known of the round trip.
    ///
    /// Half a round trip has passed since the message left, half will pass before an input
    /// arrives; a tick for its own quantisation, one for the server's, and the target come on top.
    /// A handshake measures a jittery path once or twice: a fifth more, because starting early
    /// costs nothing but a wait, and starting late costs every input until then.
    fn lead_ticks(&self) -> u32 {
        let rtt_ticks = self.rtt.min(RTT_MAX).as_secs_f64() * self.tick_hz;
        (1.2 * rtt_ticks + 2.0 + f64::from(MARGIN_TARGET_TICKS)).ceil() as u32
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
        let behind = now.saturating_duration_since(self.next_at);
        let missed = behind.as_secs_f64() * self.tick_hz;
        if missed > SNAP_TICKS {
            self.next_tick = self.next_tick.saturating_add(missed as u32);
            self.next_at += self.tick_len.saturating_mul(missed as u32);
        }
        let tick = self.next_tick;
        self.delays.note_sent(tick, self.ticks_at(self.next_at));
        self.next_tick = tick.saturating_add(1);
        self.next_at += self.tick_len.mul_f32(1.0 - self.slew);
        tick
    }

    /// The path's round trip, as measured lately: what a start without evidence goes by.
    pub fn note_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// Learns from a snapshot of `server_tick` that has just come in, newer than those before:
    /// `margin_ticks` as the server sent it, and the newest input that it had consumed.
    pub fn note_snapshot(
        &mut self,
        now: Instant,
        server_tick: u32,
        margin_ticks: i8,
        consumed_tick: u32,
    ) {
        if consumed_tick > self.consumed {
            self.consumed = consumed_tick;
            self.answered_at = self.answered_at.max(now);
        }
        let at = self.ticks_at(now);
        if consumed_tick < server_tick && margin_ticks > 0 {
            self.delays.note_overtaken(at, server_tick);
        }
        if let Some(delay) = self.delays.note_margin(at, server_tick, margin_ticks) {
            self.judge(now, at, delay);
        } else if self.delays.is_empty() {
            // What margins will say a round trip later can be told at once: the welcome, which came
            // on a stream, may have been old when it arrived.
            let behind = self.behind(at, server_tick);
            if behind > TRIAL_SLACK_TICKS {
                self.jump(behind);
            }
        }
        if now.saturating_duration_since(self.answered_at) > UNANSWERED_MAX + self.rtt {
            self.start_anew(now, server_tick);
        }
    }

    /// How far the clock is behind one that starts at `at` with the snapshot just received.
    fn behind(&self, at: f64, server_tick: u32) -> f64 {
        f64::from(server_tick) + f64::from(self.lead_ticks()) - at - self.ahead()
    }

    /// Whatever was known is wrong: goes by the round trip, as at the start.
    fn start_anew(&mut self, now: Instant, server_tick: u32) {
        self.delays.forget();
        self.early = None;
        let behind = self.behind(self.ticks_at(now), server_tick);
        if behind > 1.0 {
            self.jump(behind);
        } else if behind < -ANEW_SLACK_S * self.tick_hz - 1.0 {
            self.jump(behind + ANEW_SLACK_S * self.tick_hz);
        }
        self.answered_at = now.max(self.next_at);
    }

    /// Acts on the delay just learnt of and on those before it.
    fn judge(&mut self, now: Instant, at: f64, delay: f64) {
        let target = f64::from(MARGIN_TARGET_TICKS);
        if self.ahead() - delay > target + SNAP_TICKS {
            let (since, longest) = *self.early.get_or_insert((now, delay));
            let longest = longest.max(delay);
            self.early = Some((since, longest));
            if now.saturating_duration_since(since) >= EARLY_FOR {
                self.early = None;
                self.delays.forget_above(longest);
                let slack = WAIT_SLACK_S * self.tick_hz;
                self.jump(longest + target + slack - self.ahead());
                return;
            }
        } else {
            self.early = None;
        }
        if let Some((second, third)) = self.delays.recent(at)
            && self.ahead() + LATE_TICKS < third
        {
            self.jump((second + target - self.ahead()).ceil());
            return;
        }
        self.steer(self.ahead() - self.delays.second_largest() - target);
    }

    /// Goes faster when inputs come too late (negative), slower when they come too early.
    fn steer(&mut self, error: f64) {
        let is_slowing = self.slew < 0.0 && error > SLOW_UNTIL_TICKS;
        let slew = if error < 0.0 {
            // Full slew from one tick of error on: what comes late is lost.
            -error * f64::from(SLEW_MAX)
        } else if error > DEAD_BAND_TICKS || is_slowing {
            -error * f64::from(SLEW_MAX) / 3.0
        } else {
            0.0
        };
        self.slew = (slew as f32).clamp(-SLEW_MAX, SLEW_MAX);
    }

    /// Moves by whole ticks at once: skips ticks to get further ahead, waits to fall back.
    fn jump(&mut self, ticks: f64) {
        let whole = ticks.abs() as u32;
        if ticks > 0.0 {
            self.next_tick = self.next_tick.saturating_add(whole);
        } else {
            self.next_at += self.tick_len.saturating_mul(whole);
        }
        self.slew = 0.0;
        // No answer can be expected before the next input leaves.
        self.answered_at = self.answered_at.max(self.next_at);
        self.jumps += 1;
    }

    /// How far ahead of the client's own time it plays, ticks.
    fn ahead(&self) -> f64 {
        f64::from(self.next_tick) - self.ticks_at(self.next_at)
    }

    /// A time in ticks since this clock was made.
    fn ticks_at(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.epoch).as_secs_f64() * self.tick_hz
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
        let server_at = |now: Instant| ((now - epoch).as_secs_f64() * 60.0) as u32;
        let start = epoch + tick_len * 1_000;
        let rtt = tick_len * 2 * one_way_ticks;
        let mut clock = ClientClock::new(start, 60, 1_000 - one_way_ticks, rtt);
        clock.next_tick = clock.next_tick.saturating_add_signed(start_error_ticks);
        let (mut arrivals, mut margins) = (Vec::new(), Vec::new());
        for _ in 0..1_800 {
            let now = clock.next_tick_at();
            let tick = clock.advance(now);
            let arrives = server_at(now + tick_len * one_way_ticks) + 1;
            arrivals.push((tick, arrives));
            margins.push(tick as i32 - arrives as i32);
            let heard = server_at(now - tick_len * one_way_ticks);
            let newest = arrivals.iter().rev().find(|(_, arrives)| *arrives <= heard);
            if let Some((newest, _)) = newest {
                let margin = (*newest as i32 - heard as i32).clamp(-128, 127) as i8;
                clock.note_snapshot(now, heard, margin, heard.min(*newest));
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
                assert!(high <= 4, "early by {high} from {start} over {one_way}");
                assert!(clock.slew().abs() <= SLEW_MAX);
            }
        }
    }

    #[test]
    fn small_errors_are_left_alone() {
        let now = Instant::now();
        let mut clock = ClientClock::new(now, 60, 0, Duration::ZERO);
        let mut tick = 0;
        for _ in 0..100 {
            let now = clock.next_tick_at();
            tick = clock.advance(now);
            clock.note_snapshot(now, tick - 2, 2, tick - 2);
        }
        assert_eq!((clock.slew(), clock.jumps(), tick), (0.0, 0, 102));
    }

    #[test]
    fn without_an_answer_it_goes_by_the_round_trip_and_does_not_run_away() {
        let start = Instant::now();
        let mut clock = ClientClock::new(start, 60, 100, Duration::from_millis(50));
        let mut server_tick = 100;
        // Ten seconds in which nothing arrives, whatever the margin says.
        for _ in 0..600 {
            let now = clock.next_tick_at();
            clock.advance(now);
            server_tick += 1;
            clock.note_snapshot(now, server_tick, i8::MIN, 0);
        }
        let ahead = clock.next_tick() - server_tick;
        assert!((5..=8).contains(&ahead), "{ahead}");
    }

    #[test]
    fn ticks_never_repeat() {
        let start = Instant::now();
        let mut clock = ClientClock::new(start, 60, 100, Duration::from_millis(50));
        let mut last = 0;
        for step in 0..500u32 {
            let now = clock.next_tick_at();
            let tick = clock.advance(now);
            assert!(tick > last);
            last = tick;
            let margin = if step % 50 < 25 { 40 } else { -40 };
            let server_tick = tick.saturating_add_signed(-margin);
            clock.note_snapshot(now, server_tick, margin as i8, server_tick);
        }
        assert!(clock.jumps() > 0);
    }
}
