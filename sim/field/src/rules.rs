//! How bodies move, as data.

use serde::{Deserialize, Serialize};

/// The rules of movement. Part of the battle's configuration and hashed with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MoveRules {
    /// Running speed, m/s.
    pub run_mps: f32,
    /// Sprinting speed, m/s: the fastest that anyone moves horizontally.
    pub sprint_mps: f32,
    /// Crouched speed, m/s.
    pub crouch_mps: f32,
    /// Backward movement's share of the speed, 0 to 1.
    pub backward_factor: f32,
    /// How high a jump lifts the feet, metres.
    pub jump_m: f32,
    /// Downward acceleration, m/s².
    pub gravity_mps2: f32,
    /// Falling gets no faster than this, m/s.
    pub fall_mps_max: f32,
    /// What a foot climbs without jumping, metres.
    pub step_up_m: f32,
    /// Steepest ground to walk up or stand on, degrees.
    pub slope_deg_max: f32,
    /// Radius of a body, metres.
    pub radius_m: f32,
    /// Height of a standing body, metres.
    pub stand_m: f32,
    /// Height of a crouched body, metres.
    pub crouch_m: f32,
    /// How fast speed builds up on the ground, m/s².
    pub accelerate_mps2: f32,
    /// How fast speed is lost on the ground, m/s².
    pub brake_mps2: f32,
    /// How much a body in the air can change its speed, m/s².
    pub air_mps2: f32,
}

impl Default for MoveRules {
    fn default() -> Self {
        Self {
            run_mps: 5.0,
            sprint_mps: 7.0,
            crouch_mps: 2.5,
            backward_factor: 0.8,
            jump_m: 1.1,
            gravity_mps2: 19.6,
            fall_mps_max: 60.0,
            step_up_m: 0.45,
            slope_deg_max: 45.0,
            radius_m: 0.4,
            stand_m: 1.8,
            crouch_m: 1.2,
            accelerate_mps2: 45.0,
            brake_mps2: 60.0,
            air_mps2: 10.0,
        }
    }
}

/// A rule out of its range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{name} is {value}; {low} to {high} allowed")]
pub struct MoveRulesError {
    /// The field of [`MoveRules`].
    pub name: &'static str,
    /// Its value.
    pub value: f32,
    /// The least that is allowed.
    pub low: f32,
    /// The most that is allowed.
    pub high: f32,
}

impl MoveRules {
    /// Whether movement can work with these rules.
    ///
    /// # Errors
    /// Names the first rule that is not finite or out of its range.
    pub fn validate(&self) -> Result<(), MoveRulesError> {
        let ranges = [
            ("sprint_mps", self.sprint_mps, 0.1, 20.0),
            ("run_mps", self.run_mps, 0.1, self.sprint_mps),
            ("crouch_mps", self.crouch_mps, 0.1, self.sprint_mps),
            ("backward_factor", self.backward_factor, 0.1, 1.0),
            ("jump_m", self.jump_m, 0.0, 5.0),
            ("gravity_mps2", self.gravity_mps2, 0.1, 100.0),
            ("fall_mps_max", self.fall_mps_max, 1.0, 200.0),
            ("step_up_m", self.step_up_m, 0.0, 1.0),
            ("slope_deg_max", self.slope_deg_max, 1.0, 80.0),
            // Movement looks for obstacles no further than this allows.
            ("radius_m", self.radius_m, 0.1, 0.8),
            ("stand_m", self.stand_m, 0.5, 4.0),
            ("crouch_m", self.crouch_m, 0.3, self.stand_m),
            ("accelerate_mps2", self.accelerate_mps2, 1.0, 1_000.0),
            ("brake_mps2", self.brake_mps2, 1.0, 1_000.0),
            ("air_mps2", self.air_mps2, 0.0, 1_000.0),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(MoveRulesError { name, value, low, high });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(MoveRules::default().validate(), Ok(()));
    }

    #[test]
    fn nonsense_is_named() {
        let nan = MoveRules { gravity_mps2: f32::NAN, ..MoveRules::default() };
        assert_eq!(nan.validate().map_err(|error| error.name), Err("gravity_mps2"));
        let slow_sprint = MoveRules { sprint_mps: 4.0, ..MoveRules::default() };
        assert_eq!(slow_sprint.validate().map_err(|error| error.name), Err("run_mps"));
    }
}
