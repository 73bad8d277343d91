//! Triggers: fire rate, ammunition, spread and recoil. What comes out is rays and launches.

use bevy_ecs::prelude::*;
use sortie_field::{Vec3, Yaw, angle::direction};

use super::buffers::{Combat, Launch, Launched, Ray};
use super::hands::{eyes, in_hand};
use crate::command::{Buttons, Input};
use crate::components::{Arsenal, Identity, Intent, Pose, Roster, Stats, Vitals};
use crate::config::{WeaponMode, WeaponSpec};
use crate::id::Tick;
use crate::rng::{Dice, Rng, Stream};
use crate::transient::Work;
use crate::view::PropKind;
use crate::world::{Clock, Rules};

/// Work units of one ray; each soldier looked at closely counts one more.
const RAY_UNITS: u32 = 8;
const RADIANS_PER_DEG: f32 = core::f32::consts::PI / 180.0;

type Shooter = (
    &'static Identity,
    &'static Pose,
    &'static Intent,
    &'static Vitals,
    &'static mut Arsenal,
    &'static mut Stats,
);

pub(super) fn pull_triggers(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    rng: Res<Rng>,
    mut soldiers: Query<Shooter>,
    mut combat: ResMut<Combat>,
    mut work: ResMut<Work>,
) {
    combat.rays.clear();
    combat.launches.clear();
    let rewind_max = rules.rewind_ticks_max();
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((identity, pose, intent, vitals, mut arsenal, mut stats))) =
        soldiers.fetch_next()
    {
        let id = in_hand(&arsenal).id;
        let weapon = rules.weapon(id);
        if !vitals.alive() || !may_fire(&arsenal, intent, weapon, &clock) {
            continue;
        }
        spend_round(&mut arsenal, weapon, &clock);
        stats.score.shots = stats.score.shots.saturating_add(1);
        let count = &mut stats.weapon_shots[usize::from(id.0)];
        *count = count.saturating_add(1);
        let mut dice = rng.dice(clock.tick, identity.slot, Stream::Spread);
        let aim = Aim::of(&intent.input, &arsenal);
        let cone_deg = cone(weapon, &arsenal, intent, pose);
        let origin = eyes(pose, &rules);
        if weapon.mode == WeaponMode::Hitscan {
            let oldest = Tick(clock.tick.0.saturating_sub(rewind_max));
            let seen = intent.input.view_tick.clamp(oldest, clock.tick);
            for pellet in 0..weapon.pellets {
                let dir = aim.scattered(cone_deg, &mut dice);
                combat.rays.push(Ray::new(identity, id, origin, dir, seen, pellet == 0));
            }
            work.add(identity.slot, RAY_UNITS * u32::from(weapon.pellets));
        } else {
            combat.launches.push(Launch {
                owner: identity.slot,
                team: identity.team,
                what: Launched::Weapon { kind: PropKind::Projectile, weapon: id },
                pos: origin,
                vel: aim.scattered(cone_deg, &mut dice) * weapon.velocity_mps,
                ends_at: clock.after(weapon.fuse_s),
            });
            work.add(identity.slot, RAY_UNITS);
        }
        kick(&mut arsenal, weapon, &mut dice);
    }
}

fn may_fire(arsenal: &Arsenal, intent: &Intent, weapon: &WeaponSpec, clock: &Clock) -> bool {
    let pulled = match weapon.automatic {
        true => intent.holds(Buttons::FIRE),
        false => intent.pressed(Buttons::FIRE),
    };
    pulled
        && clock.tick >= arsenal.next_fire
        && arsenal.reload_until.is_none()
        && in_hand(arsenal).ammo > 0
        && weapon.mode != WeaponMode::Thrown
}

fn spend_round(arsenal: &mut Arsenal, weapon: &WeaponSpec, clock: &Clock) {
    arsenal.weapons[usize::from(arsenal.active)].ammo -= 1;
    arsenal.fired_at = clock.tick;
    // Rounds go off on ticks. Whoever fires on gets the part of a tick that a round waited back
    // with the next one, so that the rate is the weapon's at any number of ticks a second.
    let waited = if clock.tick == arsenal.next_fire { arsenal.next_fire_part } else { 0 };
    let interval = (f32::from(clock.hz) * 60_000.0 / weapon.rpm) as u32 + u32::from(waited);
    arsenal.next_fire = Tick(clock.tick.0.saturating_add((interval / 1_000).max(1)));
    arsenal.next_fire_part = (interval % 1_000) as u16;
}

/// Half the angle of the cone that this shot falls in, degrees.
fn cone(weapon: &WeaponSpec, arsenal: &Arsenal, intent: &Intent, pose: &Pose) -> f32 {
    let mut cone_deg = weapon.spread_deg + arsenal.spread_deg;
    let vel = pose.0.vel;
    if vel.x * vel.x + vel.z * vel.z > 1.0 {
        cone_deg *= weapon.moving_factor;
    }
    if intent.holds(Buttons::CROUCH) {
        cone_deg *= weapon.crouch_factor;
    }
    if intent.holds(Buttons::AIM) {
        cone_deg *= weapon.aim_factor;
    }
    cone_deg
}

fn kick(arsenal: &mut Arsenal, weapon: &WeaponSpec, dice: &mut Dice) {
    let spread = arsenal.spread_deg + weapon.spread_per_shot_deg;
    arsenal.spread_deg = spread.min(weapon.spread_max_deg);
    let side = weapon.recoil_side_deg * dice.between(-1.0, 1.0);
    let (up, across) = arsenal.recoil_deg;
    // A muzzle climbs no higher than arms let it.
    arsenal.recoil_deg = ((up + weapon.recoil_up_deg).min(10.0), (across + side).clamp(-5.0, 5.0));
}

/// A direction and what is right and above of it.
struct Aim {
    along: Vec3,
    right: Vec3,
    above: Vec3,
}

impl Aim {
    /// Where the muzzle points: the view, lifted by recoil.
    fn of(input: &Input, arsenal: &Arsenal) -> Self {
        let along = direction(input.yaw, input.pitch);
        let right = direction(Yaw(input.yaw.0.wrapping_add(16_384)), sortie_field::Pitch(0));
        let above = right.cross(along);
        let (up, across) = arsenal.recoil_deg;
        let lifted = along
            + above * libm::tanf(up * RADIANS_PER_DEG)
            + right * libm::tanf(across * RADIANS_PER_DEG);
        Self { along: lifted * (1.0 / lifted.length()), right, above }
    }

    /// A direction within the cone around it.
    fn scattered(&self, cone_deg: f32, dice: &mut Dice) -> Vec3 {
        let (x, y) = dice.disc();
        let reach = libm::tanf(cone_deg * RADIANS_PER_DEG);
        let dir = self.along + self.right * (x * reach) + self.above * (y * reach);
        dir * (1.0 / dir.length())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PlayerSlot;

    #[test]
    fn scatter_stays_in_the_cone_and_is_unit_length() {
        let input =
            Input { yaw: Yaw(9_000), pitch: sortie_field::Pitch(3_000), ..Input::default() };
        let aim = Aim::of(&input, &Arsenal::default());
        let mut dice = Rng::new(3).dice(Tick(1), PlayerSlot(0), Stream::Spread);
        for _ in 0..1_000 {
            let dir = aim.scattered(2.0, &mut dice);
            assert!((dir.length() - 1.0).abs() < 1e-5);
            assert!(dir.dot(aim.along) >= libm::cosf(2.01 * RADIANS_PER_DEG));
        }
    }
}
