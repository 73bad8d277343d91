//! What flies: rockets, grenades. They live in the present and sweep their way each tick.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;

use super::bodies::Bodies;
use super::buffers::{Combat, Launch, Launched};
use super::shape::{BODY_RADIUS_M, meet};
use crate::components::{Prop, PropTable};
use crate::config::{Gadget, SimConfig, WeaponSpec};
use crate::event::Event;
use crate::id::{EntityId, WeaponId};
use crate::transient::{Cause, EventLog, Wound, Wounds};
use crate::view::PropKind;
use crate::world::{Clock, Ground, Rules};

/// Props in the field at most. The oldest of a player who sets down too much would be in the way
/// of nobody, but a list without a limit is one.
const PROPS_MAX: usize = 4_096;
/// Slower than this, what lies on the ground stays there, m/s.
const REST_MPS: f32 = 0.6;
/// What bounces loses so much of its speed along the wall.
const FRICTION: f32 = 0.85;
/// Things stop so far before what they meet, metres.
const SKIN_M: f32 = 0.02;
/// A blast begins so far above the ground, and looks for chests so far above feet, metres.
const BLAST_LIFT_M: f32 = 0.2;
const CHEST_M: f32 = 1.0;

/// The only place where props' entities are made.
pub(super) fn launch_props(world: &mut World) {
    let launches = std::mem::take(&mut world.resource_mut::<Combat>().launches);
    for launch in &launches {
        if world.resource::<PropTable>().rows().len() >= PROPS_MAX {
            break;
        }
        let prop = prop_of(launch, world.resource_mut::<PropTable>().reserve(), world);
        if let Launched::Weapon { kind: PropKind::Projectile, weapon } = launch.what {
            let (shooter, origin, end) = (launch.owner, launch.pos, launch.pos + launch.vel);
            let shot = Event::Shot { shooter, weapon, origin, end };
            world.resource_mut::<EventLog>().0.push(shot);
        }
        let entity = world.spawn(prop).id();
        world.resource_mut::<PropTable>().insert(prop.id, entity);
    }
    world.resource_mut::<Combat>().launches = launches;
}

fn prop_of(launch: &Launch, id: EntityId, world: &World) -> Prop {
    let rules = &world.resource::<Rules>().0;
    let (kind, weapon, radius_m, charges) = match launch.what {
        Launched::Weapon { kind, weapon } => (kind, weapon, rules.weapon(weapon).splash_m, 0),
        Launched::Gadget(gadget) => {
            let (radius_m, charges) = match gadget {
                Gadget::Medkit => (rules.combat.kit_m, rules.combat.medkit_hp),
                Gadget::AmmoBox => (rules.combat.kit_m, rules.combat.ammo_magazines),
                Gadget::Sensor => (rules.combat.sensor_m, 0),
            };
            (gadget.kind(), WeaponId::default(), radius_m, charges)
        }
    };
    let Launch { owner, team, pos, vel, ends_at, .. } = *launch;
    Prop { id, kind, owner, team, weapon, pos, vel, ends_at, radius_m, charges, scored: 0 }
}

pub(super) fn fly_props(
    mut commands: Commands,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    bodies: Res<Bodies>,
    mut props: Query<&mut Prop>,
    mut table: ResMut<PropTable>,
    mut wounds: ResMut<Wounds>,
    mut events: ResMut<EventLog>,
    mut ended: Local<Vec<EntityId>>,
) {
    let air = Air { ground: &ground, rules: &rules, clock: &clock };
    ended.clear();
    for &(id, entity) in table.rows() {
        let Ok(mut prop) = props.get_mut(entity) else { continue };
        let met = match prop.kind {
            PropKind::Projectile => {
                air.fly(&mut prop, |prop, dir, way_m| first_body(prop, dir, way_m, &bodies, &rules))
            }
            PropKind::Grenade | PropKind::SmokeGrenade => {
                air.bounce(&mut prop);
                false
            }
            _ => false,
        };
        if !met && clock.tick < prop.ends_at {
            continue;
        }
        match prop.kind {
            PropKind::Projectile | PropKind::Grenade => {
                air.blast(&prop, &bodies, &mut wounds);
                events.0.push(Event::Exploded { id, pos: prop.pos });
                ended.push(id);
            }
            PropKind::SmokeGrenade => {
                prop.kind = PropKind::Smoke;
                prop.vel = Vec3::ZERO;
                prop.ends_at = clock.after(rules.weapon(prop.weapon).smoke_s);
                events.0.push(Event::Exploded { id, pos: prop.pos });
            }
            _ => ended.push(id),
        }
    }
    for &id in ended.iter() {
        if let Some(entity) = table.remove(id) {
            commands.entity(entity).despawn();
        }
    }
}

/// How far along its way a projectile meets a body, if it does.
fn first_body(
    prop: &Prop,
    dir: Vec3,
    way_m: f32,
    bodies: &Bodies,
    rules: &SimConfig,
) -> Option<f32> {
    let mut nearest = None;
    let end = prop.pos + dir * way_m;
    bodies.near_line(prop.pos, end, BODY_RADIUS_M, |body| {
        let foe = body.team != prop.team || rules.friendly_fire;
        if body.alive() && foe && body.slot != prop.owner {
            let limit_m = nearest.unwrap_or(way_m);
            let met = meet(prop.pos, dir, limit_m, &body.pose);
            nearest = met.map(|(at_m, _)| at_m).or(nearest);
        }
    });
    nearest
}

/// What things fly through.
struct Air<'a> {
    ground: &'a Ground,
    rules: &'a SimConfig,
    clock: &'a Clock,
}

impl Air<'_> {
    /// Speeds up by gravity, slows down by drag; gives the way of this tick.
    fn advance(&self, prop: &mut Prop) -> Vec3 {
        let weapon: &WeaponSpec = self.rules.weapon(prop.weapon);
        let dt_s = self.clock.dt_s;
        let gravity = self.rules.movement.gravity_mps2 * weapon.gravity_factor;
        prop.vel.y -= gravity * dt_s;
        prop.vel *= (1.0 - weapon.drag_per_s * dt_s).max(0.0);
        prop.vel * dt_s
    }

    /// One tick of straight flight; whether it met something, and is there now.
    fn fly(&self, prop: &mut Prop, first_body: impl Fn(&Prop, Vec3, f32) -> Option<f32>) -> bool {
        let way = self.advance(prop);
        let way_m = way.length();
        if way_m <= 0.0 {
            return false;
        }
        let dir = way * (1.0 / way_m);
        let wall_m = self.ground.raycast(prop.pos, dir, way_m).map(|hit| hit.distance_m);
        let body_m = first_body(prop, dir, wall_m.unwrap_or(way_m));
        let Some(met_m) = body_m.or(wall_m) else {
            prop.pos += way;
            return self.is_lost(prop);
        };
        prop.pos += dir * (met_m - SKIN_M).max(0.0);
        true
    }

    /// One tick of flight with at most one bounce.
    fn bounce(&self, prop: &mut Prop) {
        let way = self.advance(prop);
        let way_m = way.length();
        if way_m <= 1e-6 {
            return;
        }
        let dir = way * (1.0 / way_m);
        let Some(hit) = self.ground.raycast(prop.pos, dir, way_m + SKIN_M) else {
            prop.pos += way;
            if self.is_lost(prop) {
                prop.ends_at = self.clock.tick;
            }
            return;
        };
        prop.pos += dir * (hit.distance_m - SKIN_M).max(0.0);
        let into = prop.vel.dot(hit.normal);
        let across = hit.normal * into;
        let kept = self.rules.weapon(prop.weapon).bounce;
        prop.vel = (prop.vel - across) * FRICTION - across * kept;
        if hit.normal.y > 0.7 && prop.vel.length() < REST_MPS {
            prop.vel = Vec3::ZERO;
        }
    }

    /// Off the map, where nothing stops it any more.
    fn is_lost(&self, prop: &Prop) -> bool {
        let size_m = self.ground.map().size_m;
        let inside = (0.0..=size_m).contains(&prop.pos.x) && (0.0..=size_m).contains(&prop.pos.z);
        !inside || prop.pos.y < -100.0
    }

    /// Hurts everyone within the splash whom nothing shields, less with distance.
    fn blast(&self, prop: &Prop, bodies: &Bodies, wounds: &mut Wounds) {
        let from = prop.pos + Vec3::Y * BLAST_LIFT_M;
        let most_hp = self.rules.weapon(prop.weapon).damage_hp;
        let first = wounds.0.len();
        bodies.near(from, prop.radius_m, |body| {
            let own = body.slot == prop.owner;
            let spared = body.team == prop.team && !own && !self.rules.friendly_fire;
            if !body.alive() || spared {
                return;
            }
            let feet = body.pose.pos;
            let chest = feet + Vec3::Y * CHEST_M;
            let distance_m = (chest - from).length().min((feet - from).length());
            if distance_m >= prop.radius_m {
                return;
            }
            let knees = feet + Vec3::Y * 0.4;
            if !self.ground.line_clear(from, chest) && !self.ground.line_clear(from, knees) {
                return;
            }
            wounds.0.push(Wound {
                victim: body.slot,
                by: prop.owner,
                damage_hp: most_hp * (1.0 - distance_m / prop.radius_m),
                cause: Cause::Weapon { weapon: prop.weapon, headshot: false },
            });
        });
        // Squares are no part of the rules: victims of one blast come in the order of slots.
        wounds.0[first..].sort_unstable_by_key(|wound| wound.victim);
    }
}
