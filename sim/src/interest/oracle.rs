//! What a player may know at most, by brute force: for tests that look for leaks.
//!
//! It keeps nothing, shares nothing with [`Visibility`](super::Visibility) but the rules, and
//! looks along every line in every tick. Whatever is sent to a client must be known by this.

use sortie_field::{Field, Stance, Vec3};

use crate::config::{InterestMode, InterestRules};
use crate::id::{EntityId, PlayerSlot};
use crate::view::{PropKind, PropRow, SoldierRow, Status, View};

/// Whether `observer` may know of `entity` in the last of `views`, which are the ticks of the
/// grace time and the present one, in order and without gaps.
pub fn oracle_may_know(
    views: &[View],
    field: &Field,
    rules: &InterestRules,
    observer: PlayerSlot,
    entity: EntityId,
) -> bool {
    let Some(now) = views.last() else { return false };
    let Some(me) = now.soldiers.get(usize::from(observer.0)) else { return false };
    if entity == EntityId::from(observer) || is_on_team(now, me, entity) {
        return true;
    }
    let Some(other) = place_of(now, entity) else { return false };
    if !in_field(me) || (other - me.body.pos).length() > rules.view_m {
        return false;
    }
    if rules.mode == InterestMode::Circle || is_spotted(now, entity) {
        return true;
    }
    let ticks = views.iter().rev().take(usize::from(rules.grace_ticks) + 1);
    ticks.into_iter().any(|view| sees(view, field, rules, observer, entity))
}

/// Whether `entity` is in line of sight of `observer` in this one tick.
pub fn sees(
    view: &View,
    field: &Field,
    rules: &InterestRules,
    observer: PlayerSlot,
    entity: EntityId,
) -> bool {
    let me = &view.soldiers[usize::from(observer.0)];
    if !in_field(me) {
        return false;
    }
    let eye = me.body.pos + Vec3::Y * (height_m(me) - 0.15);
    let clear = |to: Vec3, hidden_by_smoke: bool| {
        let smoke = view.props.iter().filter(|prop| prop.kind == PropKind::Smoke);
        let hidden = smoke.into_iter().any(|cloud| hidden_by_smoke && hides(cloud, eye, to));
        !hidden && field.line_clear(eye, to)
    };
    let points = |pos: Vec3, body_m: f32, top_m: f32, side_m: f32| {
        let away = Vec3::new(pos.x - eye.x, 0.0, pos.z - eye.z);
        let beside = Vec3::new(-away.z, 0.0, away.x) * (side_m / away.length().max(1e-3));
        let body = pos + Vec3::Y * body_m;
        [body, pos + Vec3::Y * top_m, body + beside, body - beside]
    };
    if let Some(other) = view.soldiers.get(entity.0 as usize) {
        let height_m = height_m(other);
        let points =
            points(other.body.pos, 0.75 * height_m, height_m + rules.peek_m, 0.4 + rules.peek_m);
        return in_field(other) && points.into_iter().any(|point| clear(point, true));
    }
    let Some(prop) = prop_of(view, entity) else { return false };
    let cloud = prop.kind == PropKind::Smoke;
    let size_m = rules.peek_m + if cloud { prop.radius_m } else { 0.3 };
    points(prop.pos, 0.1, size_m, size_m).into_iter().any(|point| clear(point, !cloud))
}

fn is_on_team(view: &View, me: &SoldierRow, entity: EntityId) -> bool {
    let soldier = view.soldiers.get(entity.0 as usize).map(|row| row.team);
    let team = soldier.or_else(|| prop_of(view, entity).map(|prop| prop.team));
    team == Some(me.team)
}

fn is_spotted(view: &View, entity: EntityId) -> bool {
    let row = view.soldiers.get(entity.0 as usize);
    row.is_some_and(|row| row.spotted_until.0 > 0 && row.spotted_until >= view.tick)
}

fn place_of(view: &View, entity: EntityId) -> Option<Vec3> {
    match view.soldiers.get(entity.0 as usize) {
        Some(row) => in_field(row).then_some(row.body.pos),
        None => prop_of(view, entity).map(|prop| prop.pos),
    }
}

fn prop_of(view: &View, entity: EntityId) -> Option<&PropRow> {
    view.props.iter().find(|prop| prop.id == entity)
}

fn in_field(row: &SoldierRow) -> bool {
    matches!(row.status, Status::Alive | Status::Down)
}

fn height_m(row: &SoldierRow) -> f32 {
    match (row.status, row.body.stance) {
        (Status::Down, _) => 0.5,
        (_, Stance::Crouched) => 1.2,
        (_, Stance::Standing) => 1.8,
    }
}

/// Solves for the two places where the line meets the ball.
fn hides(cloud: &PropRow, from: Vec3, to: Vec3) -> bool {
    let (along, start) = (to - from, from - cloud.pos);
    let inside = start.length() < cloud.radius_m || (to - cloud.pos).length() < cloud.radius_m;
    let (a, b) = (along.length_squared(), 2.0 * start.dot(along));
    let c = start.length_squared() - cloud.radius_m * cloud.radius_m;
    let root = b * b - 4.0 * a * c;
    if inside || a == 0.0 || root <= 0.0 {
        return inside;
    }
    let first = (-b - root.sqrt()) / (2.0 * a);
    (0.0..=1.0).contains(&first)
}
