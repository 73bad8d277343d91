//! The state hash: mixes numbers fast enough to run every tick.
//!
//! Four lanes take the numbers in turn, so that one multiplication need not wait for the last.
//! It finds divergence, not forgery.

use crate::codec::Sink;

/// Odd constants without pattern: the fraction bits of the golden ratio and of square roots.
const SEEDS: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b];
const FACTOR: u64 = 0xa54f_f53a_5f1d_36f1;

/// A sink that keeps 256 bits of everything put into it.
#[derive(Clone, Debug)]
pub struct Mixer {
    lanes: [u64; 4],
    count: u64,
}

impl Default for Mixer {
    fn default() -> Self {
        Self { lanes: SEEDS, count: 0 }
    }
}

impl Mixer {
    /// The hash of everything put in so far, order and count included.
    pub fn finish(&self) -> u64 {
        self.lanes.iter().fold(fold(self.count ^ SEEDS[1]), |hash, lane| fold(hash ^ lane))
    }

    /// The hash of a string of bytes.
    pub fn of_bytes(bytes: &[u8]) -> u64 {
        let mut mixer = Self::default();
        mixer.put(bytes.len() as u64, 8);
        for chunk in bytes.chunks(8) {
            mixer.put(chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)), 8);
        }
        mixer.finish()
    }
}

impl Sink for Mixer {
    #[inline(always)]
    fn put(&mut self, value: u64, _bytes: usize) {
        let [a, b, c, d] = self.lanes;
        self.lanes = [b, c, d, fold(a ^ value)];
        self.count += 1;
    }
}

/// The two halves of a wide product, added up bit by bit.
#[inline(always)]
fn fold(word: u64) -> u64 {
    let product = u128::from(word ^ SEEDS[0]) * u128::from(FACTOR);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_value_and_count_matter() {
        let of = |values: &[u64]| {
            let mut mixer = Mixer::default();
            values.iter().for_each(|&value| mixer.put(value, 8));
            mixer.finish()
        };
        let hashes = [of(&[]), of(&[0]), of(&[0, 0]), of(&[1, 2]), of(&[2, 1]), of(&[1, 2, 0])];
        for (place, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..place].contains(hash), "{place}");
        }
    }

    #[test]
    fn one_bit_changes_about_half_of_the_bits() {
        let plain = Mixer::of_bytes(&[0; 64]);
        for bit in 0..512 {
            let mut bytes = [0; 64];
            bytes[bit / 8] = 1 << (bit % 8);
            let changed = (plain ^ Mixer::of_bytes(&bytes)).count_ones();
            assert!((10..=54).contains(&changed), "bit {bit}: {changed}");
        }
    }
}
