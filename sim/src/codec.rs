//! How a piece of state becomes numbers: one listing serves the hash, the checkpoint and its
//! restoration.
//!
//! A type implements [`Saved`] once. [`Sink`]s take its numbers (a hash mixes them, a checkpoint
//! collects bytes); a [`Source`] gives them back. Nothing is skipped and nothing is implied: two
//! worlds with equal numbers step alike.

use sortie_field::{Pitch, Vec3, Yaw, body::Body, body::Stance};

use crate::id::{Class, EntityId, PlayerKey, PlayerSlot, PointId, SquadId, Team, Tick, WeaponId};

/// Takes the numbers of a state in their fixed order.
pub trait Sink {
    /// The low `bytes` bytes of `value`; the bytes above are zero.
    fn put(&mut self, value: u64, bytes: usize);
}

/// The bytes of a checkpoint, read once from front to back.
#[derive(Debug)]
pub struct Source<'a> {
    rest: &'a [u8],
}

/// The bytes are no state: cut short, or a number outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes hold no valid state: {0}")]
pub struct Corrupt(pub &'static str);

/// A piece of state that is part of the hash and of checkpoints.
pub trait Saved: Sized {
    /// Gives every number of the state to `sink`, always in the same order.
    fn save(&self, sink: &mut impl Sink);

    /// Takes the same numbers back.
    ///
    /// # Errors
    /// The bytes ended, or a number has no meaning. Never allocates more than the bytes justify.
    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt>;
}

impl<'a> Source<'a> {
    /// Reads from the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next little-endian number of `bytes` bytes, at most 8.
    pub fn take(&mut self, bytes: usize) -> Result<u64, Corrupt> {
        let (head, rest) = self.rest.split_at_checked(bytes).ok_or(Corrupt("it ends early"))?;
        self.rest = rest;
        Ok(head.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// A count of things that follow, each of which takes at least one byte.
    pub fn take_count(&mut self, max: usize) -> Result<usize, Corrupt> {
        let count = self.take(4)? as usize;
        // The count comes from outside: it must be covered by bytes before anything is allocated.
        if count > max || count > self.rest.len() {
            return Err(Corrupt("a count is out of range"));
        }
        Ok(count)
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }
}

/// Collects the bytes of a checkpoint, little-endian.
impl Sink for Vec<u8> {
    fn put(&mut self, value: u64, bytes: usize) {
        self.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
}

/// Most entries of any saved list; far above what a battle holds.
const LIST_MAX: usize = 1 << 20;

/// Lists the fields of a struct once, for saving and for loading. A forgotten field is an error.
macro_rules! saved {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::codec::Saved for $type {
            fn save(&self, sink: &mut impl $crate::codec::Sink) {
                let Self { $($field),* } = self;
                $($crate::codec::Saved::save($field, sink);)*
            }

            fn load(
                source: &mut $crate::codec::Source<'_>,
            ) -> Result<Self, $crate::codec::Corrupt> {
                Ok(Self { $($field: $crate::codec::Saved::load(source)?),* })
            }
        }
    };
}
pub(crate) use saved;

/// The same for a struct around one value, `Tick(u32)` say.
macro_rules! saved_newtype {
    ($($type:ident),* $(,)?) => {$(
        impl $crate::codec::Saved for $type {
            fn save(&self, sink: &mut impl $crate::codec::Sink) {
                self.0.save(sink);
            }

            fn load(
                source: &mut $crate::codec::Source<'_>,
            ) -> Result<Self, $crate::codec::Corrupt> {
                Ok(Self($crate::codec::Saved::load(source)?))
            }
        }
    )*};
}
pub(crate) use saved_newtype;

/// The same for an enum without values: its number, checked against the list of all.
macro_rules! saved_index {
    ($type:ty { $($variant:ident),* $(,)? }) => {
        impl $crate::codec::Saved for $type {
            fn save(&self, sink: &mut impl $crate::codec::Sink) {
                sink.put(*self as u64, 1);
            }

            fn load(
                source: &mut $crate::codec::Source<'_>,
            ) -> Result<Self, $crate::codec::Corrupt> {
                let index = source.take(1)?;
                $(if index == Self::$variant as u64 {
                    return Ok(Self::$variant);
                })*
                Err($crate::codec::Corrupt(concat!("no ", stringify!($type), " of that number")))
            }
        }
    };
}
pub(crate) use saved_index;

macro_rules! saved_int {
    ($($type:ty as $unsigned:ty),*) => {$(
        impl Saved for $type {
            fn save(&self, sink: &mut impl Sink) {
                sink.put(*self as $unsigned as u64, size_of::<$type>());
            }

            fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
                Ok(source.take(size_of::<$type>())? as $type)
            }
        }
    )*};
}
saved_int!(u8 as u8, u16 as u16, u32 as u32, u64 as u64, i8 as u8, i16 as u16, i32 as u32);

saved_newtype!(Tick, PlayerSlot, PlayerKey, EntityId, SquadId, WeaponId, PointId, Yaw, Pitch);
saved_index!(Team { Red, Blue });
saved_index!(Class { Assault, Medic, Support, Recon });
saved_index!(Stance { Standing, Crouched });
saved!(Vec3 { x, y, z });
saved!(Body { pos, vel, stance, grounded, jump_held, fall_from_y });

impl Saved for u128 {
    fn save(&self, sink: &mut impl Sink) {
        sink.put(*self as u64, 8);
        sink.put((*self >> 64) as u64, 8);
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        let low = u128::from(source.take(8)?);
        Ok(low | u128::from(source.take(8)?) << 64)
    }
}

impl Saved for bool {
    fn save(&self, sink: &mut impl Sink) {
        sink.put(u64::from(*self), 1);
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        match source.take(1)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Corrupt("a yes-or-no is neither")),
        }
    }
}

/// Bit for bit, so that -0 stays -0; NaN and infinities never are state.
impl Saved for f32 {
    fn save(&self, sink: &mut impl Sink) {
        sink.put(u64::from(self.to_bits()), 4);
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        let value = Self::from_bits(source.take(4)? as u32);
        if value.is_finite() { Ok(value) } else { Err(Corrupt("a number is not finite")) }
    }
}

impl<T: Saved> Saved for Option<T> {
    fn save(&self, sink: &mut impl Sink) {
        sink.put(u64::from(self.is_some()), 1);
        if let Some(value) = self {
            value.save(sink);
        }
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        Ok(if bool::load(source)? { Some(T::load(source)?) } else { None })
    }
}

impl<A: Saved, B: Saved> Saved for (A, B) {
    fn save(&self, sink: &mut impl Sink) {
        self.0.save(sink);
        self.1.save(sink);
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        Ok((A::load(source)?, B::load(source)?))
    }
}

impl<T: Saved, const N: usize> Saved for [T; N] {
    fn save(&self, sink: &mut impl Sink) {
        self.iter().for_each(|value| value.save(sink));
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        let mut failed = None;
        let values = std::array::from_fn(|_| match (failed, T::load(source)) {
            (None, Ok(value)) => Some(value),
            (None, Err(corrupt)) => {
                failed = Some(corrupt);
                None
            }
            (Some(_), _) => None,
        });
        match failed {
            None => Ok(values.map(|value| value.expect("every value was loaded"))),
            Some(corrupt) => Err(corrupt),
        }
    }
}

impl<T: Saved> Saved for Vec<T> {
    fn save(&self, sink: &mut impl Sink) {
        sink.put(self.len() as u64, 4);
        self.iter().for_each(|value| value.save(sink));
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        let count = source.take_count(LIST_MAX)?;
        // Grown by pushing: a lying count costs nothing before its entries fail to load.
        let mut values = Self::new();
        for _ in 0..count {
            values.push(T::load(source)?);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_bit_for_bit() {
        let body = Body { pos: Vec3::new(-0.0, 1.5, -2.25), grounded: true, ..Body::default() };
        let state = (vec![Some(body), None], [PlayerKey(u128::MAX - 7), PlayerKey(3)]);
        let mut bytes = Vec::new();
        state.save(&mut bytes);
        let again = <(Vec<Option<Body>>, [PlayerKey; 2])>::load(&mut Source::new(&bytes)).unwrap();
        assert_eq!(again, state);
        assert!(again.0[0].unwrap().pos.x.is_sign_negative());
    }

    #[test]
    fn a_lying_count_is_refused_before_it_costs_anything() {
        let bytes = [0xff, 0xff, 0x0f, 0, 1, 2, 3];
        assert!(Vec::<u8>::load(&mut Source::new(&bytes)).is_err());
    }

    #[test]
    fn not_a_number_is_refused() {
        let bytes = f32::NAN.to_le_bytes();
        assert!(f32::load(&mut Source::new(&bytes)).is_err());
    }
}
