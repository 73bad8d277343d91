//! The mode in which nobody fights: soldiers come in anywhere on the map, at once.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;
use sortie_field::body::{Body, MoveRules};

use crate::components::{Identity, Pose, Requests, Roster, Vitals};
use crate::config::Mode;
use crate::event::Event;
use crate::id::Team;
use crate::rng::{Dice, Rng, Stream};
use crate::schedule::{Phase, Timetable};
use crate::spawn::spawn_waves;
use crate::transient::EventLog;
use crate::view::Status;
use crate::world::{Clock, Ground, Rules};

/// Places that chance tries, some of which may be out of bounds.
const TRIES_MAX: usize = 16;

pub(crate) fn add_systems(timetable: &mut Timetable) {
    timetable.add(
        Phase::Objective,
        (place_walkers, change_health).chain().after(spawn_waves).run_if(walking),
    );
}

fn walking(rules: Res<Rules>) -> bool {
    rules.mode == Mode::Walk
}

fn place_walkers(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    rng: Res<Rng>,
    mut soldiers: Query<(&Identity, &mut Pose, &mut Requests, &mut Vitals)>,
    mut events: ResMut<EventLog>,
) {
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((identity, mut pose, mut requests, mut vitals))) = soldiers.fetch_next() {
        if vitals.status != Status::Waiting || requests.spawn.take().is_none() {
            continue;
        }
        let mut dice = rng.dice(clock.tick, identity.slot, Stream::Spawn);
        let pos = anywhere(&ground, identity.team, &rules.movement, &mut dice);
        pose.0 = Body::at(pos);
        vitals.status = Status::Alive;
        vitals.health_hp = 100;
        vitals.spawned_at = clock.tick;
        events.0.push(Event::Spawned { player: identity.slot, pos });
    }
}

/// A free place by chance within the boundary; near the team's base when chance finds none.
fn anywhere(ground: &Ground, team: Team, rules: &MoveRules, dice: &mut Dice) -> Vec3 {
    let map = ground.map();
    let mut chance = (0..TRIES_MAX).map(|_| (dice.unit() * map.size_m, dice.unit() * map.size_m));
    let (x, z) = chance.find(|&(x, z)| ground.inside_boundary(x, z)).unwrap_or_else(|| {
        let base = map.bases[team.index()].first();
        base.map_or((map.size_m * 0.5, map.size_m * 0.5), |base| (base.center.x, base.center.z))
    });
    ground.free_place(x, z, rules)
}

/// Health changes for one walker in a hundred each second, so that there is something to send.
fn change_health(
    roster: Res<Roster>,
    clock: Res<Clock>,
    rng: Res<Rng>,
    mut soldiers: Query<(&Identity, &mut Vitals)>,
) {
    let mut soldiers = soldiers.iter_many_mut(roster.entities());
    while let Some(Ok((identity, mut vitals))) = soldiers.fetch_next() {
        let mut dice = rng.dice(clock.tick, identity.slot, Stream::Health);
        if vitals.alive() && dice.below(100 * u32::from(clock.hz)) == 0 {
            vitals.health_hp = 50 + dice.below(51) as u8;
        }
    }
}
