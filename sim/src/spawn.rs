//! Soldiers come into the field in waves: a wave per team every few seconds, Blue's half a period
//! after Red's. Where they come in is the business of [`places`].

#[cfg(test)]
mod cases;
pub(crate) mod places;

use bevy_ecs::prelude::*;

use crate::components::{
    Arsenal, Border, CarriedWeapon, Grudges, Identity, Pose, Requests, Roster, SquadMember, Vitals,
};
use crate::config::{Mode, ObjectiveRules, SimConfig};
use crate::event::Event;
use crate::id::{Class, Team, Tick};
use crate::objective::{Round, count_kills, in_mode};
use crate::rng::{Rng, Stream};
use crate::schedule::{Phase, Timetable};
use crate::spawn::places::{Anchor, Places};
use crate::squad::arrange_squads;
use crate::transient::EventLog;
use crate::view::{RoundState, Status};
use crate::world::{Clock, Ground, Rules};

pub(crate) fn add_systems(timetable: &mut Timetable) {
    timetable.add(
        Phase::Objective,
        (arrange_squads, spawn_waves).chain().after(count_kills).run_if(not(in_mode(Mode::Walk))),
    );
}

/// The first tick after `tick` in which a soldier of `team` may come in, whose last life began at
/// `spawned_at`. Who was not in the field in this round has waited for nothing yet.
pub(crate) fn next_entry(
    clock: &Clock,
    rules: &ObjectiveRules,
    round: &Round,
    (tick, team, spawned_at): (Tick, Team, Tick),
) -> Tick {
    let is_first = spawned_at == Tick(0) || spawned_at <= round.began;
    next_wave(tick, team, clock.ticks(if is_first { rules.deploy_s } else { rules.wave_s }))
}

/// The first tick after `tick` in which a wave of `team` comes in.
fn next_wave(tick: Tick, team: Team, period: u32) -> Tick {
    let offset = if team == Team::Blue { period / 2 } else { 0 };
    let since = tick.0.saturating_add(period - offset) % period;
    Tick(tick.0.saturating_add(period - since))
}

type Recruit = (
    &'static mut Identity,
    &'static mut Pose,
    &'static mut Border,
    &'static mut Requests,
    &'static mut Vitals,
    &'static mut Grudges,
    &'static mut Arsenal,
    &'static SquadMember,
);

pub(crate) fn spawn_waves(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    rng: Res<Rng>,
    round: Res<Round>,
    mut recruits: Query<Recruit>,
    mut anchors: Local<Vec<Anchor>>,
    mut events: ResMut<EventLog>,
) {
    let before = Tick(clock.tick.0 - 1);
    let is_due = |team, spawned_at| {
        next_entry(&clock, &rules.objective, &round, (before, team, spawned_at)) == clock.tick
    };
    // Most ticks bring nobody in, of neither kind.
    let may_come = |team| is_due(team, Tick(0)) || is_due(team, clock.tick);
    if round.state != RoundState::Running || !Team::ALL.into_iter().any(may_come) {
        return;
    }
    let calm = clock.ticks(rules.objective.squad_calm_s);
    anchors.clear();
    anchors.extend(recruits.iter_many(roster.entities()).flatten().filter_map(
        |(identity, pose, _, _, vitals, _, _, squad)| {
            let hit =
                vitals.hit_at > Tick(0) && clock.tick.0.saturating_sub(vitals.hit_at.0) < calm;
            let Identity { slot, team, .. } = *identity;
            let body = pose.0;
            let fit = vitals.alive() && !hit && ground.inside_boundary(body.pos.x, body.pos.z);
            squad.squad.filter(|_| fit).map(|squad| Anchor { slot, team, squad, body })
        },
    ));
    let places = Places { ground: &ground, rules: &rules, round: &round, anchors: &anchors };
    let mut recruits = recruits.iter_many_mut(roster.entities());
    while let Some(Ok((
        mut identity,
        mut pose,
        mut border,
        mut requests,
        mut vitals,
        mut grudges,
        mut arsenal,
        squad,
    ))) = recruits.fetch_next()
    {
        if vitals.status != Status::Waiting || !is_due(identity.team, vitals.spawned_at) {
            continue;
        }
        let Some((at, class)) = requests.spawn.take() else { continue };
        let mut dice = rng.dice(clock.tick, identity.slot, Stream::Spawn);
        let body = places.choose(&identity, squad, at, &mut dice);
        let pos = body.pos;
        identity.class = class;
        pose.0 = body;
        border.deadline = None;
        *grudges = Grudges::default();
        *arsenal = issue(class, &rules, clock.tick);
        *vitals = Vitals {
            status: Status::Alive,
            health_hp: 100,
            armour: rules.class(class).armour,
            spawned_at: clock.tick,
            ..Vitals::default()
        };
        events.0.push(Event::Spawned { player: identity.slot, pos });
    }
}

/// What a soldier of a class is given for a new life.
fn issue(class: Class, rules: &SimConfig, now: Tick) -> Arsenal {
    let spec = rules.class(class);
    let carried = rules.loadout(class).weapons.map(|id| {
        let weapon = rules.weapon(id);
        CarriedWeapon { id, ammo: weapon.magazine, reserve: weapon.reserve }
    });
    Arsenal {
        weapons: carried,
        grenades: spec.grenades,
        gadgets: spec.gadgets,
        next_fire: now,
        next_gadget: now,
        ..Arsenal::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_come_every_period_and_by_turns() {
        assert_eq!(next_wave(Tick(0), Team::Red, 300), Tick(300));
        assert_eq!(next_wave(Tick(299), Team::Red, 300), Tick(300));
        assert_eq!(next_wave(Tick(300), Team::Red, 300), Tick(600));
        assert_eq!(next_wave(Tick(0), Team::Blue, 300), Tick(150));
        assert_eq!(next_wave(Tick(150), Team::Blue, 300), Tick(450));
    }
}
