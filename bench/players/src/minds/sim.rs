//! Minds that look at the simulation's view: for runs without a network.
//!
//! What a bot knows here is who is near; whether it *sees* an enemy its brain finds out itself, by
//! rays. That is more than a client knows, and costs no visibility pass.

use sortie_field::body::Stance;
use sortie_field::{Field, Pitch, Vec3, Yaw};
use sortie_sim::command::{Action, Buttons, Input, SpawnAt};
use sortie_sim::config::SimConfig;
use sortie_sim::id::{Class, PointId};
use sortie_sim::view::{SoldierRow, Status, View};

use super::arms::Arms;
use super::nearby::Nearby;
use super::{ASK_AGAIN_TICKS, crush_point, eyes_m};
use crate::bots::{
    BotBrain, BotClass, BotOrder, BotRequest, BotSelf, BotStatus, BotView, Enemy, Mate, Point,
    SpawnChoice, THINK_EVERY,
};
use crate::scenario::Scenario;
use crate::walker::{Step, Walker};

/// Nobody farther away is thought about, metres.
const NEAR_M: f32 = 150.0;

/// Mates farther away are not thought about, metres.
const MATES_M: f32 = 32.0;

/// Enemies and mates that a bot keeps in mind, nearest first.
const ENEMIES_MAX: usize = 12;
const MATES_MAX: usize = 8;

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
pub struct Surroundings {
    scenario: Scenario,
    tick_hz: u32,
    arms: Arms,
    nearby: Nearby,
    points: Vec<Point>,
}

impl Surroundings {
    /// Of a battle by these rules; nobody is there yet.
    pub fn new(scenario: Scenario, rules: &SimConfig) -> Self {
        let (tick_hz, arms) = (u32::from(rules.tick_hz), Arms::new(rules));
        Self { scenario, tick_hz, arms, ..Self::default() }
    }

    /// Takes up where everyone is.
    pub fn update(&mut self, view: &View, field: &Field) {
        let soldiers = view.soldiers.iter().filter(|row| is_in_field(row));
        self.nearby.update(field.map().size_m, soldiers.map(|row| (row.slot.0, row.body.pos)));
        self.points.clear();
        if self.scenario == Scenario::Crush {
            self.points.push(crush_point(field));
            return;
        }
        let known = field.map().points.iter().zip(&view.points);
        self.points.extend(known.map(|(place, row)| Point {
            pos: place.pos,
            radius_m: place.radius_m,
            owner: row.owner.map(|team| team as u8),
            contested: row.inside[0] > 0 && row.inside[1] > 0,
        }));
    }
}

fn is_in_field(row: &SoldierRow) -> bool {
    matches!(row.status, Status::Alive | Status::Down)
}

/// One player's mind.
pub enum SimMind {
    /// Walks about.
    Walker(Walker),
    /// Fights.
    Bot(Box<Fighter>),
}

/// A bot and whom it has in mind.
pub struct Fighter {
    brain: BotBrain,
    /// Squared distance and slot.
    candidates: Vec<(f32, u16)>,
    enemy_slots: Vec<u16>,
    mate_slots: Vec<u16>,
    enemies: Vec<Enemy>,
    mates: Vec<Mate>,
}

impl SimMind {
    /// The mind of a slot; equal arguments decide equally.
    pub fn new(scenario: Scenario, seed: u64, slot: usize, tick_hz: u32, field: &Field) -> Self {
        if scenario.is_peaceful() {
            return Self::Walker(Walker::new(seed, slot, field.map().size_m, tick_hz));
        }
        Self::Bot(Box::new(Fighter {
            brain: BotBrain::new(seed, slot as u16),
            candidates: Vec::new(),
            enemy_slots: Vec::with_capacity(ENEMIES_MAX),
            mate_slots: Vec::with_capacity(MATES_MAX),
            enemies: Vec::with_capacity(ENEMIES_MAX),
            mates: Vec::with_capacity(MATES_MAX),
        }))
    }

    /// What the player does in the tick after `view`.
    pub fn decide(
        &mut self,
        own: &SoldierRow,
        view: &View,
        field: &Field,
        around: &Surroundings,
    ) -> Said {
        match self {
            Self::Walker(walker) => walk(walker, own, view),
            Self::Bot(fighter) => fighter.decide(own, view, field, around),
        }
    }
}

fn walk(walker: &mut Walker, own: &SoldierRow, view: &View) -> Said {
    match own.status {
        Status::Waiting => Said { action: ask_to_spawn(own, view), input: None },
        Status::Alive => {
            let Step { right, forward, yaw } = walker.step(own.body.pos);
            let input = Input {
                move_right: right,
                move_forward: forward,
                yaw,
                view_tick: view.tick,
                ..Input::default()
            };
            Said { action: None, input: Some(input) }
        }
        Status::Down | Status::Left => Said::default(),
    }
}

/// Each player asks at another tick, again and again until it is in.
fn ask_to_spawn(own: &SoldierRow, view: &View) -> Option<Action> {
    let turn = view.tick.0.wrapping_add(u32::from(own.slot.0)).is_multiple_of(ASK_AGAIN_TICKS);
    (turn && own.spawns_at.is_none())
        .then_some(Action::Spawn { at: SpawnAt::Base, class: own.class })
}

impl Fighter {
    fn decide(
        &mut self,
        own: &SoldierRow,
        view: &View,
        field: &Field,
        around: &Surroundings,
    ) -> Said {
        if own.status == Status::Left {
            return Said::default();
        }
        if own.status == Status::Alive {
            // In step with the brain's own turns, so that it chooses from a fresh look.
            let turn = view.tick.0.wrapping_add(u32::from(own.slot.0).wrapping_mul(5));
            if turn.is_multiple_of(THINK_EVERY) || self.enemies.is_empty() {
                self.look_around(own, view, around);
            }
            self.refresh(own, view);
        }
        let order = self.brain.think(&BotView {
            tick: view.tick.0,
            tick_hz: around.tick_hz,
            me: bot_self(own, &around.arms),
            enemies: &self.enemies,
            mates: &self.mates,
            points: &around.points,
            field,
        });
        said(&order, own, view)
    }

    /// Chooses whom to have in mind until the next look.
    fn look_around(&mut self, own: &SoldierRow, view: &View, around: &Surroundings) {
        let pos = own.body.pos;
        for (of, radius_m, max, slots) in [
            (own.team.other(), NEAR_M, ENEMIES_MAX, &mut self.enemy_slots),
            (own.team, MATES_M, MATES_MAX, &mut self.mate_slots),
        ] {
            self.candidates.clear();
            self.candidates.extend(around.nearby.near(pos, radius_m).filter_map(|slot| {
                let row = &view.soldiers[usize::from(slot)];
                let distance = row.body.pos.distance_squared(pos);
                let wanted = row.team == of && slot != own.slot.0 && distance < radius_m * radius_m;
                (wanted && (of == own.team || row.status == Status::Alive))
                    .then_some((distance, slot))
            }));
            let order = |a: &(f32, u16), b: &(f32, u16)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            if self.candidates.len() > max {
                self.candidates.select_nth_unstable_by(max - 1, order);
                self.candidates.truncate(max);
            }
            self.candidates.sort_unstable_by(order);
            slots.clear();
            slots.extend(self.candidates.iter().map(|(_, slot)| *slot));
        }
    }

    /// Where those in mind are now.
    fn refresh(&mut self, own: &SoldierRow, view: &View) {
        self.enemies.clear();
        let enemies = self.enemy_slots.iter().map(|&slot| &view.soldiers[usize::from(slot)]);
        self.enemies.extend(enemies.filter(|row| row.status == Status::Alive).map(|row| Enemy {
            id: u32::from(row.slot.0),
            pos: row.body.pos,
            vel: row.body.vel,
            crouched: row.body.stance == Stance::Crouched,
        }));
        self.mates.clear();
        let mates = self.mate_slots.iter().map(|&slot| &view.soldiers[usize::from(slot)]);
        self.mates.extend(mates.filter(|row| is_in_field(row)).map(|row| Mate {
            id: u32::from(row.slot.0),
            pos: row.body.pos,
            down: row.status == Status::Down,
            health_hp: row.health_hp,
            in_squad: row.squad.is_some() && row.squad == own.squad,
        }));
    }
}

fn bot_self(own: &SoldierRow, arms: &Arms) -> BotSelf {
    let crouched = own.body.stance == Stance::Crouched;
    BotSelf {
        status: match own.status {
            Status::Alive => BotStatus::Alive,
            Status::Down => BotStatus::Down,
            Status::Waiting | Status::Left => BotStatus::Waiting,
        },
        team: own.team as u8,
        class: BotClass::from_index(own.class as u8),
        pos: own.body.pos,
        vel: own.body.vel,
        eye: own.body.pos + Vec3::Y * eyes_m(crouched),
        yaw: own.yaw,
        pitch: own.pitch,
        health_hp: own.health_hp,
        ammo: own.ammo,
        reserve: own.reserve,
        grenades: own.grenades,
        reloading: own.reloading,
        weapon_slot: own.weapon_slot,
        weapon: arms.of(own.weapon.0, own.class as u8),
    }
}

/// A bot's order as a player's commands.
fn said(order: &BotOrder, own: &SoldierRow, view: &View) -> Said {
    let input = Input {
        move_right: order.move_right,
        move_forward: order.move_forward,
        yaw: Yaw(order.yaw),
        pitch: Pitch(order.pitch),
        buttons: Buttons(order.buttons),
        weapon_slot: order.weapon_slot,
        view_tick: view.tick,
    };
    let class = |class: BotClass| Class::from_index(class.index()).unwrap_or_default();
    let action = order.request.map(|request| match request {
        BotRequest::Spawn { at, class: wanted } => {
            let at = match at {
                SpawnChoice::Base => SpawnAt::Base,
                SpawnChoice::Point(point) => SpawnAt::Point(PointId(point)),
                SpawnChoice::Squad => SpawnAt::Squad,
            };
            Action::Spawn { at, class: class(wanted) }
        }
        BotRequest::GiveUp => Action::GiveUp,
        BotRequest::JoinSquad => Action::JoinSquad,
        BotRequest::Spot => Action::Spot,
    });
    Said { action, input: (own.status == Status::Alive).then_some(input) }
}
