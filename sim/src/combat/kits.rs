//! What lies on the ground and works: medkits, ammunition boxes, motion sensors.
//!
//! Each works four times a second, in the tick that its id says, so that many never work at once.

use bevy_ecs::prelude::*;

use super::bodies::Bodies;
use crate::components::{Arsenal, Prop, PropTable, Roster, Stats, Vitals};
use crate::config::SimConfig;
use crate::id::{PlayerSlot, Team};
use crate::score;
use crate::view::PropKind;
use crate::world::{Clock, Rules};

/// Times a second that a kit works.
const WORKS_HZ: f32 = 4.0;

type User = (&'static mut Vitals, &'static mut Arsenal, &'static mut Stats);

pub(super) fn use_kits(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rules: Res<Rules>,
    table: Res<PropTable>,
    bodies: Res<Bodies>,
    mut props: Query<&mut Prop>,
    mut users: Query<User>,
    mut around: Local<Vec<(PlayerSlot, Team)>>,
) {
    let period = clock.ticks(1.0 / WORKS_HZ);
    for &(id, entity) in table.rows() {
        let Ok(mut prop) = props.get_mut(entity) else { continue };
        let works = matches!(prop.kind, PropKind::Medkit | PropKind::AmmoBox | PropKind::Sensor);
        if !works || !(clock.tick.0.wrapping_add(id.0)).is_multiple_of(period) {
            continue;
        }
        let mut points = 0;
        around.clear();
        bodies.near(prop.pos, prop.radius_m, |body| {
            let near_m = (body.pose.pos - prop.pos).length();
            if body.alive() && near_m <= prop.radius_m {
                around.push((body.slot, body.team));
            }
        });
        // A kit that runs out serves the lower slots first, wherever they stand.
        around.sort_unstable();
        for &(slot, team) in around.iter() {
            let user = roster.get(slot).map(|entity| users.get_mut(entity));
            let Some(Ok((mut vitals, mut arsenal, _))) = user else { continue };
            let mate = team == prop.team;
            let own = slot == prop.owner;
            match prop.kind {
                PropKind::Medkit if mate => {
                    let healed = heal(&mut prop, &mut vitals, &rules);
                    points += if own { 0 } else { u32::from(healed) };
                }
                PropKind::AmmoBox if mate => {
                    let given = resupply(&mut prop, &mut arsenal, &rules);
                    points += if given && !own { rules.score.resupply } else { 0 };
                }
                PropKind::Sensor if !mate => {
                    vitals.spotted_until = clock.after(2.0 / WORKS_HZ);
                    vitals.spotted_by = Some(prop.owner);
                }
                _ => {}
            }
        }
        if prop.charges == 0 && prop.kind != PropKind::Sensor {
            prop.ends_at = clock.tick;
        }
        let owner = roster.get(prop.owner).map(|entity| users.get_mut(entity));
        if let Some(Ok((.., mut stats))) = owner {
            let most = if prop.kind == PropKind::Medkit { rules.score.heal_max } else { u32::MAX };
            let points = points.min(most.saturating_sub(prop.scored));
            prop.scored = prop.scored.saturating_add(points);
            score::add(&mut stats, points);
        }
    }
}

/// Gives the hit points healed.
fn heal(prop: &mut Prop, vitals: &mut Vitals, rules: &SimConfig) -> u8 {
    let dose = (rules.combat.medkit_hp_per_s / WORKS_HZ).max(1.0) as u8;
    let missing = 100u8.saturating_sub(vitals.health_hp);
    let healed = dose.min(missing).min(u8::try_from(prop.charges).unwrap_or(u8::MAX));
    vitals.health_hp += healed;
    prop.charges -= u16::from(healed);
    healed
}

/// Fills the reserve of one weapon that is short by a magazine; whether one was.
fn resupply(prop: &mut Prop, arsenal: &mut Arsenal, rules: &SimConfig) -> bool {
    if prop.charges == 0 {
        return false;
    }
    for carried in &mut arsenal.weapons {
        let weapon = rules.weapon(carried.id);
        if carried.reserve.saturating_add(weapon.magazine) <= weapon.reserve {
            carried.reserve += weapon.magazine;
            prop.charges -= 1;
            return true;
        }
    }
    false
}
