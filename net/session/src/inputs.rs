//! From input datagrams to the one input that a tick consumes.
//!
//! A missing input repeats the last one for [`REPEAT_TICKS`], without what must be pressed anew,
//! so that a lost packet does not stop a runner; then the soldier stands still and looks where it
//! looked. Whatever arrives too late is not made up for.

use sortie_wire::input::{InputCommand, buttons};

use crate::jitter::{Arrival, JitterBuffer};

/// A missing input repeats the last one for so many ticks.
pub const REPEAT_TICKS: u32 = 10;
/// The newest input to arrive is that for so many ticks; then the next one to arrive is.
const NEWEST_COUNTS_TICKS: u32 = 128;
/// Buttons that act once per press, or cost something: a repeated input does not hold them.
const EDGES: u16 = buttons::FIRE | buttons::JUMP | buttons::THROW | buttons::MELEE;

/// Where a tick's input came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The player sent it for this tick.
    Fresh,
    /// Made from the last one, for lack of a fresh one.
    Repeated,
    /// Stand still: nothing fresh for too long, or never.
    Neutral,
}

/// What a tick consumes of one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenInput {
    /// The input; its tick is the consuming one.
    pub command: InputCommand,
    /// Where it came from.
    pub origin: Origin,
}

/// What a tick without an input of its own consumes when `last` is the newest one before it. Pure,
/// so that a client knows what the server does with the ticks that its clock skipped.
pub fn stand_in(last: &InputCommand, tick: u32) -> (InputCommand, Origin) {
    let missing = tick.saturating_sub(last.tick);
    let view_tick = last.view_tick.saturating_add(missing).min(tick);
    if missing <= REPEAT_TICKS {
        let buttons = last.buttons & !EDGES;
        return (InputCommand { tick, buttons, view_tick, ..*last }, Origin::Repeated);
    }
    let still =
        InputCommand { tick, move_right: 0, move_forward: 0, buttons: 0, view_tick, ..*last };
    (still, Origin::Neutral)
}

/// Totals of one player's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputCounters {
    /// Ticks that consumed an input sent for them.
    pub fresh: u64,
    /// Ticks that repeated the last input.
    pub repeated: u64,
    /// Ticks without any.
    pub neutral: u64,
    /// Inputs that arrived for a tick already consumed and had not been there in time either.
    pub late: u64,
    /// Inputs that were there already: the repetition that was not needed.
    pub duplicate: u64,
    /// Inputs for ticks beyond the window.
    pub early: u64,
}

impl InputCounters {
    /// Ticks that had no input of their own.
    pub fn missing(&self) -> u64 {
        self.repeated + self.neutral
    }

    /// The sums of two sessions' counters.
    pub fn plus(self, other: Self) -> Self {
        Self {
            fresh: self.fresh + other.fresh,
            repeated: self.repeated + other.repeated,
            neutral: self.neutral + other.neutral,
            late: self.late + other.late,
            duplicate: self.duplicate + other.duplicate,
            early: self.early + other.early,
        }
    }
}

/// One player's inputs in order of tick.
#[derive(Clone, Debug)]
pub struct InputQueue {
    buffer: JitterBuffer<InputCommand>,
    last: Option<InputCommand>,
    consumed: u32,
    /// The newest input that arrived, whatever was done with it, and the tick consumed by then.
    newest_arrived: Option<(u32, u32)>,
    /// Ticks whose own input was consumed, newest = bit 0 = `consumed`.
    fresh_bits: u64,
    counters: InputCounters,
}

impl InputQueue {
    /// A queue whose first input may be for the tick after `tick`.
    pub fn new(tick: u32) -> Self {
        Self {
            buffer: JitterBuffer::new(tick),
            last: None,
            consumed: tick,
            newest_arrived: None,
            fresh_bits: 0,
            counters: InputCounters::default(),
        }
    }

    /// Files one input.
    pub fn insert(&mut self, command: InputCommand) {
        match self.buffer.insert(command.tick, command) {
            Arrival::Kept => {}
            Arrival::Duplicate => self.counters.duplicate += 1,
            Arrival::Early => self.counters.early += 1,
            Arrival::Late => {
                // A repetition of what was consumed in time is no late input.
                let age = self.consumed - command.tick;
                let was_fresh = age < 64 && self.fresh_bits & (1 << age) != 0;
                let counter =
                    if was_fresh { &mut self.counters.duplicate } else { &mut self.counters.late };
                *counter += 1;
            }
        }
        // One that came too early counts, or its client would take it for late and go further
        // ahead. It does not count for ever: a client that started its clock anew, or sent
        // nonsense once, is told of what it sends now.
        let is_newest = self.newest_arrived.is_none_or(|(newest, since)| {
            command.tick > newest || self.consumed.saturating_sub(since) > NEWEST_COUNTS_TICKS
        });
        if is_newest {
            self.newest_arrived = Some((command.tick, self.consumed));
        }
    }

    /// The input of `tick`. Ticks rise from call to call.
    pub fn take(&mut self, tick: u32) -> TakenInput {
        let passed = tick.saturating_sub(self.consumed);
        self.fresh_bits = self.fresh_bits.checked_shl(passed).unwrap_or(0);
        self.consumed = tick;
        if let Some(command) = self.buffer.take(tick) {
            self.fresh_bits |= 1;
            self.last = Some(command);
            self.counters.fresh += 1;
            return TakenInput { command, origin: Origin::Fresh };
        }
        let Some(last) = self.last else {
            self.counters.neutral += 1;
            let command = InputCommand { tick, ..InputCommand::default() };
            return TakenInput { command, origin: Origin::Neutral };
        };
        let (command, origin) = stand_in(&last, tick);
        let counter = match origin {
            Origin::Repeated => &mut self.counters.repeated,
            Origin::Fresh | Origin::Neutral => &mut self.counters.neutral,
        };
        *counter += 1;
        TakenInput { command, origin }
    }

    /// How far the newest arrived input is ahead of the last consumed tick, in ticks: inputs in
    /// hand when positive, by how much they come too late when not. The least there is while none
    /// has arrived.
    pub fn margin(&self) -> i8 {
        let Some((newest, _)) = self.newest_arrived else { return i8::MIN };
        let ahead = i64::from(newest) - i64::from(self.consumed);
        ahead.clamp(i64::from(i8::MIN), i64::from(i8::MAX)) as i8
    }

    /// The newest tick consumed, fresh or not.
    pub fn consumed(&self) -> u32 {
        self.consumed
    }

    /// The tick of the newest fresh input consumed; 0 before the first.
    pub fn newest_fresh(&self) -> u32 {
        self.last.map_or(0, |last| last.tick)
    }

    /// Forgets what has arrived and waits: a resumed client starts with a clock of its own, and
    /// what it wanted before must not stand in the way of what it wants now.
    pub fn reset_arrivals(&mut self) {
        self.newest_arrived = None;
        self.buffer = JitterBuffer::new(self.consumed);
    }

    /// Totals so far.
    pub fn counters(&self) -> InputCounters {
        self.counters
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::jitter::WINDOW_TICKS;

    fn run_and_fire(tick: u32) -> InputCommand {
        InputCommand {
            tick,
            move_forward: 127,
            yaw: 77,
            buttons: buttons::FIRE | buttons::SPRINT,
            view_tick: tick.saturating_sub(5),
            ..InputCommand::default()
        }
    }

    #[test]
    fn a_missing_input_repeats_without_edges_and_then_stands_still() {
        let mut queue = InputQueue::new(0);
        assert_eq!(queue.take(1).origin, Origin::Neutral);
        queue.insert(run_and_fire(2));
        assert_eq!(queue.take(2).command, run_and_fire(2));
        for tick in 3..=12 {
            let TakenInput { command, origin } = queue.take(tick);
            assert_eq!(origin, Origin::Repeated);
            assert_eq!((command.tick, command.move_forward), (tick, 127));
            assert_eq!(command.buttons, buttons::SPRINT);
        }
        let TakenInput { command, origin } = queue.take(13);
        assert_eq!(origin, Origin::Neutral);
        assert_eq!((command.move_forward, command.yaw, command.buttons), (0, 77, 0));
    }

    #[test]
    fn the_margin_says_what_is_in_hand() {
        let mut queue = InputQueue::new(0);
        for tick in 1..=4 {
            queue.insert(run_and_fire(tick));
        }
        queue.take(1);
        assert_eq!(queue.margin(), 3);
        for tick in 2..=9 {
            queue.take(tick);
        }
        assert_eq!(queue.margin(), -5);
        queue.insert(run_and_fire(7));
        assert_eq!(queue.margin(), -2);
        assert_eq!(queue.counters().late, 1);
    }

    #[test]
    fn the_newest_input_counts_until_others_have_come_for_a_while() {
        let mut queue = InputQueue::new(0);
        assert_eq!(queue.margin(), i8::MIN);
        queue.insert(run_and_fire(u32::MAX));
        for tick in 1..=NEWEST_COUNTS_TICKS {
            queue.insert(run_and_fire(tick + 1));
            queue.take(tick);
            assert_eq!(queue.margin(), 127);
        }
        queue.take(NEWEST_COUNTS_TICKS + 1);
        queue.insert(run_and_fire(NEWEST_COUNTS_TICKS + 3));
        assert_eq!(queue.margin(), 2);
    }

    #[test]
    fn who_comes_back_starts_with_nothing_in_hand() {
        let mut queue = InputQueue::new(0);
        queue.insert(run_and_fire(9));
        queue.take(1);
        queue.reset_arrivals();
        assert_eq!(queue.margin(), i8::MIN);
        queue.insert(InputCommand { yaw: 1, ..run_and_fire(9) });
        (2..9).for_each(|tick| _ = queue.take(tick));
        assert_eq!(queue.take(9).command.yaw, 1);
    }

    proptest! {
        #[test]
        fn no_arrival_order_yields_more_than_one_own_input_a_tick(
            arrivals in vec((0u32..60, 0u32..400), 0..600),
        ) {
            let mut queue = InputQueue::new(0);
            for now in 1..=60 {
                for &(_, tick) in arrivals.iter().filter(|(at, _)| *at == now) {
                    queue.insert(run_and_fire(tick));
                }
                let TakenInput { command, origin } = queue.take(now);
                prop_assert_eq!(command.tick, now);
                let sent_in_time = arrivals.iter().any(|&(at, tick)| {
                    tick == now && at <= now && at >= 1 && tick - (at - 1) <= WINDOW_TICKS
                });
                prop_assert_eq!(origin == Origin::Fresh, sent_in_time);
            }
        }
    }
}
