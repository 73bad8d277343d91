//! Where a bot wants to be: a capture point, a place within it, cover when it is hurt.

use sortie_field::{Vec3, Yaw, direction};

use super::{
    random::{Random, mix, unit},
    view::{BotView, Enemy, SpawnChoice, apart_m},
};

/// Squads are this many slots: their bots go together.
const SQUAD_SLOTS: u16 = 5;

/// A point that is already owned looks this much farther away, metres.
const OWNED_M: f32 = 150.0;

/// How much squads differ in what they find near, metres.
const TASTE_M: f32 = 90.0;

/// Below this a bot that is shot at looks for cover, hit points.
const HURT_HP: u8 = 40;

/// What a bot is after.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    taste: u64,
    point: Option<usize>,
    reconsider_at: u32,
    /// Where to stand or wander now.
    spot: Option<Vec3>,
    spot_until: u32,
    cover: Option<(Vec3, u32)>,
    glance: Option<(Yaw, u32)>,
    glances: u64,
}

impl Goal {
    pub(super) fn new(seed: u64, slot: u16) -> Self {
        Self {
            taste: mix(seed ^ u64::from(slot / SQUAD_SLOTS) << 20),
            point: None,
            reconsider_at: 0,
            spot: None,
            spot_until: 0,
            cover: None,
            glance: None,
            glances: mix(seed ^ u64::from(slot)),
        }
    }

    /// A new life, a new plan.
    pub(super) fn forget(&mut self) {
        (self.point, self.spot, self.cover) = (None, None, None);
        self.reconsider_at = 0;
    }

    /// The place to walk to; `None`: stay.
    pub(super) fn choose(
        &mut self,
        view: &BotView<'_>,
        target: Option<&Enemy>,
        random: &mut Random,
    ) -> Option<Vec3> {
        if let Some(cover) = self.take_cover(view, target, random) {
            return (apart_m(cover, view.me.pos) > 0.8).then_some(cover);
        }
        if view.tick >= self.reconsider_at {
            self.reconsider_at = view.after_s(random.range(1.5, 3.0));
            self.pick_point(view, random);
        }
        let place = match self.point.and_then(|index| view.points.get(index)) {
            Some(point) if apart_m(point.pos, view.me.pos) > point.radius_m * 0.7 => point.pos,
            Some(point) => self.wander(view, point.pos, point.radius_m * 0.65, random),
            None => {
                let middle = view.field.map().size_m * 0.5;
                let center = Vec3::new(middle, 0.0, middle);
                self.wander(view, center, middle * 0.5, random)
            }
        };
        (apart_m(place, view.me.pos) > 1.0).then_some(place)
    }

    /// Whether the way is long enough to sprint.
    pub(super) fn is_far(&self, view: &BotView<'_>) -> bool {
        let place = self.point.and_then(|index| view.points.get(index));
        place.is_some_and(|point| apart_m(point.pos, view.me.pos) > point.radius_m * 0.7)
    }

    /// Where to look while standing.
    pub(super) fn glance(&mut self, view: &BotView<'_>) -> Option<Yaw> {
        match self.glance {
            Some((yaw, until)) if view.tick < until => Some(yaw),
            _ => {
                self.glances = mix(self.glances.wrapping_add(1));
                let turn = (self.glances >> 48) as u16 / 2;
                let yaw = Yaw(view.me.yaw.0.wrapping_add(turn.wrapping_sub(16_384)) & !511);
                self.glance = Some((yaw, view.after_s(1.0 + 1.5 * unit(self.glances << 16))));
                Some(yaw)
            }
        }
    }

    /// Where to come into the battle.
    pub(super) fn spawn_place(&mut self, view: &BotView<'_>, random: &mut Random) -> SpawnChoice {
        if random.chance(0.25) {
            return SpawnChoice::Squad;
        }
        let own = |(_, point): &(usize, &super::Point)| {
            point.owner == Some(view.me.team) && !point.contested
        };
        let owned = view.points.iter().enumerate().filter(own).count();
        if owned > 0 && random.chance(0.6) {
            let pick = (random.unit() * owned as f32) as usize;
            if let Some((index, _)) = view.points.iter().enumerate().filter(own).nth(pick) {
                return SpawnChoice::Point(index as u8);
            }
        }
        SpawnChoice::Base
    }

    fn pick_point(&mut self, view: &BotView<'_>, random: &mut Random) {
        let cost = |index: usize| -> f32 {
            let point = &view.points[index];
            let is_ours = point.owner == Some(view.me.team);
            let owned_m = if is_ours && !point.contested { OWNED_M } else { 0.0 };
            let taste_m = unit(mix(self.taste ^ index as u64)) * TASTE_M;
            let habit_m = if self.point == Some(index) { -30.0 } else { 0.0 };
            apart_m(point.pos, view.me.pos) + owned_m + taste_m + habit_m
        };
        let best = (0..view.points.len()).min_by(|&a, &b| cost(a).total_cmp(&cost(b)));
        if best != self.point {
            self.spot = None;
        }
        // Now and then a squad changes its mind, or the map would freeze.
        if random.chance(0.01) {
            self.taste = mix(self.taste);
        }
        self.point = best;
    }

    /// A spot on open ground around a place, a new one every few seconds.
    fn wander(
        &mut self,
        view: &BotView<'_>,
        center: Vec3,
        radius_m: f32,
        random: &mut Random,
    ) -> Vec3 {
        if let Some(spot) = self.spot.filter(|_| view.tick < self.spot_until) {
            return spot;
        }
        self.spot_until = view.after_s(random.range(3.0, 6.0));
        let mut spot = center;
        for _ in 0..4 {
            let x = center.x + random.range(-radius_m, radius_m);
            let z = center.z + random.range(-radius_m, radius_m);
            spot = Vec3::new(x, view.field.ground_y(x, z), z);
            if view.field.has_room(spot, 0.6, 1.8) && view.field.inside_boundary(x, z) {
                break;
            }
        }
        self.spot = Some(spot);
        spot
    }

    /// When hurt and in sight of an enemy: the nearest of a few places that it cannot see.
    fn take_cover(
        &mut self,
        view: &BotView<'_>,
        target: Option<&Enemy>,
        random: &mut Random,
    ) -> Option<Vec3> {
        if let Some((cover, until)) = self.cover {
            if view.tick < until {
                return Some(cover);
            }
            self.cover = None;
        }
        let enemy = target.filter(|_| view.me.health_hp < HURT_HP)?;
        let eye = enemy.pos + Vec3::Y * 1.6;
        let turn = (random.next() >> 48) as u16;
        for step in 0..6u16 {
            let heading = Yaw(turn.wrapping_add(step * 10_923));
            let at = view.me.pos + direction(heading, sortie_field::Pitch(0)) * 7.0;
            let at = Vec3::new(at.x, view.field.ground_y(at.x, at.z), at.z);
            let hidden = !view.field.line_clear(eye, at + Vec3::Y * 1.2);
            if hidden && view.field.has_room(at, 0.5, 1.8) {
                self.cover = Some((at, view.after_s(random.range(2.0, 4.0))));
                return Some(at);
            }
        }
        // None near: not asked again for a moment.
        self.cover = Some((view.me.pos, view.after_s(1.0)));
        None
    }
}
