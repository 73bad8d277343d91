//! Where a bot looks: it turns as fast as a wrist, and its hand is never quite steady.
//!
//! The view moves on a coarse grid and rests within a dead band. Players' hands rest too; and an
//! input that repeats costs the wire and the journal next to nothing.

use sortie_field::{Pitch, Vec3, Yaw};

use super::{
    random::Random,
    view::{BotView, Enemy},
};

/// Angle units per degree.
pub(super) const UNITS_PER_DEGREE: f32 = 65_536.0 / 360.0;

/// Grid of the view while walking, and while aiming: 0.35 and 0.09 degrees.
const WALK_GRID: f32 = 64.0;
const AIM_GRID: f32 = 16.0;

/// Fastest turn, degrees a second.
const TURN_DPS: f32 = 420.0;

/// The hand's error when an enemy comes into view, and what is left of it after a while, degrees.
const FIRST_ERROR_DEG: f32 = 3.5;
const LAST_ERROR_DEG: f32 = 0.8;

/// Time in which the error falls to a third, seconds.
const SETTLE_S: f32 = 0.35;

/// Where on the body bots aim, metres above the feet.
const CHEST_M: f32 = 1.25;
const CROUCHED_CHEST_M: f32 = 0.8;

/// A bot's view and the error in it.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    /// Exact place of the view between the grid's lines.
    yaw: f32,
    pitch: f32,
    shown: (Yaw, Pitch),
    /// How good this player is: factor on errors and delays.
    clumsiness: f32,
    error_deg: f32,
    /// Direction of the error, drawn anew while the hand moves.
    wobble: (f32, f32),
    /// How far the view is from where the bot wants to aim, units.
    off: f32,
}

impl Aim {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            yaw: 0.0,
            pitch: 0.0,
            shown: (Yaw(0), Pitch(0)),
            clumsiness: random.range(0.7, 1.5),
            error_deg: FIRST_ERROR_DEG,
            wobble: (0.0, 0.0),
            off: f32::INFINITY,
        }
    }

    /// Takes over the view that the soldier has.
    pub(super) fn start(&mut self, yaw: Yaw, pitch: Pitch) {
        (self.yaw, self.pitch) = (f32::from(yaw.0), f32::from(pitch.0));
        self.shown = (yaw, pitch);
    }

    /// A new enemy: the hand starts anew. Gives the time until the bot reacts, seconds.
    pub(super) fn acquire(&mut self, random: &mut Random) -> f32 {
        self.error_deg = FIRST_ERROR_DEG;
        self.shake(random);
        random.range(0.2, 0.3) * (0.6 + 0.4 * self.clumsiness)
    }

    /// The hand's error moves on.
    pub(super) fn shake(&mut self, random: &mut Random) {
        // Half of the old error stays: hands drift, they do not jump.
        let draw = |old: f32, random: &mut Random| old * 0.5 + random.bell() * 0.75;
        self.wobble = (draw(self.wobble.0, random), draw(self.wobble.1, random));
    }

    /// Turns towards an enemy; `lob` lifts the aim, in units.
    pub(super) fn follow(&mut self, view: &BotView<'_>, enemy: &Enemy, lob: f32) {
        let at = aim_point(view, enemy) - view.me.eye;
        let level_m = (at.x * at.x + at.z * at.z).sqrt();
        let settled = LAST_ERROR_DEG + crossing_dps(at, enemy.vel, level_m) * 0.03;
        let share = 1.0 / (SETTLE_S * view.tick_hz as f32);
        self.error_deg += (settled - self.error_deg) * share;
        let error = self.error_deg * self.clumsiness * UNITS_PER_DEGREE;
        let yaw = f32::from(Yaw::towards(at.x, at.z).0) + self.wobble.0 * error;
        let pitch = f32::from(elevation(at.y, level_m).0) + lob + self.wobble.1 * error * 0.6;
        self.turn(view, yaw, pitch, AIM_GRID);
    }

    /// Looks along a heading, level; `None` keeps the view.
    pub(super) fn look(&mut self, view: &BotView<'_>, heading: Option<Yaw>) {
        self.off = f32::INFINITY;
        if let Some(heading) = heading {
            self.turn(view, f32::from(heading.0), 0.0, WALK_GRID);
        }
    }

    /// The view to send.
    pub(super) fn view(&self) -> (Yaw, Pitch) {
        self.shown
    }

    /// Whether the view is where the bot wants it, within this angle.
    pub(super) fn is_on(&self, degrees: f32) -> bool {
        self.off < degrees * UNITS_PER_DEGREE
    }

    fn turn(&mut self, view: &BotView<'_>, yaw: f32, pitch: f32, grid: f32) {
        let per_tick = 1.0 / view.tick_hz as f32;
        let most = TURN_DPS * UNITS_PER_DEGREE * per_tick;
        // The last bit of a turn is slower: about 60 ms to a third of what is left.
        let eagerness = (16.0 * per_tick).min(1.0);
        let yaw_left = wrap(yaw - self.yaw);
        let pitch_left = pitch - self.pitch;
        self.off = yaw_left.abs().max(pitch_left.abs());
        let dead_band = grid * 1.5;
        if yaw_left.abs() > dead_band {
            self.yaw += (yaw_left * eagerness).clamp(-most, most);
            self.yaw -= 65_536.0 * (self.yaw * (1.0 / 65_536.0)).floor();
        }
        if pitch_left.abs() > dead_band {
            self.pitch += (pitch_left * eagerness).clamp(-most, most);
        }
        let on_grid = |units: f32| (units / grid + 0.5).floor() * grid;
        let pitch = Pitch(on_grid(self.pitch) as i16).clamped();
        self.shown = (Yaw(on_grid(self.yaw) as u32 as u16), pitch);
    }
}

/// Where to aim: the chest, ahead of it when the round takes its time.
fn aim_point(view: &BotView<'_>, enemy: &Enemy) -> Vec3 {
    let chest = if enemy.crouched { CROUCHED_CHEST_M } else { CHEST_M };
    let at = enemy.pos + Vec3::new(0.0, chest, 0.0);
    if view.me.weapon.muzzle_mps <= 0.0 {
        return at;
    }
    let flight_s = (at.distance(view.me.eye) / view.me.weapon.muzzle_mps).min(1.5);
    at + enemy.vel * flight_s
}

/// How fast something crosses the view, degrees a second.
fn crossing_dps(at: Vec3, vel: Vec3, level_m: f32) -> f32 {
    if level_m < 1.0 {
        return 0.0;
    }
    let across_mps = (at.x * vel.z - at.z * vel.x) / level_m;
    (across_mps / level_m).abs().min(3.0) * (180.0 / core::f32::consts::PI)
}

fn elevation(up_m: f32, level_m: f32) -> Pitch {
    // `towards` measures an angle from its second axis to its first.
    Pitch(Yaw::towards(up_m, -level_m.max(0.01)).0 as i16).clamped()
}

/// To -32,768 up to 32,768.
fn wrap(units: f32) -> f32 {
    units - 65_536.0 * (units * (1.0 / 65_536.0) + 0.5).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elevations_are_those_of_directions() {
        assert_eq!(elevation(0.0, 10.0), Pitch(0));
        assert_eq!(elevation(10.0, 10.0), Pitch(8_192));
        assert_eq!(elevation(-10.0, 10.0), Pitch(-8_192));
        assert_eq!(elevation(100.0, 0.0), Pitch::MAX);
    }

    #[test]
    fn turns_take_the_short_way() {
        assert_eq!(wrap(65_000.0 - 1_000.0), -1_536.0);
        assert_eq!(wrap(1_000.0 - 65_000.0), 1_536.0);
        assert_eq!(wrap(200.0), 200.0);
    }
}
