//! Minds that look at a client's view: bots over the network.

use std::sync::Arc;

use sortie_client::{ClientView, LocalInput};
use sortie_field::map::Map;
use sortie_field::{Field, Vec3};
use sortie_wire::message::{ClientMessage, SpawnAt};
use sortie_wire::state::status;

use super::ASK_AGAIN_TICKS;
use crate::scenario::Scenario;
use crate::walker::Walker;

/// What a bot does in a tick.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// What its soldier is to do.
    pub wish: LocalInput,
    /// What it says besides.
    pub message: Option<ClientMessage>,
}

/// One bot's mind.
pub struct NetMind {
    seed: u64,
    number: usize,
    /// Known after the first welcome.
    walker: Option<Walker>,
}

impl NetMind {
    /// The mind of a bot; it learns the ground from the welcome.
    pub fn new(_scenario: Scenario, seed: u64, number: usize) -> Self {
        Self { seed, number, walker: None }
    }

    /// Takes up what the welcome said.
    pub fn welcome(&mut self, view: &ClientView) {
        let Ok(map) = Map::parse(&view.map) else { return };
        let hz = u32::from(view.tick_hz);
        let _: Option<Arc<Field>> = None;
        self.walker.get_or_insert_with(|| Walker::new(self.seed, self.number, map.size_m, hz));
    }

    /// What the bot does in the next tick.
    pub fn decide(&mut self, view: &ClientView) -> Decision {
        let Some(walker) = &mut self.walker else { return Decision::default() };
        if view.own.status == status::WAITING {
            let turn = view.tick.wrapping_add(self.number as u32).is_multiple_of(ASK_AGAIN_TICKS);
            let ask = turn && view.own.spawns_at.is_none();
            let message = ClientMessage::Spawn { at: SpawnAt::Base, class: view.own.class };
            return Decision { message: ask.then_some(message), ..Decision::default() };
        }
        let step = walker.step(Vec3::from_array(view.own.pos));
        let wish = LocalInput {
            move_right: step.right,
            move_forward: step.forward,
            yaw: step.yaw.0,
            ..LocalInput::default()
        };
        Decision { wish, message: None }
    }
}
