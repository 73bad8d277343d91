//! Hitscan: every ray of the tick against the ground and against where soldiers stood.

use bevy_ecs::prelude::*;

use super::bodies::Bodies;
use super::buffers::{Combat, Ray};
use super::history::{History, Past};
use super::shape::{Zone, meet};
use crate::components::{Roster, Stats};
use crate::config::{CombatRules, SimConfig};
use crate::event::Event;
use crate::id::PlayerSlot;
use crate::transient::{Cause, EventLog, Work, Wound, Wounds};
use crate::workers::Workers;
use crate::world::{Clock, Ground, Rules};

/// Bodies are thinner than this around their axis, metres.
const REACH_M: f32 = 0.45;
/// Rays that a thread takes at least.
const GRAIN: usize = 16;

/// Who can be struck by whom, by slot.
struct Targets<'a> {
    history: &'a History,
    bodies: &'a Bodies,
    friendly_fire: bool,
    /// Nobody has moved farther than this since the oldest tick that can be seen.
    drift_m: f32,
}

pub(super) fn trace_rays(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    workers: Res<Workers>,
    history: Res<History>,
    bodies: Res<Bodies>,
    mut stats: Query<&mut Stats>,
    mut combat: ResMut<Combat>,
    mut wounds: ResMut<Wounds>,
    mut events: ResMut<EventLog>,
    mut work: ResMut<Work>,
) {
    if combat.rays.is_empty() {
        return;
    }
    let pace_mps = rules.movement.sprint_mps + rules.body.push_mps_max;
    let targets = Targets {
        history: &history,
        bodies: &bodies,
        friendly_fire: rules.friendly_fire,
        drift_m: 0.1 + pace_mps * clock.dt_s * rules.rewind_ticks_max() as f32,
    };
    let now = clock.tick;
    workers.for_each(&mut combat.rays, GRAIN, |_, ray| {
        ray.end_m = rules.weapon(ray.weapon).range_m;
        if let Some(past) = targets.history.past(ray.seen).or(targets.history.past(now)) {
            targets.strike(ray, past);
        }
        // The ground is looked at last, and no farther than it matters.
        let wall = ground.raycast(ray.origin, ray.dir, ray.end_m);
        if let Some(wall) = wall.filter(|wall| wall.distance_m < ray.end_m) {
            ray.end_m = wall.distance_m;
            ray.struck = None;
        }
    });
    // One by one and in order from here on.
    let mut counted = None;
    for ray in &combat.rays {
        work.add(ray.shooter, ray.looked_at);
        if ray.first {
            counted = None;
            let end = ray.origin + ray.dir * ray.end_m;
            let Ray { shooter, weapon, origin, .. } = *ray;
            events.0.push(Event::Shot { shooter, weapon, origin, end });
        }
        let Some((victim, zone)) = ray.struck else { continue };
        wounds.0.push(wound(ray, victim, zone, &rules));
        let foe = bodies.team(victim) != Some(ray.team);
        if foe && counted.replace(ray.shooter).is_none() {
            count_hit(ray, &roster, &mut stats);
        }
    }
}

fn wound(ray: &Ray, victim: PlayerSlot, zone: Zone, rules: &SimConfig) -> Wound {
    let CombatRules { head_factor, limb_factor, .. } = rules.combat;
    let weapon = rules.weapon(ray.weapon);
    let factor = match zone {
        Zone::Head => head_factor * weapon.head_factor,
        Zone::Torso => 1.0,
        Zone::Limbs => limb_factor,
    };
    Wound {
        victim,
        by: ray.shooter,
        damage_hp: weapon.damage_at(ray.end_m) * factor,
        cause: Cause::Weapon { weapon: ray.weapon, headshot: zone == Zone::Head },
    }
}

fn count_hit(ray: &Ray, roster: &Roster, stats: &mut Query<&mut Stats>) {
    let Some(entity) = roster.get(ray.shooter) else { return };
    let Ok(mut stats) = stats.get_mut(entity) else { return };
    stats.score.hits = stats.score.hits.saturating_add(1);
    let hits = &mut stats.weapon_hits[usize::from(ray.weapon.0)];
    *hits = hits.saturating_add(1);
}

impl Targets<'_> {
    /// Shortens the ray to the nearest soldier on its way.
    fn strike(&self, ray: &mut Ray, past: &Past) {
        let end = ray.origin + ray.dir * ray.end_m;
        let (origin, dir) = (ray.origin, ray.dir);
        self.bodies.near_line(origin, end, REACH_M + self.drift_m, |body| {
            let friend = body.team == ray.team && !self.friendly_fire;
            // Nobody is shot after falling, nor where it stood in another life.
            let former_life = body.since > past.tick();
            if friend || former_life || !body.alive() || body.slot == ray.shooter {
                return;
            }
            let Some(pose) = past.get(body.slot) else { return };
            // Most are passed by at once: their axis is too far from the ray.
            let (dx, dz) = (pose.pos.x - origin.x, pose.pos.z - origin.z);
            let beside = dx * dir.z - dz * dir.x;
            let flat_squared = dir.x * dir.x + dir.z * dir.z;
            if beside * beside > REACH_M * REACH_M * flat_squared && flat_squared > 1e-6 {
                return;
            }
            ray.looked_at += 1;
            if let Some((distance_m, zone)) = meet(origin, dir, ray.end_m, &pose) {
                let nearer = match ray.struck {
                    Some((slot, _)) => (distance_m, body.slot) < (ray.end_m, slot),
                    None => true,
                };
                if nearer {
                    ray.end_m = distance_m;
                    ray.struck = Some((body.slot, zone));
                }
            }
        });
    }
}
