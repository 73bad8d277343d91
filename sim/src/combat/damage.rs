//! Damage: the only system that lowers health.

use bevy_ecs::prelude::*;

use crate::components::{Blow, Grudges, Identity, Pose, Roster, Stats, Vitals};
use crate::config::SimConfig;
use crate::event::Event;
use crate::id::{PlayerSlot, WeaponId};
use crate::objective::Round;
use crate::score;
use crate::transient::{Cause, Deaths, EventLog, Wound, Wounds};
use crate::view::Status;
use crate::world::{Clock, Ground, Rules};

pub(super) type Body = (
    &'static Identity,
    &'static Pose,
    &'static mut Vitals,
    &'static mut Grudges,
    &'static mut Stats,
);

/// A soldier who just fell, for the scores.
pub(super) struct Fall {
    pub(super) victim: PlayerSlot,
    pub(super) killer: Option<PlayerSlot>,
    pub(super) weapon: Option<WeaponId>,
    pub(super) headshot: bool,
}

pub(super) fn apply_damage(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    round: Res<Round>,
    wounds: Res<Wounds>,
    mut bodies: Query<Body>,
    mut events: ResMut<EventLog>,
    mut deaths: ResMut<Deaths>,
) {
    for wound in &wounds.0 {
        let Some(entity) = roster.get(wound.victim) else { continue };
        let Some(team) = team_of(&bodies, &roster, wound.victim) else { continue };
        let by_foe = wound.by != wound.victim && team_of(&bodies, &roster, wound.by) != Some(team);
        let Ok((_, _, mut vitals, mut grudges, mut stats)) = bodies.get_mut(entity) else {
            continue;
        };
        // The first lethal wound took the kill; the downed are left alone, except by the border.
        let border = wound.cause == Cause::Border && vitals.in_field();
        if !vitals.alive() && !border {
            continue;
        }
        let taken_hp = hurt(&mut vitals, wound, &rules);
        vitals.hit_at = clock.tick;
        stats.damage_taken_hp = stats.damage_taken_hp.saturating_add(taken_hp.into());
        let (headshot, weapon) = match wound.cause {
            Cause::Weapon { weapon, headshot } => (headshot, Some(weapon)),
            Cause::Fall | Cause::Border => (false, None),
        };
        let Wound { victim, by, .. } = *wound;
        events.0.push(Event::Hit { shooter: by, victim, damage_hp: taken_hp, headshot });
        if by != victim {
            grudges.add(by, taken_hp);
        }
        if by_foe && let Some(weapon) = weapon {
            grudges.blow = Some(Blow { by, weapon, at: clock.tick });
        }
        let fell = vitals.health_hp == 0;
        if border {
            vitals.status = Status::Waiting;
            stats.score.deaths = stats.score.deaths.saturating_add(1);
            deaths.0.push(victim);
        } else if fell {
            vitals.status = Status::Down;
            vitals.bleeds_out_at = clock.after(rules.combat.down_s);
            vitals.revive_ticks = 0;
            vitals.reviver = None;
        }
        if by_foe && let Some(Ok(mut dealer)) = roster.get(by).map(|e| bodies.get_mut(e)) {
            let dealt = &mut dealer.4.damage_dealt_hp;
            *dealt = dealt.saturating_add(taken_hp.into());
        }
        if fell || border {
            let killer = (by != victim).then_some(by);
            events.0.push(Event::Downed { victim, killer, weapon, headshot });
            if border {
                events.0.push(Event::Died { victim });
            }
            let fall = Fall { victim, killer: killer.filter(|_| by_foe), weapon, headshot };
            reward(&fall, &roster, &clock, &ground, &rules, &round, &mut bodies);
        }
    }
}

/// Takes armour and hit points; gives the latter.
fn hurt(vitals: &mut Vitals, wound: &Wound, rules: &SimConfig) -> u16 {
    if wound.cause == Cause::Border {
        let taken_hp = u16::from(vitals.health_hp);
        vitals.health_hp = 0;
        return taken_hp;
    }
    let damage_hp = wound.damage_hp.clamp(0.0, 10_000.0);
    let shielded = matches!(wound.cause, Cause::Weapon { .. });
    let armour = if shielded { f32::from(vitals.armour) } else { 0.0 };
    let absorbed_hp = (damage_hp * rules.combat.armour_part).min(armour);
    vitals.armour -= libm::floorf(absorbed_hp + 0.5).min(f32::from(vitals.armour)) as u8;
    // What hurts at all costs at least one.
    let left_hp = libm::floorf(damage_hp - absorbed_hp + 0.5);
    let left_hp = if damage_hp > 0.0 { left_hp.max(1.0) } else { 0.0 };
    let taken_hp = left_hp.min(f32::from(vitals.health_hp)) as u8;
    vitals.health_hp -= taken_hp;
    u16::from(taken_hp)
}

fn team_of(bodies: &Query<Body>, roster: &Roster, slot: PlayerSlot) -> Option<crate::id::Team> {
    bodies.get(roster.get(slot)?).ok().map(|body| body.0.team)
}

/// Points for whoever brought an enemy down, helped to, or showed where it was.
pub(super) fn reward(
    fall: &Fall,
    roster: &Roster,
    clock: &Clock,
    ground: &Ground,
    rules: &SimConfig,
    round: &Round,
    bodies: &mut Query<Body>,
) {
    let Some(Ok((identity, pose, vitals, grudges, _))) =
        roster.get(fall.victim).map(|entity| bodies.get(entity))
    else {
        return;
    };
    let (victim_team, victim_pos, grudges) = (identity.team, pose.0.pos, *grudges);
    let spotter = vitals.spotted_by.filter(|_| vitals.spotted_until >= clock.tick);
    let all_hp: u32 = grudges.iter().map(|(_, hp)| u32::from(hp)).sum();
    for (helper, hp) in grudges.iter().filter(|&(helper, _)| Some(helper) != fall.killer) {
        let share = u32::from(hp) * 100 / all_hp.max(1);
        let points = share.clamp(rules.score.assist_min, rules.score.assist_max);
        if let Some(Ok(mut body)) = roster.get(helper).map(|entity| bodies.get_mut(entity))
            && body.0.team != victim_team
        {
            body.4.score.assists = body.4.score.assists.saturating_add(1);
            score::add(&mut body.4, points);
        }
    }
    if let Some(spotter) = spotter.filter(|&spotter| Some(spotter) != fall.killer)
        && let Some(Ok(mut body)) = roster.get(spotter).map(|entity| bodies.get_mut(entity))
    {
        score::add(&mut body.4, rules.score.spot_assist);
    }
    let Some(Ok((killer, pose, _, _, mut stats))) =
        fall.killer.and_then(|killer| roster.get(killer)).map(|entity| bodies.get_mut(entity))
    else {
        return;
    };
    stats.score.kills = stats.score.kills.saturating_add(1);
    score::add(&mut stats, rules.score.kill);
    if fall.headshot {
        score::add(&mut stats, rules.score.headshot);
    }
    let defends = round.owned_point_at(ground.map(), killer.team, victim_pos);
    if defends {
        score::add(&mut stats, rules.score.defend);
    }
    if fall.weapon.is_some() {
        let distance_m = (pose.0.pos - victim_pos).length();
        stats.longest_kill_m = stats.longest_kill_m.max(distance_m);
    }
}
