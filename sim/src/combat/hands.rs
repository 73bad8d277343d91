//! What hands do beside pulling the trigger: switch, reload, steady, throw, strike, set down.

use bevy_ecs::prelude::*;
use sortie_field::{Pitch, Vec3, angle::direction};

use super::bodies::Bodies;
use super::buffers::{Combat, Launch, Launched};
use crate::command::Buttons;
use crate::components::{Arsenal, Identity, Intent, Pose, Roster, Vitals};
use crate::config::SimConfig;
use crate::id::{PlayerSlot, Tick};
use crate::transient::{Cause, Wound, Wounds};
use crate::view::{PropKind, Status};
use crate::world::{Clock, Ground, Rules};

/// Eyes, and so hands that aim, are this far below the top of a body, metres.
pub(super) const EYE_BELOW_TOP_M: f32 = 0.15;
/// How far a strike reaches, metres.
const STRIKE_M: f32 = 2.0;
/// A strike meets what lies within this cosine of the view.
const STRIKE_COS: f32 = 0.7;
/// Things are thrown a little upwards.
const THROW_LIFT: Pitch = Pitch(1_456);

/// Where a soldier's eyes are.
pub(super) fn eyes(pose: &Pose, rules: &SimConfig) -> Vec3 {
    let height_m = pose.0.stance.height_m(&rules.movement);
    pose.0.pos + Vec3::Y * (height_m - EYE_BELOW_TOP_M)
}

/// Time passes for what is in hand: spread and recoil settle, reloads end, hands change weapons.
pub(super) fn work_hands(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    mut soldiers: Query<(&Intent, &Vitals, &mut Arsenal)>,
) {
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((intent, vitals, mut arsenal))) = soldiers.fetch_next() {
        if vitals.alive() {
            settle(&mut arsenal, &clock, &rules);
            change_weapon(&mut arsenal, intent, &clock, &rules);
            begin_reload(&mut arsenal, intent, &clock, &rules);
        }
    }
}

fn settle(arsenal: &mut Arsenal, clock: &Clock, rules: &SimConfig) {
    let weapon = rules.weapon(in_hand(arsenal).id);
    let spread = arsenal.spread_deg - weapon.spread_recovery_deg_per_s * clock.dt_s;
    arsenal.spread_deg = spread.max(0.0);
    let back_deg = weapon.recoil_recovery_deg_per_s * clock.dt_s;
    let towards_zero =
        |deg: f32| if deg > 0.0 { (deg - back_deg).max(0.0) } else { (deg + back_deg).min(0.0) };
    arsenal.recoil_deg = (towards_zero(arsenal.recoil_deg.0), towards_zero(arsenal.recoil_deg.1));
    if arsenal.reload_until.is_some_and(|until| clock.tick >= until) {
        arsenal.reload_until = None;
        let magazine = weapon.magazine;
        let carried = &mut arsenal.weapons[usize::from(arsenal.active)];
        let rounds = magazine.saturating_sub(carried.ammo).min(carried.reserve);
        carried.ammo += rounds;
        carried.reserve -= rounds;
    }
}

fn change_weapon(arsenal: &mut Arsenal, intent: &Intent, clock: &Clock, rules: &SimConfig) {
    let wanted = intent.input.weapon_slot;
    if wanted == arsenal.active || usize::from(wanted) >= arsenal.weapons.len() {
        return;
    }
    arsenal.active = wanted;
    arsenal.reload_until = None;
    arsenal.spread_deg = 0.0;
    arsenal.recoil_deg = (0.0, 0.0);
    arsenal.next_fire = arsenal.next_fire.max(clock.after(rules.combat.switch_s));
    arsenal.next_fire_part = 0;
}

fn begin_reload(arsenal: &mut Arsenal, intent: &Intent, clock: &Clock, rules: &SimConfig) {
    let carried = *in_hand(arsenal);
    let weapon = rules.weapon(carried.id);
    let needed = carried.ammo == 0 || intent.holds(Buttons::RELOAD);
    let possible = carried.ammo < weapon.magazine && carried.reserve > 0;
    if arsenal.reload_until.is_none() && needed && possible && clock.tick >= arsenal.next_fire {
        let seconds = if carried.ammo == 0 { weapon.reload_empty_s } else { weapon.reload_s };
        arsenal.reload_until = Some(clock.after(seconds));
    }
}

pub(super) fn in_hand(arsenal: &Arsenal) -> &crate::components::CarriedWeapon {
    &arsenal.weapons[usize::from(arsenal.active)]
}

type Hands =
    (&'static Identity, &'static Pose, &'static Intent, &'static Vitals, &'static mut Arsenal);

/// Throws, strikes, sets down. One of them at a time, and none faster than the rules say.
pub(super) fn use_hands(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    mut soldiers: Query<Hands>,
    bodies: Res<Bodies>,
    mut combat: ResMut<Combat>,
    mut wounds: ResMut<Wounds>,
) {
    for &entity in roster.entities() {
        let Ok((identity, pose, intent, vitals, mut arsenal)) = soldiers.get_mut(entity) else {
            continue;
        };
        if !vitals.alive() || clock.tick < arsenal.next_gadget {
            continue;
        }
        let hands = Reach { identity, eyes: eyes(pose, &rules), pose, intent };
        if intent.pressed(Buttons::THROW) && arsenal.grenades > 0 {
            arsenal.grenades -= 1;
            arsenal.next_gadget = hands.throw(&clock, &rules, &mut combat);
        } else if intent.pressed(Buttons::MELEE) {
            arsenal.next_gadget = clock.after(rules.combat.melee_s);
            if let Some(victim) = hands.strike_at(&bodies, rules.friendly_fire, &ground) {
                let weapon = in_hand(&arsenal).id;
                wounds.0.push(Wound {
                    victim,
                    by: identity.slot,
                    damage_hp: rules.combat.melee_hp,
                    cause: Cause::Weapon { weapon, headshot: false },
                });
            }
        } else if intent.pressed(Buttons::USE)
            && arsenal.gadgets > 0
            && !hands.mate_needs_help(&bodies, rules.combat.reach_m)
            && hands.set_down(&clock, &rules, &mut combat)
        {
            arsenal.gadgets -= 1;
            arsenal.next_gadget = clock.after(rules.combat.melee_s);
        }
    }
}

/// One soldier and what its hands can reach.
struct Reach<'a> {
    identity: &'a Identity,
    eyes: Vec3,
    pose: &'a Pose,
    intent: &'a Intent,
}

impl Reach<'_> {
    /// Gives the tick of the next throw.
    fn throw(&self, clock: &Clock, rules: &SimConfig, combat: &mut Combat) -> Tick {
        let id = rules.loadout(self.identity.class).grenade;
        let weapon = rules.weapon(id);
        let input = &self.intent.input;
        let pitch = Pitch(input.pitch.0.saturating_add(THROW_LIFT.0)).clamped();
        let kind = if weapon.smoke_s > 0.0 { PropKind::SmokeGrenade } else { PropKind::Grenade };
        combat.launches.push(Launch {
            owner: self.identity.slot,
            team: self.identity.team,
            what: Launched::Weapon { kind, weapon: id },
            pos: self.eyes,
            vel: direction(input.yaw, pitch) * weapon.velocity_mps + self.pose.0.vel,
            ends_at: clock.after(weapon.fuse_s),
        });
        clock.after(60.0 / weapon.rpm)
    }

    /// The nearest soldier that a strike meets.
    fn strike_at(
        &self,
        bodies: &Bodies,
        friendly_fire: bool,
        ground: &Ground,
    ) -> Option<PlayerSlot> {
        let input = &self.intent.input;
        let view = direction(input.yaw, input.pitch);
        let mut nearest: Option<(f32, PlayerSlot)> = None;
        bodies.near(self.eyes, STRIKE_M, |other| {
            let foe = other.team != self.identity.team || friendly_fire;
            if !other.alive() || other.slot == self.identity.slot || !foe {
                return;
            }
            let chest = other.pose.pos + Vec3::Y;
            let way = chest - self.eyes;
            let distance_m = way.length();
            let ahead = way.dot(view) >= distance_m * STRIKE_COS;
            let nearer = nearest.is_none_or(|best| (distance_m, other.slot) < best);
            if distance_m <= STRIKE_M && ahead && nearer && ground.line_clear(self.eyes, chest) {
                nearest = Some((distance_m, other.slot));
            }
        });
        nearest.map(|(_, slot)| slot)
    }

    /// Whether the use button means helping somebody up.
    fn mate_needs_help(&self, bodies: &Bodies, reach_m: f32) -> bool {
        let mut found = false;
        bodies.near(self.pose.0.pos, reach_m, |other| {
            found |= other.team == self.identity.team
                && other.status == Status::Down
                && (other.pose.pos - self.pose.0.pos).length() <= reach_m;
        });
        found
    }

    /// Whether the class has something to set down.
    fn set_down(&self, clock: &Clock, rules: &SimConfig, combat: &mut Combat) -> bool {
        let Some(gadget) = rules.class(self.identity.class).gadget else { return false };
        let seconds = match gadget {
            crate::config::Gadget::Sensor => rules.combat.sensor_s,
            _ => rules.combat.kit_s,
        };
        combat.launches.push(Launch {
            owner: self.identity.slot,
            team: self.identity.team,
            what: Launched::Gadget(gadget),
            pos: self.pose.0.pos,
            vel: Vec3::ZERO,
            ends_at: clock.after(seconds),
        });
        true
    }
}
