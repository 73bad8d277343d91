//! View angles as the integers that the wire and the journal carry.

use glam::Vec3;

/// Heading: 65,536 units a turn. 0 looks north (-z), 16,384 east (+x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Yaw(pub u16);

/// Elevation: 65,536 units a turn, clamped to [`Pitch::MIN`]..=[`Pitch::MAX`]. Positive looks up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pitch(pub i16);

const RADIANS_PER_UNIT: f32 = core::f32::consts::TAU / 65_536.0;

impl Yaw {
    /// The angle in radians, 0 up to 2π.
    pub fn radians(self) -> f32 {
        f32::from(self.0) * RADIANS_PER_UNIT
    }

    /// The nearest unit to an angle in radians; any finite value wraps, others give 0.
    pub fn from_radians(radians: f32) -> Self {
        let turns = radians / core::f32::consts::TAU;
        let units = libm::floorf((turns - libm::floorf(turns)) * 65_536.0 + 0.5);
        // `as` saturates and sends NaN to 0; 65,536 wraps to 0.
        Self(units as u32 as u16)
    }

    /// The heading from `dx` metres east and `dz` metres south.
    pub fn towards(dx: f32, dz: f32) -> Self {
        Self::from_radians(libm::atan2f(dx, -dz))
    }

    /// The shortest turn from `self` to `other`, in units, positive clockwise.
    pub fn turn_to(self, other: Self) -> i16 {
        other.0.wrapping_sub(self.0) as i16
    }
}

impl Pitch {
    /// 89 degrees down.
    pub const MIN: Self = Self(-16_202);
    /// 89 degrees up.
    pub const MAX: Self = Self(16_202);

    /// The angle in radians.
    pub fn radians(self) -> f32 {
        f32::from(self.0) * RADIANS_PER_UNIT
    }

    /// The nearest unit to an angle in radians, clamped to the legal range; NaN gives 0.
    pub fn from_radians(radians: f32) -> Self {
        let units = libm::floorf(radians / RADIANS_PER_UNIT + 0.5);
        Self((units.clamp(f32::from(Self::MIN.0), f32::from(Self::MAX.0))) as i16)
    }

    /// The same angle within the legal range.
    pub fn clamped(self) -> Self {
        self.clamp(Self::MIN, Self::MAX)
    }
}

/// The unit vector that a view looks along.
pub fn direction(yaw: Yaw, pitch: Pitch) -> Vec3 {
    let (sin_yaw, cos_yaw) = libm::sincosf(yaw.radians());
    let (sin_pitch, cos_pitch) = libm::sincosf(pitch.radians());
    Vec3::new(sin_yaw * cos_pitch, sin_pitch, -cos_yaw * cos_pitch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn east_is_a_quarter_turn() {
        assert_eq!(Yaw::towards(1.0, 0.0), Yaw(16_384));
        assert!((direction(Yaw(16_384), Pitch(0)) - Vec3::X).length() < 1e-6);
        assert!((direction(Yaw(0), Pitch(0)) - Vec3::NEG_Z).length() < 1e-6);
    }

    #[test]
    fn every_yaw_survives_radians() {
        for units in 0..=u16::MAX {
            assert_eq!(Yaw::from_radians(Yaw(units).radians()), Yaw(units));
        }
    }

    #[test]
    fn nonsense_becomes_a_legal_angle() {
        assert_eq!(Yaw::from_radians(f32::NAN), Yaw(0));
        assert_eq!(Pitch::from_radians(f32::INFINITY), Pitch::MAX);
        assert_eq!(Pitch(i16::MIN).clamped(), Pitch::MIN);
    }
}
