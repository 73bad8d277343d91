//! Who hurt a soldier in its present life: for assists, and for who falls by leaving.

use bevy_ecs::prelude::Component;

use crate::codec::saved;
use crate::id::{PlayerSlot, Tick, WeaponId};

/// Attackers remembered at a time.
const ATTACKERS_MAX: usize = 4;

/// Who hurt a soldier since it last was whole. The least of them is forgotten first.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grudges {
    attackers: [Option<(PlayerSlot, u16)>; ATTACKERS_MAX],
    /// The last time that an enemy hurt it.
    pub blow: Option<Blow>,
}

/// An enemy's hurting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    /// Who did it.
    pub by: PlayerSlot,
    /// The weapon that did it.
    pub weapon: WeaponId,
    /// The tick in which it happened.
    pub at: Tick,
}

impl Grudges {
    /// Remembers `damage_hp` more by `attacker`.
    pub fn add(&mut self, attacker: PlayerSlot, damage_hp: u16) {
        let known = self.attackers.iter_mut().flatten().find(|entry| entry.0 == attacker);
        if let Some((_, sum_hp)) = known {
            *sum_hp = sum_hp.saturating_add(damage_hp);
            return;
        }
        let least = self.attackers.iter_mut().min_by_key(|entry| entry.map_or(0, |entry| entry.1));
        if let Some(place) = least
            && place.is_none_or(|(_, sum_hp)| sum_hp < damage_hp)
        {
            *place = Some((attacker, damage_hp));
        }
    }

    /// Attackers and what each did, in the order in which they are remembered.
    pub fn iter(&self) -> impl Iterator<Item = (PlayerSlot, u16)> + '_ {
        self.attackers.iter().flatten().copied()
    }
}

saved!(Grudges { attackers, blow });
saved!(Blow { by, weapon, at });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_forgotten() {
        let mut grudges = Grudges::default();
        for (slot, damage_hp) in [(1, 10), (2, 20), (3, 30), (4, 40), (5, 15), (6, 5), (2, 1)] {
            grudges.add(PlayerSlot(slot), damage_hp);
        }
        let known: Vec<_> = grudges.iter().map(|(slot, hp)| (slot.0, hp)).collect();
        assert_eq!(known, [(5, 15), (2, 21), (3, 30), (4, 40)]);
    }
}
