//! Spotting: a player marks the enemy it looks at for its team.

use bevy_ecs::prelude::*;
use sortie_field::{Vec3, angle::direction};

use super::bodies::Bodies;
use super::hands::eyes;
use crate::components::{Identity, Intent, Pose, Prop, PropTable, Requests, Roster, Vitals};
use crate::id::PlayerSlot;
use crate::view::PropKind;
use crate::world::{Clock, Ground, Rules};

/// An enemy within this cosine of the view can be meant: about eight degrees.
const SPOT_COS: f32 = 0.99;
/// So far beside each metre of the view is that, or a little farther.
const SPOT_TAN: f32 = 0.15;

type Watcher =
    (&'static Identity, &'static Pose, &'static Intent, &'static Requests, &'static Vitals);

type Spotter = (&'static mut Requests, &'static mut Vitals);

pub(super) fn spot_enemies(
    roster: Res<Roster>,
    clock: Res<Clock>,
    ground: Res<Ground>,
    rules: Res<Rules>,
    table: Res<PropTable>,
    bodies: Res<Bodies>,
    props: Query<&Prop>,
    mut soldiers: ParamSet<(Query<Watcher>, Query<Spotter>)>,
    mut looked: Local<Vec<(PlayerSlot, Option<PlayerSlot>)>>,
) {
    looked.clear();
    let watchers = soldiers.p0();
    for (identity, pose, intent, requests, vitals) in
        watchers.iter_many(roster.entities()).flatten()
    {
        if !requests.spot || clock.tick < requests.next_spot || !vitals.alive() {
            continue;
        }
        let from = eyes(pose, &rules);
        let view = direction(intent.input.yaw, intent.input.pitch);
        let far = from + view * rules.combat.spot_m;
        let mut best: Option<(f32, PlayerSlot)> = None;
        bodies.near_line(from, far, rules.combat.spot_m * SPOT_TAN, |other| {
            if other.team == identity.team || !other.alive() {
                return;
            }
            let chest = other.pose.pos + Vec3::Y;
            let way = chest - from;
            let distance_m = way.length();
            let cos = way.dot(view) / distance_m.max(1e-3);
            // The nearest to the middle of the view; the lower slot when equal.
            let better = best.is_none_or(|(best_cos, slot)| (-cos, other.slot) < (-best_cos, slot));
            if cos >= SPOT_COS
                && distance_m <= rules.combat.spot_m
                && better
                && ground.line_clear(from, chest)
                && !smoke_between(from, chest, &table, &props)
            {
                best = Some((cos, other.slot));
            }
        });
        looked.push((identity.slot, best.map(|(_, enemy)| enemy)));
    }
    let mut spotters = soldiers.p1();
    for &(spotter, enemy) in looked.iter() {
        // Looking in vain costs the turn too: it costs the server the same.
        if let Some(Ok((mut requests, _))) = roster.get(spotter).map(|e| spotters.get_mut(e)) {
            requests.next_spot = clock.after(rules.combat.spot_s);
        }
        let Some(entity) = enemy.and_then(|enemy| roster.get(enemy)) else { continue };
        if let Ok((_, mut vitals)) = spotters.get_mut(entity) {
            vitals.spotted_until = clock.after(rules.combat.spotted_s);
            vitals.spotted_by = Some(spotter);
        }
    }
}

/// Whether a cloud lies on the line between two places.
fn smoke_between(from: Vec3, to: Vec3, table: &PropTable, props: &Query<&Prop>) -> bool {
    let way = to - from;
    let clouds = props.iter_many(table.rows().iter().map(|row| row.1)).flatten();
    clouds.filter(|prop| prop.kind == PropKind::Smoke).any(|cloud| {
        let along = (cloud.pos - from).dot(way) / way.length_squared().max(1e-6);
        let nearest = from + way * along.clamp(0.0, 1.0);
        (nearest - cloud.pos).length() <= cloud.radius_m
    })
}
