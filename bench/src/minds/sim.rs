//! Minds that look at the simulation's view: for runs without a network.

use sortie_field::{Field, Pitch};
use sortie_sim::command::{Action, Buttons, Input, SpawnAt};
use sortie_sim::view::{SoldierRow, Status, View};

use super::ASK_AGAIN_TICKS;
use crate::scenario::Scenario;
use crate::walker::Walker;

/// What a player says in a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Besides the input.
    pub action: Option<Action>,
    /// What the soldier is to do.
    pub input: Option<Input>,
}

/// What minds look up together, made once a tick.
#[derive(Debug, Default)]
pub struct Surroundings {}

impl Surroundings {
    /// Takes up where everyone is.
    pub fn update(&mut self, _view: &View) {}
}

/// One player's mind.
pub struct SimMind {
    walker: Walker,
}

impl SimMind {
    /// The mind of a slot; equal arguments decide equally.
    pub fn new(scenario: Scenario, seed: u64, slot: usize, tick_hz: u32, field: &Field) -> Self {
        let _ = scenario;
        Self { walker: Walker::new(seed, slot, field.map().size_m, tick_hz) }
    }

    /// What the player does in the tick after `view`.
    pub fn decide(
        &mut self,
        own: &SoldierRow,
        view: &View,
        _field: &Field,
        _around: &Surroundings,
    ) -> Said {
        match own.status {
            Status::Waiting => Said { action: ask_to_spawn(own, view), input: None },
            Status::Alive => {
                let step = self.walker.step(own.body.pos);
                let input = Input {
                    move_right: step.right,
                    move_forward: step.forward,
                    yaw: step.yaw,
                    pitch: Pitch(0),
                    buttons: Buttons::default(),
                    weapon_slot: 0,
                    view_tick: view.tick,
                };
                Said { action: None, input: Some(input) }
            }
            Status::Down | Status::Left => Said::default(),
        }
    }
}

/// Each player asks at another tick, again and again until it is in.
fn ask_to_spawn(own: &SoldierRow, view: &View) -> Option<Action> {
    let turn = view.tick.0.wrapping_add(u32::from(own.slot.0)).is_multiple_of(ASK_AGAIN_TICKS);
    (turn && own.spawns_at.is_none())
        .then_some(Action::Spawn { at: SpawnAt::Base, class: own.class })
}
