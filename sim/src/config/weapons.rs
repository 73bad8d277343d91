//! Weapons and classes as data.

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, check};
use crate::id::{Class, WeaponId};
use crate::view::PropKind;

/// Most rows of the weapon table.
pub const WEAPONS_MAX: usize = 16;

/// How a weapon works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeaponMode {
    /// A ray, at once, against where soldiers stood when the shooter saw them.
    Hitscan,
    /// Flies and goes off where it meets something, or when its fuse ends.
    Projectile,
    /// Flies, bounces, and goes off when its fuse ends.
    Thrown,
}

/// One row of the weapon table. Angles in degrees, distances in metres, times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeaponSpec {
    /// What players call it; classes name weapons so.
    pub name: String,
    /// How it works.
    pub mode: WeaponMode,
    /// Damage of a pellet at the muzzle, or in the middle of the splash.
    #[serde(default)]
    pub damage_hp: f32,
    /// Damage from `falloff_to_m` on; between the two distances it falls in a line.
    #[serde(default)]
    pub damage_far_hp: f32,
    /// Up to here damage is full.
    #[serde(default)]
    pub falloff_from_m: f32,
    /// From here on damage is `damage_far_hp`.
    #[serde(default)]
    pub falloff_to_m: f32,
    /// Times the damage of a round into the head, beside the rules' own factor.
    #[serde(default = "one")]
    pub head_factor: f32,
    /// Rounds a minute; for thrown ones, throws.
    pub rpm: f32,
    /// Fires on while the trigger is held.
    #[serde(default = "yes")]
    pub automatic: bool,
    /// Rounds in a magazine.
    #[serde(default)]
    pub magazine: u16,
    /// Rounds carried beside it.
    #[serde(default)]
    pub reserve: u16,
    /// To change a magazine with a round in the chamber.
    #[serde(default)]
    pub reload_s: f32,
    /// To change an empty one.
    #[serde(default)]
    pub reload_empty_s: f32,
    /// Half the angle of the cone that rounds fall in, standing, from the hip.
    #[serde(default)]
    pub spread_deg: f32,
    /// Each shot widens it by so much.
    #[serde(default)]
    pub spread_per_shot_deg: f32,
    /// Each second narrows it again by so much.
    #[serde(default = "spread_recovery")]
    pub spread_recovery_deg_per_s: f32,
    /// Never wider than this by shots.
    #[serde(default = "three")]
    pub spread_max_deg: f32,
    /// Times the spread when running.
    #[serde(default = "two")]
    pub moving_factor: f32,
    /// Times the spread when crouched.
    #[serde(default = "three_quarters")]
    pub crouch_factor: f32,
    /// Times the spread when aiming.
    #[serde(default = "third")]
    pub aim_factor: f32,
    /// Each shot lifts the muzzle by so much.
    #[serde(default)]
    pub recoil_up_deg: f32,
    /// And turns it by up to so much.
    #[serde(default)]
    pub recoil_side_deg: f32,
    /// Each second takes so much of the recoil back.
    #[serde(default = "recoil_recovery")]
    pub recoil_recovery_deg_per_s: f32,
    /// Rays of one shot.
    #[serde(default = "single")]
    pub pellets: u8,
    /// Speed at the muzzle or out of the hand, m/s.
    #[serde(default)]
    pub velocity_mps: f32,
    /// Factor of gravity on the projectile; 1 by default.
    #[serde(default = "one")]
    pub gravity_factor: f32,
    /// Part of the speed lost each second.
    #[serde(default)]
    pub drag_per_s: f32,
    /// Radius of the splash, or of the cloud. Damage falls to nothing at its rim.
    #[serde(default)]
    pub splash_m: f32,
    /// Goes off after this at the latest.
    #[serde(default)]
    pub fuse_s: f32,
    /// Part of the speed kept across a bounce.
    #[serde(default)]
    pub bounce: f32,
    /// Opens into smoke that stands so long; 0: explodes.
    #[serde(default)]
    pub smoke_s: f32,
    /// Rays end here.
    #[serde(default = "far")]
    pub range_m: f32,
}

fn one() -> f32 {
    1.0
}
fn two() -> f32 {
    2.0
}
fn three() -> f32 {
    3.0
}
// Both slower than firing on adds, so that bursts are worth it.
fn spread_recovery() -> f32 {
    1.2
}
fn recoil_recovery() -> f32 {
    4.0
}
fn third() -> f32 {
    1.0 / 3.0
}
fn three_quarters() -> f32 {
    0.75
}
fn far() -> f32 {
    400.0
}
fn single() -> u8 {
    1
}
fn yes() -> bool {
    true
}

/// What the use button sets down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gadget {
    /// Heals mates around it.
    Medkit,
    /// Fills mates' magazines around it.
    AmmoBox,
    /// Marks enemies around it.
    Sensor,
}

impl Gadget {
    /// What stands in the field then.
    pub fn kind(self) -> PropKind {
        match self {
            Self::Medkit => PropKind::Medkit,
            Self::AmmoBox => PropKind::AmmoBox,
            Self::Sensor => PropKind::Sensor,
        }
    }
}

/// What a class carries and can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// Primary, sidearm, third weapon, by name.
    pub weapons: [String; 3],
    /// What it throws, by name.
    pub grenade: String,
    /// How many of these.
    pub grenades: u8,
    /// What it can set down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gadget: Option<Gadget>,
    /// How many of these.
    #[serde(default)]
    pub gadgets: u8,
    /// Armour points at the start of a life, 0 to 50.
    pub armour: u8,
    /// Helps the downed up in a medic's time.
    #[serde(default)]
    pub revives_fast: bool,
}

impl WeaponSpec {
    /// Damage of one pellet that flew `distance_m`.
    pub fn damage_at(&self, distance_m: f32) -> f32 {
        if distance_m <= self.falloff_from_m || self.falloff_to_m <= self.falloff_from_m {
            return self.damage_hp;
        }
        let way = (distance_m - self.falloff_from_m) / (self.falloff_to_m - self.falloff_from_m);
        self.damage_hp + (self.damage_far_hp - self.damage_hp) * way.min(1.0)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let name = &self.name;
        let rule = |holds: bool, rule: &str| check(holds, &format!("weapon '{name}': {rule}"));
        rule((1..=32).contains(&name.len()), "name must have 1 to 32 bytes")?;
        let numbers = [
            (self.damage_hp, 1e3, "damage_hp must be 0 to 1000"),
            (self.damage_far_hp, 1e3, "damage_far_hp must be 0 to 1000"),
            (self.falloff_from_m, 1e4, "falloff_from_m must be 0 to 10000"),
            (self.falloff_to_m, 1e4, "falloff_to_m must be 0 to 10000"),
            (self.head_factor, 10.0, "head_factor must be 0 to 10"),
            (self.reload_s, 60.0, "reload_s must be 0 to 60"),
            (self.reload_empty_s, 60.0, "reload_empty_s must be 0 to 60"),
            (self.spread_deg, 45.0, "spread_deg must be 0 to 45"),
            (self.spread_per_shot_deg, 45.0, "spread_per_shot_deg must be 0 to 45"),
            (self.spread_recovery_deg_per_s, 1e3, "spread_recovery_deg_per_s must be 0 to 1000"),
            (self.spread_max_deg, 45.0, "spread_max_deg must be 0 to 45"),
            (self.moving_factor, 10.0, "moving_factor must be 0 to 10"),
            (self.crouch_factor, 10.0, "crouch_factor must be 0 to 10"),
            (self.aim_factor, 10.0, "aim_factor must be 0 to 10"),
            (self.recoil_up_deg, 45.0, "recoil_up_deg must be 0 to 45"),
            (self.recoil_side_deg, 45.0, "recoil_side_deg must be 0 to 45"),
            (self.recoil_recovery_deg_per_s, 1e3, "recoil_recovery_deg_per_s must be 0 to 1000"),
            (self.velocity_mps, 500.0, "velocity_mps must be 0 to 500"),
            (self.gravity_factor, 5.0, "gravity_factor must be 0 to 5"),
            (self.drag_per_s, 10.0, "drag_per_s must be 0 to 10"),
            (self.splash_m, 50.0, "splash_m must be 0 to 50"),
            (self.fuse_s, 60.0, "fuse_s must be 0 to 60"),
            (self.bounce, 1.0, "bounce must be 0 to 1"),
            (self.smoke_s, 120.0, "smoke_s must be 0 to 120"),
        ];
        for (value, most, text) in numbers {
            rule((0.0..=most).contains(&value), text)?;
        }
        rule((1.0..=1_200.0).contains(&self.rpm), "rpm must be 1 to 1200")?;
        rule((1.0..=4_096.0).contains(&self.range_m), "range_m must be 1 to 4096")?;
        rule((1..=16).contains(&self.pellets), "pellets must be 1 to 16")?;
        if self.mode == WeaponMode::Thrown {
            return Ok(());
        }
        rule((1..=1_000).contains(&self.magazine), "magazine must be 1 to 1000")
    }
}

/// The weapons that a class's names mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loadout {
    /// Primary, sidearm, third.
    pub weapons: [WeaponId; 3],
    /// Thrown.
    pub grenade: WeaponId,
}

fn find(weapons: &[WeaponSpec], name: &str) -> Option<WeaponId> {
    weapons.iter().position(|weapon| weapon.name == name).map(|place| WeaponId(place as u8))
}

/// Resolves the names of a class. `None` when the table has no such weapon.
pub(super) fn loadout(weapons: &[WeaponSpec], class: &ClassSpec) -> Option<Loadout> {
    let [primary, sidearm, third] = &class.weapons;
    Some(Loadout {
        weapons: [find(weapons, primary)?, find(weapons, sidearm)?, find(weapons, third)?],
        grenade: find(weapons, &class.grenade)?,
    })
}

pub(super) fn validate(weapons: &[WeaponSpec], classes: &[ClassSpec]) -> Result<(), ConfigError> {
    check((1..=WEAPONS_MAX).contains(&weapons.len()), "there must be 1 to 16 weapons")?;
    weapons.iter().try_for_each(WeaponSpec::validate)?;
    check(classes.len() == Class::ALL.len(), "there must be 4 classes")?;
    for (number, class) in classes.iter().enumerate() {
        let rule = |holds, rule: &str| check(holds, &format!("class {number}: {rule}"));
        rule(class.armour <= 50, "armour must be 0 to 50")?;
        let Some(loadout) = loadout(weapons, class) else {
            return rule(false, "weapons and grenade must name weapons of the table");
        };
        let mode = |id: WeaponId| weapons[usize::from(id.0)].mode;
        let held = loadout.weapons.iter().all(|&id| mode(id) != WeaponMode::Thrown);
        rule(held, "weapons must not be thrown ones")?;
        rule(mode(loadout.grenade) == WeaponMode::Thrown, "grenade must be a thrown weapon")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SimConfig;

    #[test]
    fn damage_falls_in_a_line_between_two_distances() {
        let rifle = &SimConfig::default().weapons[0];
        assert_eq!(rifle.damage_at(0.0), 26.0);
        assert_eq!(rifle.damage_at(40.0), 26.0);
        assert_eq!(rifle.damage_at(80.0), 21.0);
        assert_eq!(rifle.damage_at(500.0), 16.0);
    }

    #[test]
    fn a_class_without_its_weapon_is_refused_by_number() {
        let mut config = SimConfig::default();
        config.classes[2].weapons[0] = "bow".into();
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("class 2"), "{error}");
        let mut config = SimConfig::default();
        config.weapons[1].rpm = f32::NAN;
        assert!(config.validate().unwrap_err().to_string().contains("'smg'"));
    }

    #[test]
    fn every_mode_is_there() {
        let weapons = SimConfig::default().weapons;
        assert!(weapons.len() >= 8);
        for mode in [WeaponMode::Hitscan, WeaponMode::Projectile, WeaponMode::Thrown] {
            assert!(weapons.iter().any(|weapon| weapon.mode == mode));
        }
        assert!(weapons.iter().any(|weapon| weapon.pellets > 1));
    }
}
