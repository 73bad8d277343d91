//! The answer: a set of entities.

use crate::id::EntityId;

/// What one player may be told about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisibleSet<'a> {
    /// Soldiers: bit n % 64 of word n / 64 stands for slot n.
    pub soldiers: &'a [u64],
    /// Props, ids ascending.
    pub props: &'a [EntityId],
}

impl<'a> VisibleSet<'a> {
    /// All of it, ids ascending.
    pub fn iter(&self) -> impl Iterator<Item = EntityId> + use<'a> {
        let soldiers = (0..).zip(self.soldiers).flat_map(|(index, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 != 0);
            bits.map(move |bit| EntityId(64 * index + bit))
        });
        soldiers.chain(self.props.iter().copied())
    }

    /// Whether an entity is in it.
    pub fn contains(&self, id: EntityId) -> bool {
        let word = self.soldiers.get(id.0 as usize / 64).copied().unwrap_or(0);
        word >> (id.0 % 64) & 1 != 0 || self.props.binary_search(&id).is_ok()
    }

    /// How much it is.
    pub fn len(&self) -> usize {
        let soldiers: u32 = self.soldiers.iter().map(|word| word.count_ones()).sum();
        soldiers as usize + self.props.len()
    }

    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
