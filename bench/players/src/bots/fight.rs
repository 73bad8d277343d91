//! Fighting: whom, when to pull the trigger, when to reload, when to throw.

use sortie_field::{Vec3, Yaw};

use super::{
    aim::{Aim, UNITS_PER_DEGREE},
    random::Random,
    view::{BotOrder, BotView, Enemy, apart_m, buttons},
};

/// Enemies looked at with a ray in one go; nearer ones first.
const RAYS_MAX: usize = 3;

/// Grenades are thrown at enemies this far away, metres.
const THROW_M: core::ops::Range<f32> = 12.0..30.0;

/// Time from the decision to throw to the throw, seconds: the arm and the view go up.
const WINDUP_S: f32 = 0.35;

/// The fighting part of a bot's mind.
#[derive(Clone, Debug, Default)]
pub(super) struct Fight {
    target: Option<u32>,
    /// The target's place in the view's list when last seen.
    hint: usize,
    is_clear: bool,
    react_at: u32,
    lost_at: u32,
    /// The trigger is held until the first, rests until the second.
    burst: (u32, u32),
    reload_until: u32,
    magazine: u16,
    weapon_slot: u8,
    is_dry: [bool; 2],
    throw_at: Option<u32>,
    next_throw: u32,
    strafe: Option<(bool, u32)>,
    crouch_until: u32,
    last_shot_wish: u32,
}

impl Fight {
    pub(super) fn weapon_slot(&self) -> u8 {
        self.weapon_slot
    }

    /// Whether an enemy is being fought, or was a moment ago.
    pub(super) fn is_engaged(&self) -> bool {
        self.target.is_some()
    }

    /// The enemy being fought, when the view shows it.
    pub(super) fn target<'a>(&mut self, view: &BotView<'a>) -> Option<&'a Enemy> {
        let id = self.target?;
        if view.enemies.get(self.hint).is_none_or(|enemy| enemy.id != id) {
            self.hint = view.enemies.iter().position(|enemy| enemy.id == id)?;
        }
        view.enemies.get(self.hint)
    }

    /// Chooses whom to fight and what to do about ammunition and grenades.
    pub(super) fn choose(&mut self, view: &BotView<'_>, aim: &mut Aim, random: &mut Random) {
        aim.shake(random);
        self.choose_target(view, aim, random);
        self.choose_weapon(view, random);
        if let Some(enemy) = self.target(view) {
            let distance_m = enemy.pos.distance(view.me.pos);
            self.plan_burst(view, distance_m, random);
            self.plan_throw(view, enemy, distance_m, random);
            if distance_m > 35.0 && view.tick >= self.crouch_until && random.chance(0.05) {
                self.crouch_until = view.after_s(random.range(1.0, 2.5));
            }
        }
    }

    fn choose_target(&mut self, view: &BotView<'_>, aim: &mut Aim, random: &mut Random) {
        let reach_m = view.me.weapon.reach_m;
        // The nearest few by insertion: lists are short, and a full sort would cost more.
        let mut nearest: [(f32, usize); RAYS_MAX] = [(f32::INFINITY, usize::MAX); RAYS_MAX];
        for (index, enemy) in view.enemies.iter().enumerate() {
            let mut cost = enemy.pos.distance(view.me.pos);
            if cost > reach_m {
                continue;
            }
            if self.target == Some(enemy.id) {
                cost *= 0.6; // Sticking to one enemy is quicker than turning to another.
            }
            let mut entry = (cost, index);
            for slot in &mut nearest {
                if entry.0 < slot.0 {
                    core::mem::swap(slot, &mut entry);
                }
            }
        }
        for &(cost, index) in &nearest {
            let Some(enemy) = view.enemies.get(index).filter(|_| cost.is_finite()) else { break };
            let chest = enemy.pos + Vec3::Y * if enemy.crouched { 0.8 } else { 1.25 };
            if view.field.line_clear(view.me.eye, chest) {
                if self.target != Some(enemy.id) {
                    self.react_at = view.after_s(aim.acquire(random));
                    self.target = Some(enemy.id);
                    self.burst = (0, 0);
                }
                (self.hint, self.is_clear) = (index, true);
                self.lost_at = view.after_s(1.2);
                return;
            }
        }
        // Out of sight: keep looking at it for a moment, then forget it.
        self.is_clear = false;
        if view.tick >= self.lost_at || self.target(view).is_none() {
            self.target = None;
        }
    }

    fn choose_weapon(&mut self, view: &BotView<'_>, random: &mut Random) {
        let me = &view.me;
        let in_hand = usize::from(me.weapon_slot.min(1));
        if me.weapon_slot == self.weapon_slot {
            self.is_dry[in_hand] = me.ammo == 0 && me.reserve == 0;
            self.magazine = self.magazine.max(me.ammo);
        } else {
            self.magazine = 0;
        }
        let is_close = self.target(view).is_some_and(|e| apart_m(e.pos, me.pos) < 15.0);
        let is_empty = me.ammo == 0 && me.weapon_slot == self.weapon_slot;
        self.weapon_slot = match (self.is_dry[0], is_empty && is_close, self.weapon_slot) {
            (true, _, _) if !self.is_dry[1] => 1,
            // Drawing the sidearm is quicker than reloading.
            (false, true, 0) if !self.is_dry[1] => 1,
            (false, false, 1) if self.target.is_none() => 0,
            (_, _, slot) => slot,
        };
        let is_calm = self.target.is_none() && view.tick > self.lost_at;
        let is_low = me.ammo < self.magazine / 2;
        let wants = me.reserve > 0 && (is_empty || (is_calm && is_low && random.chance(0.3)));
        if wants && !me.reloading {
            self.reload_until = view.after_s(0.1);
        }
    }

    fn plan_burst(&mut self, view: &BotView<'_>, distance_m: f32, random: &mut Random) {
        if view.tick < self.burst.1.max(self.react_at) {
            return;
        }
        let (hold_s, rest_s) = match distance_m {
            m if m < 15.0 => (1.2, 0.1),
            m if m < 40.0 => (0.5, 0.2),
            m if m < 80.0 => (0.3, 0.35),
            _ => (0.15, 0.5),
        };
        let hold = view.after_s(hold_s * random.range(0.7, 1.3));
        self.burst = (hold, hold + view.ticks(rest_s * random.range(0.7, 1.3)));
    }

    fn plan_throw(
        &mut self,
        view: &BotView<'_>,
        enemy: &Enemy,
        distance_m: f32,
        random: &mut Random,
    ) {
        let may = view.me.grenades > 0
            && self.throw_at.is_none()
            && view.tick >= self.next_throw
            && view.tick >= self.react_at
            && THROW_M.contains(&distance_m);
        if !may {
            return;
        }
        let beside = view.enemies.iter().filter(|other| apart_m(other.pos, enemy.pos) < 6.0);
        let probability = if beside.count() > 1 { 0.25 } else { 0.03 };
        if random.chance(probability) {
            self.throw_at = Some(view.after_s(WINDUP_S));
            self.next_throw = view.after_s(random.range(6.0, 15.0));
        }
    }

    /// How far above the enemy to aim for a throw, angle units; 0 without one.
    pub(super) fn lob(&self, view: &BotView<'_>, enemy: &Enemy) -> f32 {
        if self.throw_at.is_none() {
            return 0.0;
        }
        let weapon = &view.me.weapon;
        let reach_m = weapon.throw_mps * weapon.throw_mps / weapon.throw_gravity_mps2.max(0.1);
        // sin 2a = distance / reach; for the flat arc a is about half of that.
        let half = 0.5 * (apart_m(enemy.pos, view.me.pos) / reach_m.max(1.0)).min(1.0);
        half * 1.1 * (180.0 / core::f32::consts::PI) * UNITS_PER_DEGREE
    }

    /// Walking while fighting: sideways at close range; `None` keeps the way.
    pub(super) fn strafe(
        &mut self,
        view: &BotView<'_>,
        enemy: &Enemy,
        random: &mut Random,
    ) -> Option<Yaw> {
        let distance_m = apart_m(enemy.pos, view.me.pos);
        if !self.is_clear || distance_m > 60.0 {
            return None;
        }
        let is_left = match self.strafe {
            Some((is_left, until)) if view.tick < until => is_left,
            _ => {
                let is_left = random.chance(0.5);
                self.strafe = Some((is_left, view.after_s(random.range(0.5, 1.2))));
                is_left
            }
        };
        let facing = Yaw::towards(enemy.pos.x - view.me.pos.x, enemy.pos.z - view.me.pos.z);
        let forward = if distance_m > 25.0 { 4_096 } else { 0 };
        let turn = 16_384 - forward;
        let turn = if is_left { 0u16.wrapping_sub(turn) } else { turn };
        Some(Yaw(facing.0.wrapping_add(turn) & !1_023))
    }

    /// Buttons of the fight.
    pub(super) fn press(
        &mut self,
        view: &BotView<'_>,
        target: Option<&Enemy>,
        aim: &Aim,
        order: &mut BotOrder,
    ) {
        if view.tick < self.reload_until {
            order.buttons |= buttons::RELOAD;
        }
        let Some(enemy) = target.filter(|_| view.tick >= self.react_at) else {
            self.throw_at = None;
            return;
        };
        if let Some(at) = self.throw_at {
            if view.tick >= at && aim.is_on(6.0) {
                order.buttons |= buttons::THROW;
                self.throw_at = None;
            } else if view.tick > at + view.ticks(1.0) {
                self.throw_at = None;
            }
            return;
        }
        let distance_m = apart_m(enemy.pos, view.me.pos);
        if distance_m > 25.0 && self.is_clear {
            order.buttons |= buttons::AIM;
        }
        if view.tick < self.crouch_until && distance_m > 20.0 {
            order.buttons |= buttons::CROUCH;
        }
        // Half a body's width as an angle, and some impatience at close range.
        let slack_deg = (25.0 / distance_m.max(1.0)).clamp(0.5, 12.0);
        let ready = self.is_clear && view.me.ammo > 0 && !view.me.reloading;
        if ready && aim.is_on(slack_deg) && view.tick < self.burst.0 {
            self.pull(view, order);
        }
    }

    /// Holds the trigger of an automatic weapon, clicks that of another.
    fn pull(&mut self, view: &BotView<'_>, order: &mut BotOrder) {
        if !view.me.weapon.automatic {
            if view.tick < self.last_shot_wish + view.ticks(0.12) {
                return;
            }
            self.last_shot_wish = view.tick;
        }
        order.buttons |= buttons::FIRE;
    }
}
