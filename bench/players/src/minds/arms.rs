//! What bots must know of their weapons, from the rules.

use sortie_sim::config::{SimConfig, WeaponMode, WeaponSpec};
use sortie_sim::id::Class;

use crate::bots::BotWeapon;

/// The weapon table as bots see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Arms {
    /// Index = weapon.
    weapons: Vec<BotWeapon>,
    /// Speed and fall of what a class throws; index = class.
    throws: Vec<(f32, f32)>,
}

impl Arms {
    /// From valid rules.
    pub(super) fn new(rules: &SimConfig) -> Self {
        let gravity = rules.movement.gravity_mps2;
        let throw = |&class: &Class| {
            let grenade = &rules.weapons[usize::from(rules.loadout(class).grenade.0)];
            (grenade.velocity_mps, grenade.gravity_factor * gravity)
        };
        Self {
            weapons: rules.weapons.iter().map(|spec| weapon(spec, rules.interest.view_m)).collect(),
            throws: Class::ALL.iter().map(throw).collect(),
        }
    }

    /// The weapon of this number in the hands of this class.
    pub(super) fn of(&self, weapon: u8, class: u8) -> BotWeapon {
        let known = self.weapons.get(usize::from(weapon)).copied().unwrap_or_default();
        let Some(&(speed, gravity)) = self.throws.get(usize::from(class)) else { return known };
        BotWeapon { throw_mps: speed, throw_gravity_mps2: gravity, ..known }
    }
}

/// Bots do not shoot beyond `view_m`, whatever the weapon: nobody is shown farther away.
fn weapon(spec: &WeaponSpec, view_m: f32) -> BotWeapon {
    let flies = spec.mode != WeaponMode::Hitscan;
    let reach_m = if flies || spec.falloff_to_m <= 0.0 { spec.range_m } else { spec.falloff_to_m };
    BotWeapon {
        reach_m: reach_m.min(spec.range_m).min(view_m),
        automatic: spec.automatic,
        muzzle_mps: if flies { spec.velocity_mps } else { 0.0 },
        ..BotWeapon::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_shoots_farther_than_the_rules_show() {
        let mut rules = SimConfig::default();
        rules.interest.view_m = 50.0;
        let reaches = Arms::new(&rules).weapons.into_iter().map(|weapon| weapon.reach_m);
        assert_eq!(reaches.reduce(f32::max), Some(50.0));
    }

    #[test]
    fn every_class_knows_its_weapons() {
        let rules = SimConfig::default();
        let arms = Arms::new(&rules);
        for class in Class::ALL {
            let loadout = rules.loadout(class);
            for weapon in loadout.weapons {
                let known = arms.of(weapon.0, class as u8);
                assert!(
                    (20.0..=rules.interest.view_m).contains(&known.reach_m),
                    "{class:?} {known:?}"
                );
                assert!(known.throw_mps > 5.0 && known.throw_gravity_mps2 > 1.0);
            }
        }
        assert_eq!(arms.of(255, 255), BotWeapon::default());
    }
}
