//! The movement step; [`step_body`] is the one that server and client both run.
//!
//! Horizontally a body may go wherever every obstacle in its way leaves room. An obstacle's
//! footprint is convex, so the line through its nearest point, square to the direction towards
//! the body, has the whole obstacle behind it: a body that stays before these lines touches
//! nothing, and cutting a movement back to them never makes it longer. That is why nobody gets
//! faster by sliding along a wall, and why a thin wall stops everyone.
//!
//! Vertically a body stands on the highest surface under its disc that it can step up to, falls
//! when there is none near, and stops rising under a ceiling.

use glam::{Vec2, Vec3};

use crate::{
    angle::Yaw,
    body::{Body, MoveIntent, MoveRules, Stance},
    field::Field,
    obstacle::{Obstacle, Shape},
};

/// Longest step that is simulated at once, seconds: 20 Hz.
const STEP_S_MAX: f32 = 0.05;

/// Gap kept to walls, metres: more than positions at 4 km are rounded to.
const SKIN_M: f32 = 1e-3;

/// A body in the air steps up no further than rounding, metres.
const AIR_STEP_M: f32 = 0.02;

/// A body that somehow came to be inside an obstacle is pushed out this far a step, metres.
const PUSH_OUT_M: f32 = 0.05;

/// Obstacles that can hem in one body at once; further ones still stop it, but it slides less.
const WALL_COUNT_MAX: usize = 12;

/// Moves a body by one step of `dt_s` seconds; gives the height of the fall in metres when the
/// body lands after having been in the air.
///
/// Whatever the intent, also NaN and beyond its range: the body stays finite, on the map and out
/// of obstacles, and moves horizontally by at most `rules.sprint_mps * dt_s`. `dt_s` counts up to
/// 0.05; zero, negative and NaN do nothing.
pub fn step_body(
    body: &mut Body,
    intent: &MoveIntent,
    field: &Field,
    rules: &MoveRules,
    dt_s: f32,
) -> Option<f32> {
    let dt_s = dt_s.min(STEP_S_MAX);
    if dt_s.is_nan() || dt_s <= 0.0 {
        return None;
    }
    mend(body);
    let jumps = intent.jump && !body.jump_held && body.grounded;
    body.jump_held = intent.jump;
    take_stance(body, intent.crouch, field, rules);
    steer(body, intent, rules, dt_s);
    if jumps {
        body.grounded = false;
        body.vel.y = (2.0 * rules.gravity_mps2 * rules.jump_m).sqrt();
        body.fall_from_y = body.pos.y;
    }
    let wanted = Vec2::new(body.vel.x, body.vel.z) * dt_s;
    travel(body, wanted, field, rules, dt_s)
}

/// Shifts a body horizontally by `by` metres, at most 0.35, as far as obstacles, steep ground
/// and the map's edge allow; its velocity stays. For soft separation and knock-back.
pub fn push_body(body: &mut Body, by: Vec2, field: &Field, rules: &MoveRules) {
    let length = by.length();
    if !length.is_finite() || length == 0.0 {
        return;
    }
    let mut pushed = *body;
    pushed.vel = Vec3::ZERO;
    let by = by * (length.min(0.35) / length);
    // Time stands still: only the place changes.
    travel(&mut pushed, by, field, rules, 0.0);
    body.pos = pushed.pos;
    if body.grounded {
        body.fall_from_y = body.pos.y;
    }
}

/// States from outside may hold anything; stepping starts from a finite one.
fn mend(body: &mut Body) {
    if !body.pos.is_finite() {
        body.pos = Vec3::ZERO;
    }
    if !body.vel.is_finite() {
        body.vel = Vec3::ZERO;
    }
    if !body.fall_from_y.is_finite() {
        body.fall_from_y = body.pos.y;
    }
}

fn take_stance(body: &mut Body, crouch: bool, field: &Field, rules: &MoveRules) {
    body.stance = match (crouch, body.stance) {
        (true, _) => Stance::Crouched,
        (false, Stance::Standing) => Stance::Standing,
        (false, Stance::Crouched) => {
            let ceiling = ceiling(field, body.pos, rules.radius_m, body.pos.y + rules.crouch_m);
            let fits = ceiling >= body.pos.y + rules.stand_m;
            if fits { Stance::Standing } else { Stance::Crouched }
        }
    };
}

/// Turns the wish into a change of horizontal velocity.
fn steer(body: &mut Body, intent: &MoveIntent, rules: &MoveRules, dt_s: f32) {
    let axis = |value: f32| if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) };
    let (right, forward) = (axis(intent.right), axis(intent.forward));
    let speed_mps = wish_speed(body.stance, intent.sprint, right, forward, rules);
    let wish = world_wish(right, forward, intent.yaw, rules) * speed_mps;
    let now = Vec2::new(body.vel.x, body.vel.z);
    let rate_mps2 = match body.grounded {
        true if wish.length_squared() < now.length_squared() => rules.brake_mps2,
        true => rules.accelerate_mps2,
        // Letting go in the air keeps the momentum.
        false if wish == Vec2::ZERO => 0.0,
        false => rules.air_mps2,
    };
    let change = wish - now;
    let (length, most) = (change.length(), rate_mps2 * dt_s);
    let next = if length <= most { wish } else { now + change * (most / length) };
    let next = shorten(next, rules.sprint_mps);
    (body.vel.x, body.vel.z) = (next.x, next.y);
}

fn wish_speed(stance: Stance, sprint: bool, right: f32, forward: f32, rules: &MoveRules) -> f32 {
    match stance {
        Stance::Crouched => rules.crouch_mps,
        Stance::Standing if sprint && forward > 0.0 && forward >= right.abs() => rules.sprint_mps,
        Stance::Standing => rules.run_mps,
    }
}

/// The wish in the world's x and z, at most 1 long.
fn world_wish(right: f32, forward: f32, yaw: Yaw, rules: &MoveRules) -> Vec2 {
    let wish = shorten(Vec2::new(right, forward), 1.0);
    let forward = if wish.y < 0.0 { wish.y * rules.backward_factor } else { wish.y };
    if wish.x == 0.0 && forward == 0.0 {
        return Vec2::ZERO;
    }
    let (sin, cos) = libm::sincosf(yaw.radians());
    // Rounding may leave a unit vector a hair too long.
    shorten(Vec2::new(wish.x * cos + forward * sin, wish.x * sin - forward * cos), 1.0)
}

/// Moves the body by `wanted` as far as possible, then up or down.
fn travel(
    body: &mut Body,
    wanted: Vec2,
    field: &Field,
    rules: &MoveRules,
    dt_s: f32,
) -> Option<f32> {
    let was_grounded = body.grounded;
    let step_m = if was_grounded { rules.step_up_m } else { AIR_STEP_M };
    let height_m = body.stance.height_m(rules);
    let start = body.pos;

    let disc_m = rules.radius_m + SKIN_M;
    let reach_m = wanted.length() + disc_m;
    let walls = Walls::around(field, start, height_m, step_m, reach_m).keep_off(disc_m);
    let mut by = stay_on_map(field, start, walls.bend(wanted), rules.radius_m);
    by = refuse_steep(field, start, by, rules);
    // Edge and slope may have bent the way into a wall again; a shorter way is always free.
    by = walls.shorten(by);
    let limit_m = rules.sprint_mps * dt_s;
    if dt_s > 0.0 {
        by = shorten(by, limit_m);
    }
    let mut pos = Vec3::new(start.x + by.x, start.y, start.z + by.y);

    // Falling: exact for constant acceleration, so jumps are as high as the rule says.
    let mut rise_m = 0.0;
    if !was_grounded {
        rise_m = (body.vel.y - 0.5 * rules.gravity_mps2 * dt_s) * dt_s;
        body.vel.y = (body.vel.y - rules.gravity_mps2 * dt_s).max(-rules.fall_mps_max);
        rise_m = rise_m.max(-rules.fall_mps_max * dt_s);
    }
    let mut floor = find_floor(field, pos, rules.radius_m, start.y + step_m, by.length());
    let feet = if was_grounded {
        // Follow the ground down as far as a step, else start to fall.
        if floor.y >= start.y - rules.step_up_m { floor.y } else { start.y }
    } else {
        (start.y + rise_m).max(floor.y)
    };
    let ceiling_y = ceiling(field, pos, rules.radius_m, start.y + height_m);
    if feet + height_m > ceiling_y {
        if feet > floor.y && ceiling_y - height_m >= floor.y {
            // Rising into it: the head stops, the body falls back.
            pos.y = ceiling_y - height_m;
            body.vel.y = body.vel.y.min(0.0);
        } else {
            // The way leads under something too low.
            by = Vec2::ZERO;
            pos = start;
            floor = find_floor(field, pos, rules.radius_m, start.y + step_m, 0.0);
            pos.y = pos.y.max(floor.y.min(start.y + step_m));
            if !was_grounded {
                pos.y = (start.y + rise_m.min(0.0)).max(floor.y);
            }
        }
    } else {
        pos.y = feet;
    }
    body.pos = pos;
    if by != wanted && dt_s > 0.0 {
        let kept = shorten(by * (1.0 / dt_s), Vec2::new(body.vel.x, body.vel.z).length());
        (body.vel.x, body.vel.z) = (kept.x, kept.y);
    }
    settle(body, floor, was_grounded, rules)
}

/// Ground contact after a move, and what the fall was.
fn settle(body: &mut Body, floor: Floor, was_grounded: bool, rules: &MoveRules) -> Option<f32> {
    let touches = body.pos.y <= floor.y && body.vel.y <= 0.0;
    if !touches {
        body.grounded = false;
        body.fall_from_y = if was_grounded { body.pos.y } else { body.fall_from_y.max(body.pos.y) };
        return None;
    }
    let fall_m = body.fall_from_y - body.pos.y;
    body.fall_from_y = body.pos.y;
    body.grounded = !too_steep(floor.normal, rules);
    if body.grounded {
        body.vel.y = 0.0;
    } else {
        // What gravity and the slope leave of the velocity: the body slides down.
        body.vel -= floor.normal * floor.normal.dot(body.vel).min(0.0);
        let slide = shorten(Vec2::new(body.vel.x, body.vel.z), rules.sprint_mps);
        body.vel = Vec3::new(slide.x, body.vel.y.min(0.0), slide.y);
    }
    (!was_grounded && fall_m > 0.0).then_some(fall_m)
}

/// What hems a body in from where it stands.
struct Walls {
    walls: [Wall; WALL_COUNT_MAX],
    count: usize,
    /// More walls than there is room for: nothing moves.
    jammed: bool,
}

impl Walls {
    /// Obstacles in the way of a body of `height_m` whose feet climb `step_m`.
    fn around(field: &Field, start: Vec3, height_m: f32, step_m: f32, reach_m: f32) -> Self {
        let none = Wall { away: Vec2::ZERO, gap_m: f32::INFINITY };
        let mut around = Self { walls: [none; WALL_COUNT_MAX], count: 0, jammed: false };
        // A head that touches a ceiling is not inside it, however that rounds.
        let head = start.y + height_m - SKIN_M;
        for obstacle in field.near(start.x, start.z) {
            if obstacle.bottom() >= head || obstacle.top() <= start.y + step_m {
                continue;
            }
            let nearest = obstacle.nearest(start.x, start.z);
            if nearest.top_m > start.y + step_m {
                around.add(nearest.away, nearest.distance_m, reach_m);
            }
        }
        around
    }

    fn add(&mut self, away: [f32; 2], distance_m: f32, reach_m: f32) {
        if distance_m > reach_m {
            return;
        }
        self.jammed |= self.count == WALL_COUNT_MAX;
        if !self.jammed {
            self.walls[self.count] = Wall { away: Vec2::from(away), gap_m: distance_m };
            self.count += 1;
        }
    }

    /// Widens the body from a point to a disc.
    fn keep_off(mut self, radius_m: f32) -> Self {
        for wall in &mut self.walls[..self.count] {
            wall.gap_m = (wall.gap_m - radius_m).max(-PUSH_OUT_M);
        }
        self
    }

    /// The movement, bent along the walls.
    fn bend(&self, wanted: Vec2) -> Vec2 {
        // Being held off one wall may lead into another; a few rounds settle corners.
        let walls = &self.walls[..self.count];
        (0..4).fold(wanted, |by, _| walls.iter().fold(by, |by, wall| wall.hold(by)))
    }

    /// The movement, only as far as the tightest wall allows.
    fn shorten(&self, by: Vec2) -> Vec2 {
        if self.jammed {
            return Vec2::ZERO;
        }
        let shares = self.walls[..self.count].iter().map(|wall| wall.free_share(by));
        by * shares.fold(1.0, f32::min)
    }
}

/// The line through an obstacle's nearest point that a body must not cross.
#[derive(Clone, Copy)]
struct Wall {
    /// Unit vector from the obstacle to the body.
    away: Vec2,
    /// Room left; negative when the body is inside.
    gap_m: f32,
}

impl Wall {
    /// The nearest movement that keeps the gap open.
    fn hold(&self, by: Vec2) -> Vec2 {
        let towards = -self.away.dot(by);
        if towards > self.gap_m { by + self.away * (towards - self.gap_m) } else { by }
    }

    /// How much of a movement the gap allows, 0 to 1.
    fn free_share(&self, by: Vec2) -> f32 {
        let towards = -self.away.dot(by);
        let room = self.gap_m.max(0.0);
        // Rounding in `hold` must not stop a body that slides.
        if towards <= room + 1e-6 { 1.0 } else { room / towards }
    }
}

fn stay_on_map(field: &Field, start: Vec3, by: Vec2, radius_m: f32) -> Vec2 {
    let high = field.map().size_m - radius_m;
    let axis = |from: f32, by: f32| {
        let to = from + by;
        if to < radius_m {
            (radius_m - from).max(by)
        } else if to > high {
            (high - from).min(by)
        } else {
            by
        }
    };
    Vec2::new(axis(start.x, by.x), axis(start.z, by.y))
}

/// Takes the uphill part out of a movement onto ground that is too steep.
fn refuse_steep(field: &Field, start: Vec3, by: Vec2, rules: &MoveRules) -> Vec2 {
    let terrain = &field.map().terrain;
    let (x, z) = (start.x + by.x, start.z + by.y);
    // Ground well below the feet is no hindrance: the body flies or stands on something.
    if terrain.height(x, z) <= start.y {
        return by;
    }
    let normal = terrain.normal(x, z);
    if !too_steep(normal, rules) {
        return by;
    }
    let downhill = Vec2::new(normal.x, normal.z).normalize_or_zero();
    let by = Wall { away: downhill, gap_m: 0.0 }.hold(by);
    // Along a curved slope the ground may still rise; then the body stays.
    let rise_m = terrain.height(start.x + by.x, start.z + by.y) - start.y;
    if rise_m > 0.5 * by.length() + SKIN_M { Vec2::ZERO } else { by }
}

/// What a body stands on or falls towards.
#[derive(Clone, Copy)]
struct Floor {
    y: f32,
    /// Its normal; obstacles count as level.
    normal: Vec3,
}

/// The highest surface under the disc that is not above `reach_y`; the ground counts always, and
/// ramps count to where `moved_m` along them may have led.
fn find_floor(field: &Field, pos: Vec3, radius_m: f32, reach_y: f32, moved_m: f32) -> Floor {
    let terrain = &field.map().terrain;
    let mut floor = Floor { y: terrain.height(pos.x, pos.z), normal: Vec3::Y };
    let mut on_terrain = true;
    for obstacle in field.near(pos.x, pos.z) {
        if obstacle.bottom() > reach_y || obstacle.top() <= floor.y {
            continue;
        }
        let nearest = obstacle.nearest(pos.x, pos.z);
        let reach_y = if obstacle.shape == Shape::Ramp { reach_y + moved_m } else { reach_y };
        if nearest.distance_m < radius_m && nearest.top_m <= reach_y && nearest.top_m > floor.y {
            floor.y = nearest.top_m;
            on_terrain = false;
        }
    }
    if on_terrain {
        floor.normal = terrain.normal(pos.x, pos.z);
    }
    floor
}

/// The lowest underside over the disc that is not below `from_y`.
fn ceiling(field: &Field, pos: Vec3, radius_m: f32, from_y: f32) -> f32 {
    let hangs_over = |obstacle: &&Obstacle| {
        obstacle.bottom() >= from_y - SKIN_M && obstacle.nearest(pos.x, pos.z).distance_m < radius_m
    };
    field.near(pos.x, pos.z).filter(hangs_over).map(Obstacle::bottom).fold(f32::INFINITY, f32::min)
}

/// The same direction, at most `length_max` long.
fn shorten(v: Vec2, length_max: f32) -> Vec2 {
    let squared = v.length_squared();
    if squared > length_max * length_max { v * (length_max / squared.sqrt()) } else { v }
}

pub(crate) fn too_steep(normal: Vec3, rules: &MoveRules) -> bool {
    // Nearly level is never too steep, and needs no cosine.
    const LEVEL: f32 = 0.9999;
    normal.y < LEVEL && normal.y < libm::cosf(rules.slope_deg_max * (core::f32::consts::PI / 180.0))
}
