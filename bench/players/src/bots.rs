//! Bots: players without a person.
//!
//! A [`BotBrain`] decides from what its player could know ([`BotView`]) and answers with what its
//! player could do ([`BotOrder`]). It knows no simulation and no wire, so that the same bots play
//! headless and over the network. Bots are a load and an opponent, not a champion: they react as
//! late as people do, and aim as badly.
//!
//! Thinking costs: what is expensive (rays, choices) is done every [`THINK_EVERY`] ticks, at
//! another tick for each slot; in between a bot turns, walks and fires on. Decisions depend on the
//! seed, the slot and the views alone.

mod aim;
mod duty;
mod fight;
mod goal;
mod random;
mod steer;
mod view;

#[cfg(test)]
mod tests;

pub use view::{
    BotClass, BotOrder, BotRequest, BotSelf, BotStatus, BotView, BotWeapon, Enemy, Mate, Point,
    SpawnChoice, buttons,
};

use aim::Aim;
use duty::Duty;
use fight::Fight;
use goal::Goal;
use random::Random;
use sortie_field::Yaw;
use steer::Steer;

/// A bot looks around and chooses once in so many ticks.
pub const THINK_EVERY: u32 = 8;

/// One bot's mind.
#[derive(Clone, Debug)]
pub struct BotBrain {
    slot: u16,
    random: Random,
    aim: Aim,
    duty: Duty,
    fight: Fight,
    goal: Goal,
    steer: Steer,
    was_alive: bool,
    /// Earliest tick of the next request to spawn or to give up.
    ask_at: u32,
}

impl BotBrain {
    /// A bot; the same seed, slot and views give the same orders.
    pub fn new(seed: u64, slot: u16) -> Self {
        let mut random =
            Random::new(seed ^ (u64::from(slot) + 1).wrapping_mul(0xd1b5_4a32_d192_ed03));
        Self {
            slot,
            aim: Aim::new(&mut random),
            duty: Duty::default(),
            fight: Fight::default(),
            goal: Goal::new(seed, slot),
            steer: Steer::new(&mut random),
            random,
            was_alive: false,
            ask_at: 0,
        }
    }

    /// What the bot does in this tick. Call it once a tick, with ticks that never go back.
    pub fn think(&mut self, view: &BotView<'_>) -> BotOrder {
        let mut order = BotOrder {
            yaw: view.me.yaw.0,
            pitch: view.me.pitch.0,
            weapon_slot: self.fight.weapon_slot(),
            ..BotOrder::default()
        };
        if view.me.status != BotStatus::Alive {
            order.request = self.wait(view);
            self.was_alive = false;
            return order;
        }
        if !self.was_alive {
            self.start_life(view);
        }
        let turn = view.tick.wrapping_add(u32::from(self.slot).wrapping_mul(5));
        if turn.is_multiple_of(THINK_EVERY) {
            self.choose(view);
        }
        self.act(view, &mut order);
        order
    }

    fn start_life(&mut self, view: &BotView<'_>) {
        self.was_alive = true;
        self.aim.start(view.me.yaw, view.me.pitch);
        self.fight = Fight::default();
        self.duty.start_life(view);
        self.goal.forget();
        self.steer.start(view);
        self.choose(view);
    }

    /// Dead or down: asks to come back.
    fn wait(&mut self, view: &BotView<'_>) -> Option<BotRequest> {
        if self.was_alive {
            // A downed soldier hopes for a medic for a while; a dead one takes a breath.
            let patience_s = match view.me.status {
                BotStatus::Down => self.random.range(6.0, 14.0),
                _ => self.random.range(0.2, 1.0),
            };
            self.ask_at = view.after_s(patience_s);
        }
        if view.tick < self.ask_at {
            return None;
        }
        self.ask_at = view.after_s(self.random.range(1.5, 2.5));
        Some(match view.me.status {
            BotStatus::Down => BotRequest::GiveUp,
            _ => {
                let at = self.goal.spawn_place(view, &mut self.random);
                BotRequest::Spawn { at, class: self.duty.class(self.slot) }
            }
        })
    }

    /// The expensive part: whom to fight, where to go, what stands in the way.
    fn choose(&mut self, view: &BotView<'_>) {
        self.fight.choose(view, &mut self.aim, &mut self.random);
        self.duty.choose(view, self.fight.is_engaged(), &mut self.random);
        let target = self.fight.target(view);
        let destination = match self.duty.patient(view) {
            Some((pos, is_there)) if target.is_none() => (!is_there).then_some(pos),
            _ => self.goal.choose(view, target, &mut self.random),
        };
        self.steer.choose(view, destination, &mut self.random);
    }

    /// The cheap part: turn, walk, fire.
    fn act(&mut self, view: &BotView<'_>, order: &mut BotOrder) {
        let target = self.fight.target(view);
        self.steer.watch_progress(view, &mut self.random);
        let heading = self.steer.heading();
        match target {
            Some(enemy) => self.aim.follow(view, enemy, self.fight.lob(view, enemy)),
            None => self.aim.look(view, heading.or_else(|| self.goal.glance(view))),
        }
        let (yaw, pitch) = self.aim.view();
        (order.yaw, order.pitch) = (yaw.0, pitch.0);
        let strafe = target.and_then(|enemy| self.fight.strafe(view, enemy, &mut self.random));
        walk(order, strafe.or(heading), yaw);
        self.fight.press(view, target, &self.aim, order);
        self.duty.press(view, target.is_some(), order);
        if self.steer.jumps(view) {
            order.buttons |= buttons::JUMP;
        }
        let sprints = target.is_none()
            && order.move_forward > 0
            && order.move_right == 0
            && self.goal.is_far(view)
            && order.buttons & (buttons::CROUCH | buttons::USE | buttons::RELOAD) == 0;
        if sprints {
            order.buttons |= buttons::SPRINT;
        }
        order.weapon_slot = self.fight.weapon_slot();
        order.request = self.duty.request(view, target.is_some());
    }
}

/// Walks along `heading` while looking along `yaw`, by the nearest of eight directions: inputs
/// that repeat are small on the wire and in the journal.
fn walk(order: &mut BotOrder, heading: Option<Yaw>, yaw: Yaw) {
    let Some(heading) = heading else { return };
    let eighth = (heading.0.wrapping_sub(yaw.0).wrapping_add(4_096)) >> 13;
    let (right, forward) = [
        (0, 127),
        (127, 127),
        (127, 0),
        (127, -127),
        (0, -127),
        (-127, -127),
        (-127, 0),
        (-127, 127),
    ][usize::from(eighth)];
    (order.move_right, order.move_forward) = (right, forward);
}
