//! Getting there: local steering with a few short rays, and a way out when stuck.

use sortie_field::{Vec3, Yaw, direction};

use super::{
    random::Random,
    view::{BotView, apart_m},
};

/// How far ahead whiskers feel, metres.
const FEEL_M: f32 = 4.0;

/// Rays run this high above the feet, metres: over what a foot steps up, under what stops it.
const KNEE_M: f32 = 0.6;

/// Rays run this far left and right of the way, metres: a body's radius.
const SIDE_M: f32 = 0.4;

/// Turns away from the straight way that are tried, in the order of preference, units.
const TURNS: [u16; 4] = [4_096, 8_192, 13_107, 18_000];

/// The way a bot goes.
#[derive(Clone, Debug)]
pub(super) struct Steer {
    heading: Option<Yaw>,
    /// Which side it passes obstacles on, while it does.
    prefers_left: bool,
    /// Follows this heading without asking, until a tick.
    detour: Option<(Yaw, u32)>,
    checked_at: u32,
    checked_pos: Vec3,
    jump_until: u32,
    stuck: u32,
}

impl Steer {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            heading: None,
            prefers_left: random.chance(0.5),
            detour: None,
            checked_at: 0,
            checked_pos: Vec3::ZERO,
            jump_until: 0,
            stuck: 0,
        }
    }

    pub(super) fn start(&mut self, view: &BotView<'_>) {
        self.detour = None;
        self.stuck = 0;
        (self.checked_at, self.checked_pos) = (view.tick, view.me.pos);
    }

    /// World heading to walk along; `None`: stand.
    pub(super) fn heading(&self) -> Option<Yaw> {
        self.heading
    }

    /// Chooses the heading to a place.
    pub(super) fn choose(
        &mut self,
        view: &BotView<'_>,
        destination: Option<Vec3>,
        random: &mut Random,
    ) {
        let Some(destination) = destination else {
            self.heading = None;
            return;
        };
        if let Some((heading, until)) = self.detour {
            if view.tick < until {
                self.heading = Some(heading);
                return;
            }
            self.detour = None;
        }
        let (dx, dz) = (destination.x - view.me.pos.x, destination.z - view.me.pos.z);
        // On the coarse grid, so that the way to a far place does not creep.
        let straight = Yaw(Yaw::towards(dx, dz).0.wrapping_add(256) & !511);
        let feel_m = FEEL_M.min((dx * dx + dz * dz).sqrt());
        self.heading = Some(self.free_way(view, straight, feel_m, random));
    }

    /// The straight way, or the first turn from it that is free.
    fn free_way(
        &mut self,
        view: &BotView<'_>,
        straight: Yaw,
        feel_m: f32,
        random: &mut Random,
    ) -> Yaw {
        if is_free(view, straight, feel_m) {
            return straight;
        }
        for turn in TURNS {
            for left in [self.prefers_left, !self.prefers_left] {
                let turn = if left { turn.wrapping_neg() } else { turn };
                let heading = Yaw(straight.0.wrapping_add(turn));
                if is_free(view, heading, FEEL_M * 0.75) {
                    self.prefers_left = left;
                    return heading;
                }
            }
        }
        // Hemmed in: back, and to the side.
        let turn = random.range(20_000.0, 45_000.0) as u16;
        Yaw(straight.0.wrapping_add(turn))
    }

    /// Notices when walking leads nowhere.
    pub(super) fn watch_progress(&mut self, view: &BotView<'_>, random: &mut Random) {
        if view.tick < self.checked_at + view.ticks(0.75) {
            return;
        }
        let moved_m = apart_m(view.me.pos, self.checked_pos);
        (self.checked_at, self.checked_pos) = (view.tick, view.me.pos);
        let Some(heading) = self.heading else { return };
        if moved_m > 0.8 {
            self.stuck = self.stuck.saturating_sub(1);
            return;
        }
        self.stuck = (self.stuck + 1).min(6);
        self.jump_until = view.after_s(0.4);
        if self.stuck > 1 {
            // Further and further aside, the longer it lasts.
            let turn = random.range(10_000.0, 10_000.0 + 4_000.0 * self.stuck as f32) as u16;
            let turn = if random.chance(0.5) { turn } else { turn.wrapping_neg() };
            let heading = Yaw(heading.0.wrapping_add(turn));
            let until = view.after_s(random.range(0.5, 0.5 + 0.4 * self.stuck as f32));
            self.prefers_left = !self.prefers_left;
            self.detour = Some((heading, until));
            self.heading = Some(heading);
        }
    }

    pub(super) fn jumps(&self, view: &BotView<'_>) -> bool {
        view.tick < self.jump_until
    }
}

/// Whether a body could walk this far along a heading, as far as two rays can tell.
fn is_free(view: &BotView<'_>, heading: Yaw, feel_m: f32) -> bool {
    let ahead = direction(heading, sortie_field::Pitch(0));
    let (knee, side) = (Vec3::Y * KNEE_M, Vec3::new(-ahead.z, 0.0, ahead.x) * SIDE_M);
    let end = view.me.pos + ahead * feel_m;
    if !view.field.inside_boundary(end.x, end.z) {
        return false;
    }
    let level = end.y;
    let ground = view.field.ground_y(end.x, end.z);
    [side, -side].into_iter().all(|side| {
        let from = view.me.pos + side + knee;
        let to = end + side + knee;
        // Along the ground, or level, as from the edge of something one stands on.
        let along_ground = Vec3::new(to.x, ground + KNEE_M, to.z);
        view.field.line_clear(from, along_ground)
            || ((level - ground).abs() > 0.3 && view.field.line_clear(from, to))
    })
}
