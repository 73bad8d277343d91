//! What the player hears, and whom it hit.
//!
//! ```text
//!   4  number of sounds, each:  4 kind | 8 direction | 4 distance
//!   3  number of hit markers, each:  7 damage | 1 headshot | 1 downed
//! ```
//! They are of one moment: lost with the snapshot, never repeated.

use crate::{
    bits::{BitReader, BitWriter},
    error::DecodeError,
    limits::{HITS_MAX, SOUNDS_MAX},
};

const SOUND_COUNT_BITS: u32 = 4;
const HIT_COUNT_BITS: u32 = 3;
const DAMAGE_BITS: u32 = 7;
const _: () = assert!(SOUNDS_MAX < 1 << SOUND_COUNT_BITS && HITS_MAX < 1 << HIT_COUNT_BITS);

/// What makes a sound. The numbers travel, 0 to 15; unknown ones are some noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SoundKind(pub u8);

impl SoundKind {
    /// A shot.
    pub const SHOT: Self = Self(0);
    /// An explosion.
    pub const EXPLOSION: Self = Self(1);
    /// Steps of someone who runs.
    pub const STEPS: Self = Self(2);
    /// The listener was hit from there.
    pub const HURT: Self = Self(3);
    /// Someone was hit there.
    pub const IMPACT: Self = Self(4);
}

/// Something heard. It says whence, roughly, and never by whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sound {
    /// What it is.
    pub kind: SoundKind,
    /// Heading from the listener, 256 a turn: 0 north, 64 east.
    pub direction: u8,
    /// Distance: 0 up to 4 m; n up to 4 * 2^(n/2) m; at most 15.
    pub distance: u8,
}

impl Sound {
    /// The bucket of a distance in metres.
    pub fn distance_bucket(metres: f32) -> u8 {
        let mut limit_m2 = 16.0;
        let mut bucket = 0;
        // Squares double where distances grow by the square root of two.
        while bucket < 15 && metres * metres > limit_m2 {
            limit_m2 *= 2.0;
            bucket += 1;
        }
        bucket
    }

    /// The direction of a heading of 65,536 units a turn.
    pub fn direction_of(yaw: u16) -> u8 {
        (yaw.wrapping_add(128) >> 8) as u8
    }
}

/// One of the player's shots hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HitMarker {
    /// Hit points taken, 0 to 127.
    pub damage_hp: u8,
    /// Into the head.
    pub headshot: bool,
    /// The victim went down or died by it.
    pub downed: bool,
}

/// Writes the first of each that there is room for.
pub(super) fn put_senses(writer: &mut BitWriter<'_>, sounds: &[Sound], hits: &[HitMarker]) {
    let sounds = &sounds[..sounds.len().min(SOUNDS_MAX)];
    writer.put(sounds.len() as u32, SOUND_COUNT_BITS);
    for sound in sounds {
        let kind = u32::from(sound.kind.0 & 15);
        let distance = u32::from(sound.distance & 15);
        writer.put(kind | u32::from(sound.direction) << 4 | distance << 12, 16);
    }
    let hits = &hits[..hits.len().min(HITS_MAX)];
    writer.put(hits.len() as u32, HIT_COUNT_BITS);
    for hit in hits {
        writer.put(u32::from(hit.damage_hp).min((1 << DAMAGE_BITS) - 1), DAMAGE_BITS);
        writer.put_bit(hit.headshot);
        writer.put_bit(hit.downed);
    }
}

/// Reads both lists over what `sounds` and `hits` held.
pub(super) fn get_senses(
    reader: &mut BitReader<'_>,
    sounds: &mut Vec<Sound>,
    hits: &mut Vec<HitMarker>,
) -> Result<(), DecodeError> {
    sounds.clear();
    for _ in 0..reader.get(SOUND_COUNT_BITS)? {
        let bits = reader.get(16)?;
        let kind = SoundKind((bits & 15) as u8);
        sounds.push(Sound { kind, direction: (bits >> 4) as u8, distance: (bits >> 12) as u8 });
    }
    hits.clear();
    for _ in 0..reader.get(HIT_COUNT_BITS)? {
        let damage_hp = reader.get(DAMAGE_BITS)? as u8;
        hits.push(HitMarker { damage_hp, headshot: reader.get_bit()?, downed: reader.get_bit()? });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_fall_into_growing_buckets() {
        let buckets = [0.0, 4.0, 4.1, 5.6, 5.7, 8.0, 100.0, 1e9, f32::NAN];
        assert_eq!(buckets.map(Sound::distance_bucket), [0, 0, 1, 1, 2, 2, 10, 15, 0]);
        assert_eq!([0, 127, 128, 65_535].map(Sound::direction_of), [0, 0, 1, 0]);
    }
}
