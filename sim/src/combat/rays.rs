//! Hitscan: every ray of the tick against the ground and against where soldiers stood.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;

use super::Combat;
use super::history::{History, Past};
use super::shape::{Zone, meet};
use crate::components::{Identity, Roster, Stats, Vitals};
use crate::config::{CombatRules, SimConfig};
use crate::event::Event;
use crate::facts::{Cause, EventLog, Work, Wound, Wounds};
use crate::id::{PlayerSlot, Team, Tick, WeaponId};
use crate::workers::Workers;
use crate::world::{Clock, Ground, Rules};

/// Bodies are thinner than this around their axis, metres.
const REACH_M: f32 = 0.45;
/// Rays that a thread takes at least.
const GRAIN: usize = 16;

/// One pellet's way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ray {
    shooter: PlayerSlot,
    team: Team,
    weapon: WeaponId,
    origin: Vec3,
    dir: Vec3,
    /// The tick that the shooter saw, within the cap.
    seen: Tick,
    /// The first of its shot: the one that is heard and drawn.
    first: bool,
    /// Results.
    end_m: f32,
    struck: Option<(PlayerSlot, Zone)>,
    looked_at: u32,
}

impl Ray {
    pub(super) fn new(
        shooter: &Identity,
        weapon: WeaponId,
        origin: Vec3,
        dir: Vec3,
        seen: Tick,
        first: bool,
    ) -> Self {
        let Identity { slot, team, .. } = *shooter;
        let (end_m, struck, looked_at) = (0.0, None, 0);
        Self { shooter: slot, team, weapon, origin, dir, seen, first, end_m, struck, looked_at }
    }
}

/// Who can be struck by whom, by slot.
struct Targets<'a> {
    history: &'a History,
    /// Alive in the tick of the shot, too: nobody is shot after falling. With the team, and with
    /// the first tick of this life: nobody is shot where it stood in another one.
    alive: &'a [Option<(Team, Tick)>],
    friendly_fire: bool,
}

pub(super) fn trace_rays(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    workers: Res<Workers>,
    history: Res<History>,
    bodies: Query<(&Identity, &Vitals)>,
    mut stats: Query<&mut Stats>,
    mut combat: ResMut<Combat>,
    mut alive: Local<Vec<Option<(Team, Tick)>>>,
    mut wounds: ResMut<Wounds>,
    mut events: ResMut<EventLog>,
    mut work: ResMut<Work>,
) {
    if combat.rays.is_empty() {
        return;
    }
    alive.clear();
    let bodies = bodies.iter_many(roster.entities()).flatten();
    alive
        .extend(bodies.map(|(identity, vitals)| {
            vitals.alive().then_some((identity.team, vitals.spawned_at))
        }));
    let targets = Targets { history: &history, alive: &alive, friendly_fire: rules.friendly_fire };
    let now = clock.tick;
    workers.for_each(&mut combat.rays, GRAIN, |_, ray| {
        let range_m = rules.weapon(ray.weapon).range_m;
        let wall = ground.raycast(ray.origin, ray.dir, range_m);
        ray.end_m = wall.map_or(range_m, |hit| hit.distance_m);
        if let Some(past) = targets.history.past(ray.seen).or(targets.history.past(now)) {
            targets.strike(ray, past);
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
        let foe = alive[usize::from(victim.0)].is_some_and(|(team, _)| team != ray.team);
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
    /// Shortens the ray to the nearest soldier that it meets before the wall.
    fn strike(&self, ray: &mut Ray, past: &Past) {
        let flat_m = libm::sqrtf(ray.dir.x * ray.dir.x + ray.dir.z * ray.dir.z);
        let (east, south) = match flat_m > 1e-6 {
            true => (ray.dir.x / flat_m, ray.dir.z / flat_m),
            false => (0.0, 0.0),
        };
        let far_m = ray.end_m * flat_m + REACH_M;
        let (origin_x, origin_z) = (ray.origin.x, ray.origin.z);
        let soldiers = past.xs.iter().zip(&past.zs).zip(self.alive);
        for (slot, ((&x, &z), &alive)) in soldiers.enumerate() {
            // Most are passed by at once: too far beside, behind, or beyond the wall.
            let (dx, dz) = (x - origin_x, z - origin_z);
            let along = dx * east + dz * south;
            let beside = dx * south - dz * east;
            let near = (beside.abs() <= REACH_M) & (along >= -REACH_M) & (along <= far_m);
            if !near {
                continue;
            }
            let Some((team, since)) = alive else { continue };
            let friend = team == ray.team && !self.friendly_fire;
            let former_life = since > past.tick();
            if friend || former_life || slot == usize::from(ray.shooter.0) {
                continue;
            }
            let Some(pose) = past.get(slot) else { continue };
            ray.looked_at += 1;
            if let Some((distance_m, zone)) = meet(ray.origin, ray.dir, ray.end_m, &pose)
                && (distance_m < ray.end_m || ray.struck.is_none())
            {
                ray.end_m = distance_m;
                ray.struck = Some((PlayerSlot(slot as u16), zone));
            }
        }
    }
}
