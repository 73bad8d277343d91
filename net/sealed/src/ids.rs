//! Session ids, and the chance that they and challenges need.

use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::error::TableSetupError;

/// Random bits of a session id at least: what tells a key's lane from the one before it.
const RANDOM_BITS_MIN: u32 = 8;

/// How a session id is put together, from the lowest bit of its first byte on the wire: the shard
/// (the kernel steers by those bits), the peer's key, random bits. So the lane of a packet is one
/// array access, with nothing for a stranger to make long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdLayout {
    shard: u32,
    shard_bits: u32,
    key_bits: u32,
}

impl IdLayout {
    pub(crate) fn new(shard: u8, shards: u16, capacity: usize) -> Result<Self, TableSetupError> {
        if !shards.is_power_of_two() || shards > 256 || u16::from(shard) >= shards {
            return Err(TableSetupError::Shard { index: shard, count: shards });
        }
        let shard_bits = shards.trailing_zeros();
        let key_bits = capacity.checked_next_power_of_two().map_or(u32::MAX, usize::trailing_zeros);
        if capacity == 0 || key_bits > u32::BITS - RANDOM_BITS_MIN - shard_bits {
            return Err(TableSetupError::Capacity { capacity, shards });
        }
        Ok(Self { shard: u32::from(shard), shard_bits, key_bits })
    }

    pub(crate) fn id(&self, key: usize, random: u32) -> u32 {
        let key = (key as u32) << self.shard_bits;
        self.shard | key | random << (self.shard_bits + self.key_bits)
    }

    /// The key in an id: below the capacity's next power of two, whatever the id.
    pub(crate) fn key(&self, id: u32) -> usize {
        (id >> self.shard_bits & ((1 << self.key_bits) - 1)) as usize
    }
}

/// Unpredictable bytes from a secret seed: HMAC-SHA256 over a counter.
pub(crate) struct Chance {
    key: Key,
    drawn: u64,
}

impl Chance {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { key: Key::new(HMAC_SHA256, seed), drawn: 0 }
    }

    pub(crate) fn draw(&mut self) -> [u8; 8] {
        self.drawn += 1;
        let tag = sign(&self.key, &self.drawn.to_le_bytes());
        *tag.as_ref().first_chunk().expect("32 bytes")
    }

    pub(crate) fn draw_u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.draw();
        u32::from_le_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_shard_in_its_first_byte_and_its_key_in_the_middle() {
        for (shards, capacity) in [(1, 1), (4, 1000), (256, 65_536)] {
            for shard in [0, (shards - 1) as u8] {
                let layout = IdLayout::new(shard, shards, capacity).unwrap();
                for key in [0, capacity / 2, capacity - 1] {
                    for random in [0, 0x5555_5555, u32::MAX] {
                        let id = layout.id(key, random);
                        let first = id.to_le_bytes()[0];
                        assert_eq!(u16::from(first) & (shards - 1), u16::from(shard));
                        assert_eq!(layout.key(id), key);
                    }
                }
            }
        }
    }

    #[test]
    fn a_table_that_leaves_no_random_bits_is_refused() {
        assert!(IdLayout::new(0, 256, 65_536).is_ok());
        assert!(matches!(IdLayout::new(0, 256, 65_537), Err(TableSetupError::Capacity { .. })));
        assert!(matches!(IdLayout::new(0, 1, usize::MAX), Err(TableSetupError::Capacity { .. })));
        assert!(matches!(IdLayout::new(0, 1, 0), Err(TableSetupError::Capacity { .. })));
        assert!(matches!(IdLayout::new(0, 3, 1), Err(TableSetupError::Shard { .. })));
        assert!(matches!(IdLayout::new(4, 4, 1), Err(TableSetupError::Shard { .. })));
    }
}
