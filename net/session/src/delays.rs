//! What a client knows of how long its inputs take to their ticks.
//!
//! A snapshot says which input was the newest that had arrived when its tick was stepped. The
//! client remembers when each input was due to leave, so it knows how long that one took, in ticks
//! and up to a constant: the distance of the two clocks. Such a *delay* is a fact about path and
//! server and stays true whatever the client's own clock does afterwards; a margin does not.

use std::collections::VecDeque;

/// Inputs of which it is remembered when they left: more than two seconds at any rate.
const SENT_REMEMBERED: usize = 512;
/// Delays are remembered for so long.
const REMEMBERED_S: f64 = 2.0;
/// And what is a trend is judged by those of this time, or of so many ticks.
const RECENT_S: f64 = 0.5;
const RECENT_TICKS_MIN: f64 = 20.0;
/// An input that was missing for this much longer than the next one took was lost, not late.
const OUTAGE_S: f64 = 0.2;
/// The same at low rates, where that is hardly a tick.
const OUTAGE_TICKS_MIN: f64 = 6.0;

/// Inputs that others overtake take longer than these by up to this much.
const OVERTAKEN_S: f64 = 0.05;

/// When inputs left, and how long they took. All times are ticks of the client's own clock.
#[derive(Clone, Debug)]
pub(crate) struct Delays {
    tick_hz: f64,
    /// Tick of an input and when it was due to leave, oldest first.
    sent: VecDeque<(u32, f64)>,
    /// The tick of the newest snapshot.
    heard: u32,
    /// The newest input known to have arrived.
    arrived: Option<u32>,
    /// When a delay was learnt of, and the delay.
    samples: VecDeque<(f64, f64)>,
    /// The same for inputs that were not there in their tick although newer ones were: the delay
    /// is more than that.
    overtaken: VecDeque<(f64, f64)>,
}

impl Delays {
    pub(crate) fn new(tick_hz: u16, server_tick: u32) -> Self {
        Self {
            tick_hz: f64::from(tick_hz.max(1)),
            sent: VecDeque::new(),
            heard: server_tick,
            arrived: None,
            samples: VecDeque::new(),
            overtaken: VecDeque::new(),
        }
    }

    /// The input of `tick` was due to leave at `at`. Ticks rise.
    pub(crate) fn note_sent(&mut self, tick: u32, at: f64) {
        if self.sent.len() == SENT_REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((tick, at));
    }

    /// A snapshot of `server_tick` has come at `now` and says `margin_ticks`. Gives the delay that
    /// this tells of: only when an input has arrived that was not known to have.
    pub(crate) fn note_margin(
        &mut self,
        now: f64,
        server_tick: u32,
        margin_ticks: i8,
    ) -> Option<f64> {
        let heard = std::mem::replace(&mut self.heard, server_tick);
        // The smallest margin says that the newest input is older than that, or that there is none.
        if margin_ticks == i8::MIN {
            return None;
        }
        let arrived = server_tick.saturating_add_signed(margin_ticks.into());
        let at = self.sent.partition_point(|(tick, _)| *tick < arrived);
        let &(newest, left) = self.sent.get(at)?;
        // The largest one says that it is at least that.
        if (newest != arrived && margin_ticks != i8::MAX) || self.arrived >= Some(newest) {
            return None;
        }
        let mut delay = f64::from(server_tick) - left;
        if let Some(before) = self.arrived.replace(newest) {
            // The first of the new ones had not arrived by the snapshot before.
            let next = self.sent.partition_point(|(tick, _)| *tick <= before);
            let waited = f64::from(heard) + 1.0 - self.sent[next].1;
            let outage = OUTAGE_TICKS_MIN.max(OUTAGE_S * self.tick_hz);
            if waited - delay <= outage {
                delay = delay.max(waited);
            }
        }
        self.samples.push_back((now, delay));
        let kept_from = now - REMEMBERED_S * self.tick_hz;
        for held in [&mut self.samples, &mut self.overtaken] {
            while held.front().is_some_and(|(at, _)| *at < kept_from) {
                held.pop_front();
            }
        }
        Some(delay)
    }

    /// The snapshot of `server_tick` says that newer inputs had arrived and this tick's had not.
    pub(crate) fn note_overtaken(&mut self, now: f64, server_tick: u32) {
        if let Ok(at) = self.sent.binary_search_by_key(&server_tick, |(tick, _)| *tick) {
            // It may also be lost, with all of its copies.
            self.overtaken.push_back((now, f64::from(server_tick) + 1.0 - self.sent[at].1));
        }
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The largest delay but one: a single one may be a freak.
    pub(crate) fn second_largest(&self) -> f64 {
        let [first, second, _] = largest(&self.samples, f64::NEG_INFINITY);
        let arrived = if second.is_finite() { second } else { first };
        let [_, overtaken, _] = largest(&self.overtaken, f64::NEG_INFINITY);
        arrived.max(overtaken.min(arrived + (OVERTAKEN_S * self.tick_hz).max(1.0)))
    }

    /// The second and third largest delay of the last half second, when there are so many.
    pub(crate) fn recent(&self, now: f64) -> Option<(f64, f64)> {
        let recent = RECENT_TICKS_MIN.max(RECENT_S * self.tick_hz);
        let [_, second, third] = largest(&self.samples, now - recent);
        third.is_finite().then_some((second, third))
    }

    /// Forgets delays above this one: the path has become shorter.
    pub(crate) fn forget_above(&mut self, delay: f64) {
        self.samples.retain(|(_, held)| *held <= delay);
        self.overtaken.clear();
    }

    /// Forgets all delays, and what was sent until now: what held that up is over.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.samples.clear();
        self.overtaken.clear();
    }
}

/// The three largest delays since a time, negative infinity where there are fewer.
fn largest(samples: &VecDeque<(f64, f64)>, since: f64) -> [f64; 3] {
    let mut largest = [f64::NEG_INFINITY; 3];
    for &(_, delay) in samples.iter().rev().take_while(|(at, _)| *at >= since) {
        let mut delay = delay;
        for held in &mut largest {
            if delay > *held {
                std::mem::swap(held, &mut delay);
            }
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs that left at the very time of their tick.
    fn sent(ticks: std::ops::Range<u32>) -> Delays {
        let mut delays = Delays::new(60, ticks.start);
        ticks.for_each(|tick| delays.note_sent(tick, f64::from(tick)));
        delays
    }

    #[test]
    fn a_margin_tells_how_long_the_newest_input_took() {
        let mut delays = sent(100..120);
        assert_eq!(delays.note_margin(110.0, 104, -3), Some(3.0));
        assert_eq!(delays.note_margin(111.0, 105, -3), Some(3.0));
        assert_eq!(delays.note_margin(112.0, 106, -4), None, "nothing new has arrived");
        // 103 did not arrive with 106: it took until 107 at least.
        assert_eq!(delays.note_margin(113.0, 107, -2), Some(4.0));
    }

    #[test]
    fn what_was_lost_for_long_is_not_late() {
        let mut delays = sent(100..300);
        delays.note_margin(100.0, 103, -3);
        for tick in 104..200 {
            assert_eq!(delays.note_margin(f64::from(tick), tick, (100 - tick as i32) as i8), None);
        }
        assert_eq!(delays.note_margin(200.0, 200, -3), Some(3.0));
    }

    #[test]
    fn inputs_that_others_overtake_count_within_a_bound() {
        let mut delays = sent(100..300);
        delays.note_margin(102.0, 102, -2);
        delays.note_margin(103.0, 103, -2);
        assert_eq!(delays.second_largest(), 2.0);
        delays.note_overtaken(104.0, 104);
        assert_eq!(delays.second_largest(), 2.0, "one may be lost");
        // What left at its own tick and was not there then took a tick, at the least.
        delays.sent.iter_mut().for_each(|(_, at)| *at -= 30.0);
        delays.note_overtaken(105.0, 105);
        delays.note_overtaken(106.0, 106);
        assert_eq!(delays.second_largest(), 2.0 + 0.05 * 60.0);
    }

    #[test]
    fn the_ends_of_the_scale_are_bounds() {
        let mut delays = sent(100..400);
        assert_eq!(delays.note_margin(300.0, 300, i8::MIN), None);
        assert_eq!(delays.note_margin(300.0, 150, i8::MAX), Some(150.0 - 277.0));
        assert_eq!(delays.note_margin(301.0, 500, 0), None, "an input that was never sent");
    }
}
