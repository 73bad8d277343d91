//! Soldiers come into the field in waves: a wave per team every few seconds, Blue's half a period
//! after Red's.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;
use sortie_field::body::Body;

use crate::command::SpawnAt;
use crate::components::{
    Arsenal, Border, CarriedWeapon, Grudges, Identity, Pose, Requests, Roster, SquadMember, Vitals,
};
use crate::config::{ObjectiveRules, SimConfig};
use crate::event::Event;
use crate::facts::EventLog;
use crate::id::{Class, PlayerSlot, SquadId, Team, Tick};
use crate::objective::Round;
use crate::rng::{Dice, Rng, Stream};
use crate::view::{RoundState, Status};
use crate::world::{Clock, Ground, Rules};

/// Places that chance tries before it takes one that may be inside something.
const TRIES_MAX: usize = 24;
/// Beside a squad mate is within this, metres.
const BESIDE_M: f32 = 4.0;

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

/// A living soldier whom squad mates may join.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    slot: PlayerSlot,
    team: Team,
    squad: SquadId,
    pos: Vec3,
}

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
            let pos = pose.0.pos;
            let fit = vitals.alive() && !hit;
            squad.squad.filter(|_| fit).map(|squad| Anchor { slot, team, squad, pos })
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
        let pos = places.choose(&identity, squad, at, &mut dice);
        identity.class = class;
        pose.0 = Body::at(pos);
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

/// Where soldiers may come in.
struct Places<'a> {
    ground: &'a Ground,
    rules: &'a SimConfig,
    round: &'a Round,
    anchors: &'a [Anchor],
}

impl Places<'_> {
    fn choose(
        &self,
        identity: &Identity,
        squad: &SquadMember,
        at: SpawnAt,
        dice: &mut Dice,
    ) -> Vec3 {
        let asked = match at {
            SpawnAt::Base => None,
            SpawnAt::Point(point) => self.own_point(usize::from(point.0), identity.team),
            SpawnAt::Squad => self.mate(identity, squad, dice),
        };
        let (center, radius_m) = asked.unwrap_or_else(|| self.base(identity.team, dice));
        self.free_place(center, radius_m, dice)
    }

    fn own_point(&self, point: usize, team: Team) -> Option<(Vec3, f32)> {
        let owned = self.round.points.get(point)?.owner == Some(team);
        let place = self.ground.map().points.get(point)?;
        owned.then_some((place.pos, place.radius_m))
    }

    fn mate(
        &self,
        identity: &Identity,
        squad: &SquadMember,
        dice: &mut Dice,
    ) -> Option<(Vec3, f32)> {
        let squad = squad.squad?;
        let mates = || {
            self.anchors.iter().filter(move |anchor| {
                (anchor.team, anchor.squad) == (identity.team, squad)
                    && anchor.slot != identity.slot
            })
        };
        let chosen = dice.below(mates().count() as u32) as usize;
        mates().nth(chosen).map(|anchor| (anchor.pos, BESIDE_M))
    }

    fn base(&self, team: Team, dice: &mut Dice) -> (Vec3, f32) {
        let map = self.ground.map();
        let areas = &map.bases[team.index()];
        match areas.get(dice.below(areas.len() as u32) as usize) {
            Some(area) => (area.center, area.radius_m),
            // A map without bases: anywhere.
            None => (Vec3::new(map.size_m * 0.5, 0.0, map.size_m * 0.5), map.size_m * 0.45),
        }
    }

    /// A place on the ground where a body fits.
    fn free_place(&self, center: Vec3, radius_m: f32, dice: &mut Dice) -> Vec3 {
        let movement = &self.rules.movement;
        let size_m = self.ground.map().size_m;
        let mut place = center;
        for _ in 0..TRIES_MAX {
            let (x, z) = dice.disc();
            let edge = movement.radius_m;
            let x = (center.x + x * radius_m).clamp(edge, size_m - edge);
            let z = (center.z + z * radius_m).clamp(edge, size_m - edge);
            place = Vec3::new(x, self.ground.ground_y(x, z), z);
            let inside = self.ground.inside_boundary(x, z);
            if inside && self.ground.has_room(place, movement.radius_m, movement.stand_m) {
                break;
            }
        }
        place
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
