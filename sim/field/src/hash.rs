//! The stable hash behind [`Map::hash`](crate::map::Map::hash), and the seeded numbers of recipes.

use glam::Vec3;

/// 64-bit FNV-1a over words: simple, and the same on every run and build.
pub(crate) struct ContentHash(u64);

impl ContentHash {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// By bits; -0.0 and 0.0 differ, which is right for "the same map".
    pub(crate) fn float(&mut self, value: f32) {
        self.word(u64::from(value.to_bits()));
    }

    pub(crate) fn vector(&mut self, value: Vec3) {
        for axis in value.to_array() {
            self.float(axis);
        }
    }

    /// Length first, so that neighbouring texts cannot be shifted into each other.
    pub(crate) fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for byte in text.bytes() {
            self.word(u64::from(byte));
        }
    }

    pub(crate) fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// SplitMix64's finaliser: every input bit reaches every output bit.
pub(crate) fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// SplitMix64, for recipes only: the battle draws from its own streams.
pub(crate) struct RecipeRng(u64);

impl RecipeRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x5eed_0f1d_0000_0000))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform from `low` up to `high`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * unit(self.next())
    }

    /// Uniform below `bound`, which is small beside 2^32.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }
}

/// 0 up to 1 from the top 24 bits, exactly representable.
pub(crate) fn unit(word: u64) -> f32 {
    (word >> 40) as f32 * (1.0 / 16_777_216.0)
}
