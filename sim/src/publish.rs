//! The view's rows are filled from the world, in place.

use bevy_ecs::prelude::*;

use crate::components::{
    Arsenal, Identity, Intent, Pose, Prop, PropTable, Requests, Roster, SquadMember, Stats, Vitals,
};
use crate::objective::Round;
use crate::schedule::{Phase, Timetable};
use crate::spawn::next_entry;
use crate::view::{PointRow, PropRow, SoldierRow, Status, View};
use crate::world::{Clock, Rules};

/// The view as a part of the world.
#[derive(Resource, Debug, Default)]
pub(crate) struct PublishedView(pub View);

pub(crate) fn add_systems(timetable: &mut Timetable) {
    timetable.add(Phase::View, (publish_soldiers, publish_props, publish_round).chain());
}

type SoldierParts = (
    &'static Identity,
    &'static Pose,
    &'static Intent,
    &'static Requests,
    &'static Vitals,
    &'static Arsenal,
    &'static SquadMember,
    &'static Stats,
);

fn publish_soldiers(
    clock: Res<Clock>,
    roster: Res<Roster>,
    rules: Res<Rules>,
    round: Res<Round>,
    soldiers: Query<SoldierParts>,
    mut published: ResMut<PublishedView>,
) {
    let view = &mut published.0;
    view.tick = clock.tick;
    view.soldiers.clear();
    let rows = soldiers.iter_many(roster.entities()).flatten().map(
        |(identity, pose, intent, requests, vitals, arsenal, squad, stats)| {
            let weapon = &arsenal.weapons[usize::from(arsenal.active)];
            let input = &intent.input;
            SoldierRow {
                key: identity.key,
                slot: identity.slot,
                team: identity.team,
                squad: squad.squad,
                class: identity.class,
                status: vitals.status,
                body: pose.0,
                yaw: input.yaw,
                pitch: input.pitch,
                weapon: weapon.id,
                weapon_slot: arsenal.active,
                aiming: vitals.alive() && intent.holds(crate::command::Buttons::AIM),
                reloading: arsenal.reload_until.is_some(),
                fired_at: arsenal.fired_at,
                hit_at: vitals.hit_at,
                health_hp: vitals.health_hp,
                ammo: weapon.ammo,
                reserve: weapon.reserve,
                grenades: arsenal.grenades,
                spotted_until: vitals.spotted_until,
                order: squad.order,
                spawns_at: (vitals.status == Status::Waiting && requests.spawn.is_some()).then(
                    || {
                        let who = (clock.tick, identity.team, vitals.spawned_at);
                        next_entry(&clock, &rules.objective, &round, who)
                    },
                ),
                score: stats.score,
            }
        },
    );
    view.soldiers.extend(rows);
}

fn publish_props(table: Res<PropTable>, props: Query<&Prop>, mut published: ResMut<PublishedView>) {
    let view = &mut published.0;
    view.props.clear();
    let entities = table.rows().iter().map(|&(_, entity)| entity);
    let rows = props.iter_many(entities).flatten().map(|prop| PropRow {
        id: prop.id,
        kind: prop.kind,
        owner: prop.owner,
        team: prop.team,
        pos: prop.pos,
        vel: prop.vel,
        radius_m: prop.radius_m,
    });
    view.props.extend(rows);
}

fn publish_round(round: Res<Round>, rules: Res<Rules>, mut published: ResMut<PublishedView>) {
    let view = &mut published.0;
    view.round = round.state;
    view.tickets = round.score(&rules);
    view.points.clear();
    view.points.extend(round.points.iter().map(|point| PointRow {
        owner: point.owner,
        progress: point.progress,
        inside: point.inside,
    }));
}
