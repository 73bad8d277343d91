//! Minds that look at a client's view: bots over the network. They know what their player knows.

use std::sync::Arc;

use sortie_bridge::predict::Fields;
use sortie_client::{ClientView, LocalInput};
use sortie_field::{Field, Pitch, Vec3, Yaw};
use sortie_sim::config::SimConfig;
use sortie_wire::message::{ClientMessage, SpawnAt};
use sortie_wire::state::{flags, status};

use super::arms::Arms;
use super::{ASK_AGAIN_TICKS, crush_point, eyes_m};
use crate::bots::{
    BotBrain, BotClass, BotOrder, BotRequest, BotSelf, BotStatus, BotView, Enemy, Mate, Point,
    SpawnChoice,
};
use crate::scenario::Scenario;
use crate::walker::Walker;

/// Mates farther away are not thought about, metres.
const MATES_M: f32 = 32.0;

/// Ticks between two looks at everyone who is shown: eyes are no faster.
const LOOK_EVERY: u32 = 3;

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
    scenario: Scenario,
    seed: u64,
    fields: Fields,
    /// After the first welcome.
    awake: Option<Awake>,
    /// The last view; a client predicts where it is, not where it looks.
    look: (u16, i16),
}

/// What a mind knows once it is in a battle.
struct Awake {
    field: Arc<Field>,
    arms: Arms,
    player: Player,
    enemies: Vec<Enemy>,
    mates: Vec<Mate>,
    points: Vec<Point>,
}

enum Player {
    Walker(Walker),
    Bot(Box<BotBrain>),
}

impl NetMind {
    /// The mind of a bot; it learns slot and ground from the welcome.
    pub fn new(scenario: Scenario, seed: u64, fields: Fields) -> Self {
        Self { scenario, seed, fields, awake: None, look: (0, 0) }
    }

    /// Takes up what the welcome said; a return changes nothing.
    pub fn welcome(&mut self, view: &ClientView) {
        if self.awake.is_some() {
            return;
        }
        // The client has read the same documents before it let this welcome through.
        let Ok(field) = self.fields.of(&view.map) else { return };
        let Ok(rules) = SimConfig::parse(&view.rules) else { return };
        let arms = Arms::new(&rules);
        let player = if self.scenario.is_peaceful() {
            let side_m = field.map().size_m;
            let (slot, hz) = (usize::from(view.slot), u32::from(view.tick_hz));
            Player::Walker(Walker::new(self.seed, slot, side_m, hz))
        } else {
            Player::Bot(Box::new(BotBrain::new(self.seed, view.slot)))
        };
        let (enemies, mates, points) = Default::default();
        self.awake = Some(Awake { field, arms, player, enemies, mates, points });
    }

    /// What the bot does in the next tick.
    pub fn decide(&mut self, view: &ClientView) -> Decision {
        let Some(awake) = &mut self.awake else { return Decision::default() };
        let decision = match &mut awake.player {
            Player::Walker(walker) => walk(walker, view),
            Player::Bot(brain) => {
                // Bots of a swarm look at different ticks.
                if view.tick.wrapping_add(u32::from(view.slot)).is_multiple_of(LOOK_EVERY) {
                    look_around(view, &mut awake.enemies, &mut awake.mates);
                    read_points(view, &awake.field, self.scenario, &mut awake.points);
                }
                decision(&brain.think(&BotView {
                    tick: view.tick,
                    tick_hz: u32::from(view.tick_hz),
                    me: bot_self(view, self.look, &awake.arms),
                    enemies: &awake.enemies,
                    mates: &awake.mates,
                    points: &awake.points,
                    field: &awake.field,
                }))
            }
        };
        self.look = (decision.wish.yaw, decision.wish.pitch);
        decision
    }
}

fn walk(walker: &mut Walker, view: &ClientView) -> Decision {
    if view.own.status == status::WAITING {
        let turn = view.tick.wrapping_add(u32::from(view.slot)).is_multiple_of(ASK_AGAIN_TICKS);
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

/// Everyone that the client shows.
fn look_around(view: &ClientView, enemies: &mut Vec<Enemy>, mates: &mut Vec<Mate>) {
    enemies.clear();
    mates.clear();
    let own = Vec3::from_array(view.own.pos);
    for other in view.others.iter() {
        let state = other.newest();
        if state.kind != 0 {
            continue;
        }
        let pose = view.pose(other);
        let (pos, down) = (Vec3::from_array(pose.pos), state.flags & flags::DOWN != 0);
        if state.team == view.team {
            if pos.distance_squared(own) < MATES_M * MATES_M {
                // Health travels in fifteenths.
                let health_hp = (u16::from(state.health) * 100 / 15) as u8;
                mates.push(Mate { id: other.id(), pos, down, health_hp, in_squad: false });
            }
        } else if !down {
            let crouched = state.flags & flags::CROUCHED != 0;
            let vel = Vec3::from_array(pose.vel);
            enemies.push(Enemy { id: other.id(), pos, vel, crouched });
        }
    }
}

fn read_points(view: &ClientView, field: &Field, scenario: Scenario, points: &mut Vec<Point>) {
    points.clear();
    if scenario == Scenario::Crush {
        points.push(crush_point(field));
        return;
    }
    let told = field.map().points.iter().zip(view.round.points.iter());
    points.extend(told.map(|(place, told)| Point {
        pos: place.pos,
        radius_m: place.radius_m,
        owner: told.owner,
        contested: told.inside[0] > 0 && told.inside[1] > 0,
    }));
}

fn bot_self(view: &ClientView, (yaw, pitch): (u16, i16), arms: &Arms) -> BotSelf {
    let own = &view.own;
    let pos = Vec3::from_array(own.pos);
    BotSelf {
        status: match own.status {
            status::ALIVE => BotStatus::Alive,
            status::DOWN => BotStatus::Down,
            _ => BotStatus::Waiting,
        },
        team: view.team,
        class: BotClass::from_index(own.class),
        pos,
        vel: Vec3::from_array(own.vel),
        eye: pos + Vec3::Y * eyes_m(own.crouched),
        yaw: Yaw(yaw),
        pitch: Pitch(pitch),
        health_hp: own.health_hp,
        ammo: own.ammo,
        reserve: own.reserve,
        grenades: own.grenades,
        reloading: own.reloading,
        weapon_slot: own.weapon_slot,
        weapon: arms.of(own.weapon, own.class),
    }
}

/// A bot's order as a client sends it.
fn decision(order: &BotOrder) -> Decision {
    let wish = LocalInput {
        move_right: order.move_right,
        move_forward: order.move_forward,
        yaw: order.yaw,
        pitch: order.pitch,
        buttons: order.buttons,
        weapon_slot: order.weapon_slot,
    };
    let message = order.request.map(|request| match request {
        BotRequest::Spawn { at, class } => {
            let at = match at {
                SpawnChoice::Base => SpawnAt::Base,
                SpawnChoice::Point(point) => SpawnAt::Point(point),
                SpawnChoice::Squad => SpawnAt::Squad,
            };
            ClientMessage::Spawn { at, class: class.index() }
        }
        BotRequest::GiveUp => ClientMessage::GiveUp,
        BotRequest::JoinSquad => ClientMessage::JoinSquad,
        BotRequest::Spot => ClientMessage::Spot,
    });
    Decision { wish, message }
}
