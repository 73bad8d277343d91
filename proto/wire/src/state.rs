//! What a client is told about an entity, and about its own soldier.

/// Yaw and pitch travel in steps of so many units (65,536 a turn): 0.35 degrees.
pub const ANGLE_STEP: u16 = 64;
/// Added to heights, so that they are never negative on the wire: 327.68 m.
pub const Y_OFFSET_CM: u32 = 32_768;
/// Bits of `x` and `z`: centimetres up to 5,242 m.
pub const XZ_BITS: u32 = 19;
/// Bits of `y`: -327 m to 983 m.
pub const Y_BITS: u32 = 17;
/// Bits of a yaw in steps.
pub const YAW_BITS: u32 = 10;
/// Bits of a signed pitch in steps.
pub const PITCH_BITS: u32 = 9;
/// Bits of [`EntityState::flags`].
pub const FLAGS_BITS: u32 = 12;
/// Bits of [`EntityState::kind`].
pub const KIND_BITS: u32 = 4;
/// Bits of [`EntityState::class`].
pub const CLASS_BITS: u32 = 3;
/// Bits of [`EntityState::health`].
pub const HEALTH_BITS: u32 = 4;

/// An entity as a client may know it at one tick: soldier or prop, quantised.
///
/// All values lie on the grid that the wire can express; [`quantised`](Self::quantised) puts them
/// there. What the receiving team must not know (an enemy's health) is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EntityState {
    /// 0 soldier, else 1 + the kind of prop. Below 16.
    pub kind: u8,
    /// 0 or 1.
    pub team: u8,
    /// A soldier's class. Below 8.
    pub class: u8,
    /// Number of the weapon in hand in the rules' table.
    pub weapon: u8,
    /// East, centimetres. Below 2^19.
    pub x: u32,
    /// Up, centimetres, plus [`Y_OFFSET_CM`]. Below 2^17.
    pub y: u32,
    /// South, centimetres. Below 2^19.
    pub z: u32,
    /// Heading, 65,536 units a turn, in steps of [`ANGLE_STEP`].
    pub yaw: u16,
    /// Elevation, 65,536 units a turn, in steps of [`ANGLE_STEP`], -16,384..=16,320.
    pub pitch: i16,
    /// Bits of [`flags`]. Below 2^12.
    pub flags: u16,
    /// Health in fifteenths, rounded up, for mates; 0 for enemies and props.
    pub health: u8,
    /// Velocity east, up, south in half metres a second; props only, for extrapolation.
    pub vel: [i8; 3],
    /// Radius of a prop's effect, decimetres; 0 for soldiers.
    pub radius_dm: u8,
}

/// Bits of [`EntityState::flags`].
pub mod flags {
    /// Crouches.
    pub const CROUCHED: u16 = 1 << 0;
    /// Aims down the sights.
    pub const AIMING: u16 = 1 << 1;
    /// Reloads.
    pub const RELOADING: u16 = 1 << 2;
    /// Fired in this tick or shortly before.
    pub const FIRING: u16 = 1 << 3;
    /// Is down and waits for a medic.
    pub const DOWN: u16 = 1 << 4;
    /// Stands on ground.
    pub const GROUNDED: u16 = 1 << 5;
    /// Sprints.
    pub const SPRINTING: u16 = 1 << 6;
    /// Is marked for the receiving team.
    pub const SPOTTED: u16 = 1 << 7;
    /// Was hit in this tick or shortly before.
    pub const HURT: u16 = 1 << 8;
    /// All bits that travel; those without a name are 0 in this version.
    pub const ALL: u16 = (1 << super::FLAGS_BITS) - 1;
}

impl EntityState {
    /// The nearest state that the wire can express.
    pub fn quantised(self) -> Self {
        Self {
            kind: self.kind & 15,
            team: self.team & 1,
            class: self.class & 7,
            x: self.x.min((1 << XZ_BITS) - 1),
            y: self.y.min((1 << Y_BITS) - 1),
            z: self.z.min((1 << XZ_BITS) - 1),
            yaw: quantise_yaw(self.yaw),
            pitch: quantise_pitch(self.pitch),
            flags: self.flags & flags::ALL,
            health: self.health & 15,
            ..self
        }
    }

    /// East, up (with its offset), south.
    pub fn position_cm(&self) -> [u32; 3] {
        [self.x, self.y, self.z]
    }

    /// East, up, south in metres.
    pub fn position_m(&self) -> [f32; 3] {
        let up_cm = self.y as f32 - Y_OFFSET_CM as f32;
        [self.x as f32 / 100.0, up_cm / 100.0, self.z as f32 / 100.0]
    }

    /// Takes a position in metres: east, up, south. Off the grid's ends it sticks to them.
    pub fn set_position_m(&mut self, [east, up, south]: [f32; 3]) {
        self.x = quantise_xz(east);
        self.y = quantise_y(up);
        self.z = quantise_xz(south);
    }

    /// Whether it is a soldier.
    pub fn is_soldier(&self) -> bool {
        self.kind == 0
    }
}

/// The nearest step of a heading.
pub fn quantise_yaw(yaw: u16) -> u16 {
    yaw.wrapping_add(ANGLE_STEP / 2) & !(ANGLE_STEP - 1)
}

/// The nearest step of an elevation, at most a quarter turn up or down.
pub fn quantise_pitch(pitch: i16) -> i16 {
    let step = ANGLE_STEP as i16;
    let clamped = pitch.clamp(-16_384, 16_320 - step / 2);
    (clamped + step / 2) & !(step - 1)
}

/// Centimetres of an eastern or southern coordinate in metres. NaN gives 0.
pub fn quantise_xz(metres: f32) -> u32 {
    // `as` saturates and sends NaN to 0.
    ((metres * 100.0 + 0.5) as u32).min((1 << XZ_BITS) - 1)
}

/// Centimetres plus [`Y_OFFSET_CM`] of a height in metres. NaN gives 0.
pub fn quantise_y(metres: f32) -> u32 {
    ((metres * 100.0 + Y_OFFSET_CM as f32 + 0.5) as u32).min((1 << Y_BITS) - 1)
}

/// Half metres a second of a velocity in metres a second.
pub fn quantise_velocity(metres_per_s: [f32; 3]) -> [i8; 3] {
    metres_per_s.map(|speed| (speed * 2.0 + 0.5).floor() as i8)
}

/// Where the own soldier stands between life and death. The numbers travel.
pub mod status {
    /// Dead or not yet spawned.
    pub const WAITING: u8 = 0;
    /// In the field and on its feet.
    pub const ALIVE: u8 = 1;
    /// On the ground: can be revived, cannot act.
    pub const DOWN: u8 = 2;
    /// Left the battle.
    pub const LEFT: u8 = 3;
}

/// The own soldier, exact: movement state to the last bit, so that a client that replays its
/// inputs from here arrives where the server will.
///
/// While waiting, body and inventory are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SelfState {
    /// One of [`status`].
    pub status: u8,
    /// Class. Below 8.
    pub class: u8,
    /// The feet, metres: east, up, south.
    pub pos: [f32; 3],
    /// Metres a second.
    pub vel: [f32; 3],
    /// Highest point of the present fall, metres; `pos[1]` on the ground.
    pub fall_from_y: f32,
    /// Crouches.
    pub crouched: bool,
    /// Stands on ground.
    pub grounded: bool,
    /// Jump was held in the last tick.
    pub jump_held: bool,
    /// Aims down the sights.
    pub aiming: bool,
    /// Reloads.
    pub reloading: bool,
    /// Hit points, 0 to 127.
    pub health_hp: u8,
    /// Number of the weapon in hand in the rules' table.
    pub weapon: u8,
    /// Which of the carried weapons is in hand, 0 to 3.
    pub weapon_slot: u8,
    /// Rounds in its magazine, 0 to 1,023.
    pub ammo: u16,
    /// Rounds in reserve, 0 to 4,095.
    pub reserve: u16,
    /// Grenades left, 0 to 15.
    pub grenades: u8,
    /// Squad within the team, 0 to 4,095.
    pub squad: Option<u16>,
    /// The squad's ordered point, 0 to 31.
    pub order: Option<u8>,
    /// While waiting: the tick of the spawn wave that this player is in.
    pub spawns_at: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_go_to_the_nearest_step() {
        assert_eq!(quantise_yaw(31), 0);
        assert_eq!(quantise_yaw(32), 64);
        assert_eq!(quantise_yaw(65_520), 0);
        assert_eq!(quantise_pitch(-33), -64);
        for pitch in i16::MIN..=i16::MAX {
            let steps = quantise_pitch(pitch) / ANGLE_STEP as i16;
            assert_eq!(quantise_pitch(pitch) % ANGLE_STEP as i16, 0);
            assert!((-256..256).contains(&steps), "{pitch}");
        }
    }

    #[test]
    fn positions_are_true_to_half_a_centimetre() {
        let mut state = EntityState::default();
        state.set_position_m([4_095.0, -12.344, 0.001]);
        let [east, up, south] = state.position_m();
        assert!((east - 4_095.0).abs() < 0.006);
        assert!((up + 12.344).abs() < 0.006);
        assert!((south - 0.001).abs() < 0.006);
        state.set_position_m([-5.0, f32::NAN, f32::INFINITY]);
        assert_eq!(state, state.quantised());
    }
}
