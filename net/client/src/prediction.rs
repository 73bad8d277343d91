//! The own soldier, ahead of the server: predict, compare, replay.

use sortie_session::{
    client::ClientSession,
    inputs::stand_in,
    predict::{Neighbour, Predict},
};
use sortie_wire::{
    input::InputCommand,
    state::{SelfState, status},
};

use crate::corrections::Corrections;

/// Predicted ticks remembered; as many as inputs.
const PREDICTED: usize = sortie_session::client::INPUTS_REMEMBERED as usize;
/// Share of the shown error that remains after each tick: gone in a tenth of a second.
const SMOOTHING: f32 = 0.7;
/// An error larger than this is shown at once, metres: sliding would look worse.
const SMOOTH_MAX_M: f32 = 2.0;

/// Predicted states by tick, and what the server made of them.
#[derive(Debug)]
pub(crate) struct Prediction {
    /// Index = tick modulo the length.
    states: Vec<Option<(u32, SelfState)>>,
    /// The newest predicted tick.
    head: Option<u32>,
    last_input: Option<InputCommand>,
    /// The newest tick that the server confirmed or corrected.
    confirmed: u32,
    /// Shown position minus predicted position; decays.
    offset_m: [f32; 3],
    pub(crate) corrections: Corrections,
}

impl Default for Prediction {
    fn default() -> Self {
        Self {
            states: vec![None; PREDICTED],
            head: None,
            last_input: None,
            confirmed: 0,
            offset_m: [0.0; 3],
            corrections: Corrections::default(),
        }
    }
}

impl Prediction {
    /// Forgets all states (a new session); the statistics stay.
    pub(crate) fn restart(&mut self) {
        self.states.fill(None);
        self.head = None;
        self.last_input = None;
        self.confirmed = 0;
        self.offset_m = [0.0; 3];
    }

    /// The newest predicted state, or the server's when nothing is predicted.
    pub(crate) fn own(&self) -> Option<&SelfState> {
        self.at(self.head?)
    }

    /// Where the own soldier is shown, metres.
    pub(crate) fn shown_pos(&self) -> Option<[f32; 3]> {
        let own = self.own()?;
        Some(std::array::from_fn(|axis| own.pos[axis] + self.offset_m[axis]))
    }

    fn at(&self, tick: u32) -> Option<&SelfState> {
        let (at, state) = self.states[tick as usize % PREDICTED].as_ref()?;
        (*at == tick).then_some(state)
    }

    fn put(&mut self, tick: u32, state: SelfState) {
        self.states[tick as usize % PREDICTED] = Some((tick, state));
    }

    /// Plays the own tick of `input`.
    pub(crate) fn advance(
        &mut self,
        predictor: &mut impl Predict,
        input: &InputCommand,
        neighbours: &[Neighbour],
    ) {
        for axis in &mut self.offset_m {
            *axis *= SMOOTHING;
        }
        let (Some(head), Some(&before)) = (self.head, self.own()) else {
            self.last_input = Some(*input);
            return;
        };
        let mut state = before;
        let last = self.last_input.replace(*input);
        let oldest = input.tick.saturating_sub(PREDICTED as u32);
        for tick in (head + 1).max(oldest)..input.tick {
            // The clock skipped this tick.
            predictor.step(&mut state, &without_input(last.as_ref(), tick), neighbours);
            self.put(tick, state);
        }
        predictor.step(&mut state, input, neighbours);
        self.put(input.tick, state);
        self.head = Some(input.tick);
    }

    /// The server says what the own soldier was at `tick`, after it had consumed the input of tick
    /// `consumed` as the newest: compares, and plays the inputs since then again from there.
    pub(crate) fn reconcile(
        &mut self,
        predictor: &mut impl Predict,
        session: &ClientSession,
        (tick, consumed): (u32, u32),
        truth: &SelfState,
        neighbours: &[Neighbour],
    ) {
        let last_played = session.clock().next_tick().saturating_sub(1);
        let shown_before = self.shown_pos();
        let guess = self.at(tick).copied();
        self.note_correction(guess.as_ref(), tick, truth);
        self.confirmed = tick;
        if guess.as_ref() == Some(truth) {
            return;
        }
        self.put(tick, *truth);
        let mut state = *truth;
        // What the server consumed last is what it repeats in ticks without an input of their own.
        let mut last = session.input(consumed).copied();
        for replayed in tick + 1..=last_played {
            let own = session.input(replayed).copied();
            last = own.or(last);
            let input = own.unwrap_or_else(|| without_input(last.as_ref(), replayed));
            predictor.step(&mut state, &input, neighbours);
            self.put(replayed, state);
        }
        self.head = Some(last_played.max(tick));
        self.smooth(shown_before);
    }

    fn note_correction(&mut self, guess: Option<&SelfState>, tick: u32, truth: &SelfState) {
        let status_before = self.at(self.confirmed).map(|state| state.status);
        let Some(guess) = guess else {
            self.corrections.note_unpredicted();
            return;
        };
        if tick <= self.confirmed || status_before != Some(truth.status) {
            self.corrections.note_decree();
        } else if truth.status == status::ALIVE {
            self.corrections.note(distance_m(guess.pos, truth.pos));
        }
    }

    /// Keeps showing the soldier where it was, and lets the difference fade.
    fn smooth(&mut self, shown_before: Option<[f32; 3]>) {
        let (Some(before), Some(own)) = (shown_before, self.own()) else { return };
        let offset_m: [f32; 3] = std::array::from_fn(|axis| before[axis] - own.pos[axis]);
        let far = offset_m.iter().map(|axis| axis * axis).sum::<f32>().sqrt() > SMOOTH_MAX_M;
        self.offset_m = if far { [0.0; 3] } else { offset_m };
    }
}

/// What the server consumes in a tick that has no input of its own: the one before, for a while.
fn without_input(last: Option<&InputCommand>, tick: u32) -> InputCommand {
    let neutral = InputCommand { tick, ..InputCommand::default() };
    last.map_or(neutral, |last| stand_in(last, tick).0)
}

fn distance_m(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
}
