//! The jitter buffer: inputs wait here for the tick that they are meant for.
//!
//! Rules. An input is consumed in its own tick or never; one is consumed per tick; what arrives
//! for a tick already taken is late and dropped. So a player who holds inputs back and sends them
//! in a burst gains nothing: each still moves the soldier once, in its own tick, or not at all.

/// Inputs are taken for at most this many ticks after the newest taken one.
pub const WINDOW_TICKS: u32 = sortie_wire::limits::INPUT_WINDOW_TICKS;

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Waits for its tick.
    Kept,
    /// Its tick already holds an input; the first one counts.
    Duplicate,
    /// Its tick has been taken.
    Late,
    /// Its tick lies beyond the window.
    Early,
}

/// A ring of [`WINDOW_TICKS`] inputs indexed by tick.
#[derive(Clone, Debug)]
pub struct JitterBuffer<I> {
    slots: [Option<(u32, I)>; WINDOW_TICKS as usize],
    /// The last tick taken: inputs count from the next one on.
    taken: u32,
}

impl<I: Copy> JitterBuffer<I> {
    /// A buffer whose first input may be for the tick after `tick`.
    pub fn new(tick: u32) -> Self {
        Self { slots: [None; WINDOW_TICKS as usize], taken: tick }
    }

    /// Files an input under its tick.
    pub fn insert(&mut self, tick: u32, input: I) -> Arrival {
        if tick <= self.taken {
            return Arrival::Late;
        }
        if tick - self.taken > WINDOW_TICKS {
            return Arrival::Early;
        }
        let slot = &mut self.slots[(tick % WINDOW_TICKS) as usize];
        if slot.is_some_and(|(held, _)| held == tick) {
            return Arrival::Duplicate;
        }
        *slot = Some((tick, input));
        Arrival::Kept
    }

    /// The input for `tick`, if it arrived in time. Ticks are taken in rising order; those
    /// skipped are gone.
    pub fn take(&mut self, tick: u32) -> Option<I> {
        debug_assert!(tick > self.taken || self.taken == 0, "tick {tick} taken twice");
        self.taken = tick;
        let slot = &mut self.slots[(tick % WINDOW_TICKS) as usize];
        slot.take_if(|(held, _)| *held == tick).map(|(_, input)| input)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn an_input_waits_for_its_tick() {
        let mut buffer = JitterBuffer::new(10);
        assert_eq!(buffer.insert(12, 'b'), Arrival::Kept);
        assert_eq!(buffer.insert(11, 'a'), Arrival::Kept);
        assert_eq!(buffer.insert(11, 'x'), Arrival::Duplicate);
        assert_eq!(buffer.take(11), Some('a'));
        assert_eq!(buffer.take(12), Some('b'));
        assert_eq!(buffer.take(13), None);
        assert_eq!(buffer.insert(13, 'c'), Arrival::Late);
    }

    #[test]
    fn the_window_is_bounded() {
        let mut buffer = JitterBuffer::new(100);
        assert_eq!(buffer.insert(100 + WINDOW_TICKS, ()), Arrival::Kept);
        assert_eq!(buffer.insert(101 + WINDOW_TICKS, ()), Arrival::Early);
        assert_eq!(buffer.insert(u32::MAX, ()), Arrival::Early);
        assert_eq!(buffer.take(101), None);
    }

    #[test]
    fn a_lag_switch_burst_gains_nothing() {
        // Two seconds of silence, then everything held back at once.
        let mut buffer = JitterBuffer::new(0);
        for tick in 1..=120 {
            assert_eq!(buffer.take(tick), None);
        }
        for tick in 1..=120 {
            assert_eq!(buffer.insert(tick, tick), Arrival::Late);
        }
        assert!((121..=240).all(|tick| buffer.take(tick).is_none()));
    }

    proptest! {
        #[test]
        fn each_tick_gives_at_most_its_own_input_once(
            steps in vec((any::<bool>(), 0u32..400), 1..400),
        ) {
            let mut buffer = JitterBuffer::new(0);
            let mut tick = 0;
            let mut kept = 0;
            let mut taken = 0;
            for (take, offset) in steps {
                if take {
                    tick += 1;
                    if let Some(input) = buffer.take(tick) {
                        prop_assert_eq!(input, tick);
                        taken += 1;
                    }
                } else {
                    let meant_for = tick.saturating_sub(16) + offset;
                    let arrival = buffer.insert(meant_for, meant_for);
                    kept += u32::from(arrival == Arrival::Kept);
                    prop_assert_eq!(arrival == Arrival::Late, meant_for <= tick);
                    prop_assert_eq!(arrival == Arrival::Early, meant_for > tick + WINDOW_TICKS);
                }
            }
            prop_assert!(taken <= kept && taken <= tick);
        }
    }
}
