//! Sets of soldiers as bits: bit n % 64 of word n / 64 stands for slot n.

/// What one player may know of: soldiers as a set of slots, and props.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible<'a> {
    /// Bit n % 64 of word n / 64: the soldier of slot n. Slots beyond the end are not visible.
    pub soldiers: &'a [u64],
    /// Ids of props, rising.
    pub props: &'a [u32],
}

impl Visible<'_> {
    /// How much it is.
    pub fn len(&self) -> usize {
        count(self.soldiers) as usize + self.props.len()
    }

    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The word at `index`; beyond the end there is nobody.
#[inline(always)]
pub(crate) fn word(words: &[u64], index: usize) -> u64 {
    words.get(index).copied().unwrap_or(0)
}

/// Whether a slot is in the set.
#[inline(always)]
pub(crate) fn has(words: &[u64], slot: u32) -> bool {
    word(words, slot as usize / 64) >> (slot % 64) & 1 != 0
}

/// How many are in the set.
pub(crate) fn count(words: &[u64]) -> u32 {
    words.iter().map(|word| word.count_ones()).sum()
}

/// The slots of one word, rising, as bit numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ones(pub(crate) u64);

impl Iterator for Ones {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

/// The slots of a set, rising.
pub(crate) fn slots(words: &[u64]) -> impl Iterator<Item = u32> {
    let numbered = (0..).zip(words);
    numbered.flat_map(|(index, word)| Ones(*word).map(move |bit| 64 * index + bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_in_order() {
        let words = [1 << 3 | 1 << 63, 0, 1];
        assert_eq!(slots(&words).collect::<Vec<_>>(), [3, 63, 128]);
        assert_eq!(count(&words), 3);
        assert!(has(&words, 63) && !has(&words, 64) && has(&words, 128) && !has(&words, 999));
    }
}
