//! A player as others see it, in as few whole bytes as the scenario's precision allows.

/// Bytes of a [`Pose`].
pub const POSE_BYTES: usize = 5;

/// x and z to 1 cm, 15 bits each; yaw to 1 degree, 9 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pose(pub [u8; POSE_BYTES]);

impl Pose {
    /// Rounds to the scenario's precision. x and z are at least 0 and below 327 m.
    pub fn new(x: f32, z: f32, yaw_degrees: f32) -> Self {
        let x = (x * 100.0).round() as u64;
        let z = (z * 100.0).round() as u64;
        let yaw = yaw_degrees.round() as u64 % 360;
        debug_assert!(x < 1 << 15 && z < 1 << 15);
        let bits = x | z << 15 | yaw << 30;
        let [a, b, c, d, e, ..] = bits.to_le_bytes();
        Self([a, b, c, d, e])
    }

    /// x and z, metres.
    pub fn position(self) -> (f32, f32) {
        let bits = self.bits();
        let metres = |cm: u64| (cm & 0x7fff) as f32 / 100.0;
        (metres(bits), metres(bits >> 15))
    }

    /// Degrees, 0 to 359.
    pub fn yaw_degrees(self) -> u16 {
        (self.bits() >> 30 & 0x1ff) as u16
    }

    fn bits(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poses_keep_the_precision_of_the_scenario() {
        let pose = Pose::new(12.344, 327.669, 359.4);
        assert_eq!((pose.position(), pose.yaw_degrees()), ((12.34, 327.67), 359));
        assert_eq!(Pose::new(0.0, 0.0, 359.6).yaw_degrees(), 0);
    }
}
