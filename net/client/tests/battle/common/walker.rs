//! A player who runs about: turns, sprints, jumps, crouches, stops.

use sortie_client::{ClientView, LocalInput};
use sortie_link_sim::Rng;
use sortie_wire::input::buttons;

pub(crate) struct Walker {
    rng: Rng,
    wish: LocalInput,
    turn: i16,
}

impl Walker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), wish: LocalInput::default(), turn: 0 }
    }

    pub(crate) fn wish(&mut self, _view: &ClientView) -> LocalInput {
        if self.rng.below(30) == 0 {
            self.turn = self.rng.below(1_200) as i16 - 600;
            self.wish.move_forward = [127, 127, 127, 0, -127][self.rng.below(5) as usize];
            self.wish.move_right = [0, 0, 127, -127, 60][self.rng.below(5) as usize];
            let held = [0, 0, buttons::SPRINT, buttons::SPRINT, buttons::CROUCH];
            self.wish.buttons = held[self.rng.below(5) as usize];
        }
        self.wish.yaw = self.wish.yaw.wrapping_add(self.turn as u16);
        let jump = if self.rng.below(60) == 0 { buttons::JUMP } else { 0 };
        LocalInput { buttons: self.wish.buttons | jump, ..self.wish }
    }
}
