//! One player's eyes: whom it looks for, whom it has seen, and when it looks again.

use sortie_field::{Field, Vec3};

use super::scene::{Body, Scene, prop_shape};
use super::sight::{POINT_COUNT, Shape, SmokeCloud, in_sight};
use super::visible::VisibleSet;
use crate::config::{InterestMode, InterestRules, SimConfig};
use crate::id::{EntityId, PlayerSlot, Tick};
use crate::view::{PropKind, PropRow, View};

/// An enemy out of sight and nearer than [`NEAR_M`] is looked for every so many ticks.
pub const NEAR_TICKS: u32 = 4;

/// An enemy out of sight and farther away is looked for every so many ticks.
pub const FAR_TICKS: u32 = 6;

/// A mate beyond `mates_m` is looked for every so many ticks.
const MATE_TICKS: u32 = 15;

/// What counts as near, metres.
pub const NEAR_M: f32 = 40.0;

/// Who is near enough to be looked for at all is found out every so many ticks.
const GATHER_TICKS: u32 = 6;

/// How fast somebody falls after 34 m. Whoever falls faster may be looked for a gathering late.
const FALL_MPS: f32 = 26.0;

/// What all observers of a battle go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookRules {
    interest: InterestRules,
    /// Bodies may come nearer by this much between two gatherings, metres: two sprints and a fall.
    approach_m: f32,
    /// A mate anywhere is shown for one of so many ticks, for the map: once a second.
    far_mate_ticks: u32,
}

impl LookRules {
    pub(super) fn new(config: &SimConfig) -> Self {
        let approach_mps = 2.0 * config.movement.sprint_mps + FALL_MPS;
        Self {
            interest: config.interest,
            approach_m: approach_mps * GATHER_TICKS as f32 / f32::from(config.tick_hz),
            far_mate_ticks: u32::from(config.tick_hz),
        }
    }
}

/// One player's eyes. Its buffers are reused.
#[derive(Debug, Default)]
pub(super) struct Observer {
    /// Whoever may come into question until the next gathering, ids ascending.
    candidates: Vec<Candidate>,
    /// Scratch: the candidates before this gathering.
    before: Vec<Candidate>,
    /// Who is visible, a bit a slot.
    soldiers: Vec<u64>,
    /// What is visible, ids ascending.
    props: Vec<EntityId>,
    /// Scratch: a bit a slot; a set that is walked in order.
    marks: Vec<u64>,
    /// Where and when the candidates were gathered.
    gathered: Option<(Vec3, Tick)>,
    /// Props from this id on are newer than the gathering.
    next_prop: EntityId,
    rays: u32,
}

/// Somebody or something that may come into sight.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    id: EntityId,
    /// Last tick in which it was in line of sight; 0 never.
    seen_at: Tick,
    /// When to look again.
    look_at: Tick,
    /// The point by which it was seen last, or the one to look at next.
    point: u8,
}

impl Observer {
    pub(super) fn visible(&self) -> VisibleSet<'_> {
        VisibleSet { soldiers: &self.soldiers, props: &self.props }
    }

    pub(super) fn rays(&self) -> u32 {
        self.rays
    }

    /// Takes up a tick.
    pub(super) fn look(
        &mut self,
        slot: PlayerSlot,
        scene: &Scene,
        view: &View,
        field: &Field,
        by: &LookRules,
    ) {
        let rules = &by.interest;
        self.soldiers.clear();
        self.soldiers.resize(scene.bodies.len().div_ceil(64), 0);
        self.props.clear();
        self.rays = 0;
        let eyes = &scene.bodies[usize::from(slot.0)];
        if !eyes.in_field {
            // Whoever comes back has seen nothing yet.
            self.gathered = None;
            self.candidates.clear();
            return self.know_squad(slot, eyes, scene);
        }
        if rules.mode == InterestMode::Circle {
            return self.know_circle(slot, eyes, scene, view, rules);
        }
        if self.gathering_is_due(slot, eyes, scene.tick, by.approach_m) {
            self.gather(slot, eyes, scene, view, rules.view_m + by.approach_m);
        }
        self.mark_far_mates(slot, eyes, scene, by.far_mate_ticks);
        self.add_new_props(scene, view);
        let sight = Sight { eyes, eye: eyes.eye(), scene, field, rules };
        for candidate in &mut self.candidates {
            let known = match candidate.id < EntityId::FIRST_PROP {
                true => sight.knows_soldier(slot, candidate, &mut self.rays),
                false => sight.knows_prop(candidate, view, &mut self.rays),
            };
            if known && candidate.id < EntityId::FIRST_PROP {
                self.soldiers[candidate.id.0 as usize / 64] |= 1 << (candidate.id.0 % 64);
            } else if known {
                self.props.push(candidate.id);
            }
        }
    }

    fn know_squad(&mut self, slot: PlayerSlot, eyes: &Body, scene: &Scene) {
        let Some(squad) = eyes.squad else { return };
        let in_field = |mate: &PlayerSlot| scene.bodies[usize::from(mate.0)].in_field;
        let mates = scene.squad(squad).filter(|&mate| mate != slot).filter(in_field);
        for mate in mates {
            self.soldiers[usize::from(mate.0) / 64] |= 1 << (mate.0 % 64);
        }
    }

    /// Everybody and everything within the view distance.
    fn know_circle(
        &mut self,
        slot: PlayerSlot,
        eyes: &Body,
        scene: &Scene,
        view: &View,
        rules: &InterestRules,
    ) {
        scene.soldiers.mark(eyes.pos, rules.view_m, &mut self.soldiers);
        self.soldiers[usize::from(slot.0) / 64] &= !(1 << (slot.0 % 64));
        let reach = rules.view_m * rules.view_m;
        let near = |prop: &&PropRow| (prop.pos - eyes.pos).length_squared() <= reach;
        self.props.extend(view.props.iter().filter(near).map(|prop| prop.id));
    }

    /// Mates anywhere are shown for a tick now and then, for the map: each at its own time.
    fn mark_far_mates(&mut self, slot: PlayerSlot, eyes: &Body, scene: &Scene, period: u32) {
        let first = (scene.tick.0 % period) as usize;
        for (other, body) in scene.bodies.iter().enumerate().skip(first).step_by(period as usize) {
            if body.in_field && body.team == eyes.team && other != usize::from(slot.0) {
                self.soldiers[other / 64] |= 1 << (other % 64);
            }
        }
    }

    /// Staggered by slot; at once for whoever was not there before or has been moved.
    fn gathering_is_due(&self, slot: PlayerSlot, eyes: &Body, tick: Tick, far_m: f32) -> bool {
        let Some((pos, gathered_at)) = self.gathered else { return true };
        let age = tick.0.saturating_sub(gathered_at.0);
        let turn = (tick.0.wrapping_add(u32::from(slot.0))).is_multiple_of(GATHER_TICKS);
        turn || age >= GATHER_TICKS || (eyes.pos - pos).length_squared() > far_m * far_m
    }

    /// Finds all within `reach_m` anew and keeps what is remembered of them.
    fn gather(&mut self, slot: PlayerSlot, eyes: &Body, scene: &Scene, view: &View, reach_m: f32) {
        let tick = scene.tick;
        self.gathered = Some((eyes.pos, tick));
        self.mark_near(slot, eyes, scene, reach_m);
        for mate in eyes.squad.into_iter().flat_map(|squad| scene.squad(squad)) {
            if mate != slot {
                self.marks[usize::from(mate.0) / 64] |= 1 << (mate.0 % 64);
            }
        }
        std::mem::swap(&mut self.candidates, &mut self.before);
        self.candidates.clear();
        let (before, candidates) = (&self.before, &mut self.candidates);
        let mut at = 0;
        let mut keep = |id: EntityId| {
            while before.get(at).is_some_and(|known| known.id < id) {
                at += 1;
            }
            let known = before.get(at).filter(|known| known.id == id);
            candidates.push(known.copied().unwrap_or_else(|| Candidate::new(id, slot, tick)));
        };
        drain_marks(&mut self.marks, &mut keep);
        // Props come in the view's order, by id, and there are few of them.
        let near = |prop: &&PropRow| (prop.pos - eyes.pos).length_squared() <= reach_m * reach_m;
        view.props.iter().filter(near).for_each(|prop| keep(prop.id));
        self.next_prop = next_prop(view, self.next_prop);
    }

    /// Props may be short-lived and fast: new ones come into question at once.
    fn add_new_props(&mut self, scene: &Scene, view: &View) {
        let first = view.props.partition_point(|prop| prop.id < self.next_prop);
        let new = view.props[first..].iter();
        let slot = PlayerSlot(0);
        self.candidates.extend(new.map(|prop| Candidate::new(prop.id, slot, scene.tick)));
        self.next_prop = next_prop(view, self.next_prop);
    }

    /// Marks the soldiers within `reach_m`, without the observer.
    fn mark_near(&mut self, slot: PlayerSlot, eyes: &Body, scene: &Scene, reach_m: f32) {
        self.marks.resize(scene.bodies.len().div_ceil(64), 0);
        scene.soldiers.mark(eyes.pos, reach_m, &mut self.marks);
        self.marks[usize::from(slot.0) / 64] &= !(1 << (slot.0 % 64));
    }
}

/// Calls `meet` for every marked slot, ascending, and leaves no mark.
fn drain_marks(marks: &mut [u64], mut meet: impl FnMut(EntityId)) {
    for (word, bits) in (0..).zip(marks) {
        while *bits != 0 {
            meet(EntityId(64 * word + bits.trailing_zeros()));
            *bits &= *bits - 1;
        }
    }
}

fn next_prop(view: &View, before: EntityId) -> EntityId {
    view.props.last().map_or(before, |prop| before.max(EntityId(prop.id.0 + 1)))
}

impl Candidate {
    fn new(id: EntityId, slot: PlayerSlot, tick: Tick) -> Self {
        // Staggered, so that no tick has to look for all newcomers.
        let delay = if id < EntityId::FIRST_PROP { (id.0 + u32::from(slot.0)) % 3 } else { 0 };
        Self { id, seen_at: Tick(0), look_at: Tick(tick.0 + delay), point: 0 }
    }
}

/// One pair of eyes in one tick.
struct Sight<'a> {
    eyes: &'a Body,
    eye: Vec3,
    scene: &'a Scene,
    field: &'a Field,
    rules: &'a InterestRules,
}

impl Sight<'_> {
    fn knows_soldier(&self, slot: PlayerSlot, candidate: &mut Candidate, rays: &mut u32) -> bool {
        let body = &self.scene.bodies[candidate.id.0 as usize];
        if !body.in_field {
            // A new life has not been seen.
            candidate.seen_at = Tick(0);
            return false;
        }
        if body.team == self.eyes.team && body.squad.is_some() && body.squad == self.eyes.squad {
            return true;
        }
        let distance = (body.pos - self.eyes.pos).length_squared();
        if distance > self.rules.view_m * self.rules.view_m {
            return false;
        }
        let shape = body.shape(self.rules.peek_m);
        if body.team == self.eyes.team {
            let near = distance <= self.rules.mates_m * self.rules.mates_m;
            return near || self.sees_mate(candidate, rays, shape);
        }
        debug_assert_ne!(candidate.id, EntityId::from(slot));
        // Looked at even while spotted: the spotting may end in any tick.
        let seen = self.sees(candidate, distance, rays, shape, true);
        seen || body.spotted
    }

    /// The own team is no secret: what is at stake is bytes, and a rare look is enough.
    fn sees_mate(&self, candidate: &mut Candidate, rays: &mut u32, shape: Shape) -> bool {
        let tick = self.scene.tick;
        if tick >= candidate.look_at {
            *rays += 1;
            candidate.look_at = Tick(tick.0 + MATE_TICKS);
            let seen = self.sees_point(shape, 0, &self.scene.smoke);
            candidate.seen_at = if seen { tick } else { Tick(0) };
        }
        candidate.seen_at.0 > 0
    }

    fn knows_prop(&self, candidate: &mut Candidate, view: &View, rays: &mut u32) -> bool {
        let Ok(place) = view.props.binary_search_by_key(&candidate.id, |prop| prop.id) else {
            return false;
        };
        let prop = &view.props[place];
        let distance = (prop.pos - self.eyes.pos).length_squared();
        if distance > self.rules.view_m * self.rules.view_m {
            return false;
        }
        if prop.team == self.eyes.team && distance <= self.rules.mates_m * self.rules.mates_m {
            return true;
        }
        // A cloud does not hide itself.
        let through_smoke = prop.kind != PropKind::Smoke;
        self.sees(candidate, distance, rays, prop_shape(prop, self.rules.peek_m), through_smoke)
    }

    /// Whether it is in sight, or was a moment ago; looks only when it is time to.
    fn sees(
        &self,
        candidate: &mut Candidate,
        distance: f32,
        rays: &mut u32,
        shape: Shape,
        through_smoke: bool,
    ) -> bool {
        let (tick, grace) = (self.scene.tick, u32::from(self.rules.grace_ticks));
        let seen = |at: Tick| at.0 > 0 && tick.0 <= at.0.saturating_add(grace);
        if tick < candidate.look_at {
            return seen(candidate.seen_at);
        }
        let smoke = if through_smoke { &self.scene.smoke[..] } else { &[] };
        let near = distance <= NEAR_M * NEAR_M;
        // Who was just seen is looked at thoroughly, and so is who is near; for the others half
        // of the points in turns must do.
        let looks = if near || seen(candidate.seen_at) { POINT_COUNT } else { POINT_COUNT / 2 };
        for _ in 0..looks {
            *rays += 1;
            if self.sees_point(shape, candidate.point, smoke) {
                candidate.seen_at = tick;
                candidate.look_at = Tick(tick.0 + grace);
                return true;
            }
            candidate.point = (candidate.point + 1) % POINT_COUNT;
        }
        candidate.look_at = Tick(tick.0 + if near { NEAR_TICKS } else { FAR_TICKS });
        seen(candidate.seen_at)
    }

    fn sees_point(&self, shape: Shape, point: u8, smoke: &[SmokeCloud]) -> bool {
        in_sight(self.eye, shape.point(point, self.eye), self.field, smoke)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_observers_go_by_follows_the_rules_and_the_tick_rate() {
        let shipped = SimConfig::default();
        let by = LookRules::new(&shipped);
        let mut other = SimConfig { tick_hz: 20, ..shipped.clone() };
        let slow = LookRules::new(&other);
        assert_eq!((by.far_mate_ticks, slow.far_mate_ticks), (60, 20));
        assert!((slow.approach_m - 3.0 * by.approach_m).abs() < 1e-3);
        other.movement.sprint_mps += 5.0;
        // Six ticks of a twentieth of a second, two who each run 5 m/s faster.
        let more_m = LookRules::new(&other).approach_m - slow.approach_m;
        assert!((more_m - 3.0).abs() < 1e-3, "{more_m}");
    }
}
