//! Bit streams: fields of 0 to 32 bits, packed without gaps.
//!
//! Bit `n` of a stream is bit `n % 8` of byte `n / 8`, counted from the least significant; a field
//! is written from its least significant bit on. A byte-aligned field of 16 or 32 bits is thus a
//! little-endian integer.

use crate::error::DecodeError;

/// Packs fields into a caller's buffer. Writing past its end is noticed, not performed:
/// [`fits`](Self::fits) says so, and [`rewind`](Self::rewind) takes back what was too much.
#[derive(Debug)]
pub struct BitWriter<'a> {
    out: &'a mut [u8],
    cursor: Cursor,
}

/// A place in a [`BitWriter`] to return to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Whole bytes written.
    bytes: usize,
    /// Bits behind them, the oldest lowest; all above `pending_bits` are zero.
    pending: u64,
    /// Fewer than 8.
    pending_bits: u32,
}

/// Bits that [`BitWriter::put_wide`] takes at a time, most.
pub const WIDE_BITS_MAX: u32 = 56;

impl<'a> BitWriter<'a> {
    /// Writes from the start of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, cursor: Cursor::default() }
    }

    /// Appends the low `bits` bits of `value`; the others must be zero. At most 32.
    #[inline(always)]
    pub fn put(&mut self, value: u32, bits: u32) {
        debug_assert!(bits <= 32, "{bits} bits");
        self.put_wide(u64::from(value), bits);
    }

    /// Appends the low `bits` bits of `value`; the others must be zero. At most
    /// [`WIDE_BITS_MAX`].
    ///
    /// Eight bytes are stored whatever the number of bits: the next store overwrites what was too
    /// much, and no branch depends on the number.
    #[inline(always)]
    pub fn put_wide(&mut self, value: u64, bits: u32) {
        debug_assert!(bits <= WIDE_BITS_MAX && value >> bits == 0, "{value} in {bits} bits");
        let cursor = &mut self.cursor;
        let word = cursor.pending | value << cursor.pending_bits;
        match self.out.get_mut(cursor.bytes..cursor.bytes + 8) {
            Some(place) => place.copy_from_slice(&word.to_le_bytes()),
            None => store_last(self.out, cursor.bytes, word),
        }
        let bits = cursor.pending_bits + bits;
        cursor.bytes += (bits / 8) as usize;
        cursor.pending = word >> (bits & !7);
        cursor.pending_bits = bits % 8;
    }

    /// Appends `number(n)` for each one-bit n of `set`, from the lowest on, with its length of at
    /// most [`WIDE_BITS_MAX`] bits; stops where the next might end beyond `bits_max` bits from the
    /// start. Gives the rest of the set.
    ///
    /// The place in the buffer stays in registers from the first to the last.
    #[inline(always)]
    pub(crate) fn put_run(
        &mut self,
        bits_max: usize,
        mut set: u64,
        number: impl Fn(usize) -> (u64, u32),
    ) -> u64 {
        let Cursor { mut bytes, mut pending, mut pending_bits } = self.cursor;
        // Whatever is stored within these bytes ends within the limit, whole words included.
        let end = (bits_max / 8).min(self.out.len());
        let out = &mut self.out[..end];
        while set != 0 {
            let Some(place) = out.get_mut(bytes..).and_then(|out| out.first_chunk_mut()) else {
                break;
            };
            let (value, bits) = number(set.trailing_zeros() as usize);
            let word = pending | value << pending_bits;
            *place = word.to_le_bytes();
            let end = pending_bits + bits;
            bytes += (end / 8) as usize;
            pending = word >> (end & !7);
            pending_bits = end % 8;
            set &= set - 1;
        }
        self.cursor = Cursor { bytes, pending, pending_bits };
        set
    }

    /// Appends a signed number in two's complement; it must fit in `bits` bits, 1 to 32.
    #[inline(always)]
    pub fn put_signed(&mut self, value: i32, bits: u32) {
        debug_assert!(fits_signed(value, bits), "{value} in {bits} bits");
        self.put((value as u32) & (u32::MAX >> (32 - bits)), bits);
    }

    /// Appends `ones` one-bits, and a zero unless they are `max`, at most 31.
    #[inline(always)]
    pub fn put_unary(&mut self, ones: u32, max: u32) {
        debug_assert!(ones <= max && max < 32);
        self.put((1 << ones) - 1, ones + u32::from(ones < max));
    }

    /// Appends one bit.
    #[inline(always)]
    pub fn put_bit(&mut self, bit: bool) {
        self.put(u32::from(bit), 1);
    }

    /// Bits written so far, those beyond the buffer's end included.
    #[inline]
    pub fn bit_len(&self) -> usize {
        self.cursor.bytes * 8 + self.cursor.pending_bits as usize
    }

    /// Whether all that was written lies within the buffer.
    #[inline]
    pub fn fits(&self) -> bool {
        self.bit_len() <= self.out.len() * 8
    }

    /// This place, to [`rewind`](Self::rewind) to.
    #[inline]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Takes back all that was written after `cursor` was taken.
    #[inline]
    pub fn rewind(&mut self, cursor: Cursor) {
        self.cursor = cursor;
    }

    /// Fills the last byte with zero bits and gives the bytes used; `None` when they did not fit.
    pub fn finish(self) -> Option<&'a mut [u8]> {
        let Self { out, cursor } = self;
        let tail = usize::from(cursor.pending_bits > 0);
        let used = out.get_mut(..cursor.bytes + tail)?;
        if tail > 0 {
            used[cursor.bytes] = cursor.pending as u8;
        }
        Some(used)
    }
}

/// Stores as much of `word` as `out` has room for from `at` on.
#[cold]
fn store_last(out: &mut [u8], at: usize, word: u64) {
    let room = out.get_mut(at..).unwrap_or_default();
    room.iter_mut().zip(word.to_le_bytes()).for_each(|(place, byte)| *place = byte);
}

/// Whether `value` fits in `bits` bits of two's complement, 1 to 32.
#[inline(always)]
pub fn fits_signed(value: i32, bits: u32) -> bool {
    let unused = 32 - bits;
    (value << unused) >> unused == value
}

/// Reads what [`BitWriter`] wrote, or whatever a stranger sent.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits read so far.
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `bits` bits, at most 32.
    ///
    /// # Errors
    /// `Truncated` when fewer are left.
    #[inline(always)]
    pub fn get(&mut self, bits: u32) -> Result<u32, DecodeError> {
        debug_assert!(bits <= 32);
        let end = self.at + bits as usize;
        if end > self.bytes.len() * 8 {
            return Err(DecodeError::Truncated);
        }
        let value = self.ahead() & ((1 << bits) - 1);
        self.at = end;
        Ok(value as u32)
    }

    /// At least the next 57 bits; zeros beyond the end.
    #[inline(always)]
    fn ahead(&self) -> u64 {
        let first = self.at / 8;
        let word = match self.bytes.get(first..first + 8) {
            Some(word) => u64::from_le_bytes(word.try_into().unwrap_or_default()),
            None => self.last_word(first),
        };
        word >> (self.at % 8)
    }

    /// Counts one-bits up to a zero, which is read too, or up to `max` (at most 32).
    ///
    /// # Errors
    /// `Truncated` when the bits end before.
    #[inline(always)]
    pub fn get_unary(&mut self, max: u32) -> Result<u32, DecodeError> {
        let ones = self.ahead().trailing_ones().min(max);
        let read = ones + u32::from(ones < max);
        if self.at + read as usize > self.bytes.len() * 8 {
            return Err(DecodeError::Truncated);
        }
        self.at += read as usize;
        Ok(ones)
    }

    /// The bytes from `first` to the end, fewer than eight, as one little-endian number.
    #[cold]
    fn last_word(&self, first: usize) -> u64 {
        let rest = self.bytes.get(first..).unwrap_or_default();
        rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
    }

    /// A signed number in two's complement of `bits` bits, 1 to 32.
    ///
    /// # Errors
    /// `Truncated` when fewer are left.
    #[inline(always)]
    pub fn get_signed(&mut self, bits: u32) -> Result<i32, DecodeError> {
        let unused = 32 - bits;
        Ok((self.get(bits)? << unused) as i32 >> unused)
    }

    /// The next bit.
    ///
    /// # Errors
    /// `Truncated` at the end.
    #[inline(always)]
    pub fn get_bit(&mut self) -> Result<bool, DecodeError> {
        Ok(self.get(1)? != 0)
    }

    /// Bits read so far.
    pub fn bit_len(&self) -> usize {
        self.at
    }

    /// Accepts the end: only the zero bits that fill the last byte may be left.
    ///
    /// # Errors
    /// `Trailing` when anything else is.
    pub fn finish(mut self) -> Result<(), DecodeError> {
        let left = self.bytes.len() * 8 - self.at;
        if left >= 8 || self.get(left as u32)? != 0 {
            return Err(DecodeError::Trailing);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn field() -> impl Strategy<Value = (u32, u32)> {
        (0..=32u32).prop_flat_map(|bits| {
            let max = ((1u64 << bits) - 1) as u32;
            (0..=max, Just(bits))
        })
    }

    proptest! {
        #[test]
        fn fields_come_back_in_order(fields in vec(field(), 0..200)) {
            let mut buffer = [0xAA; 1_000];
            let mut writer = BitWriter::new(&mut buffer);
            for &(value, bits) in &fields {
                writer.put(value, bits);
            }
            let mut reader = BitReader::new(writer.finish().unwrap());
            for &(value, bits) in &fields {
                prop_assert_eq!(reader.get(bits), Ok(value));
            }
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn a_short_buffer_is_noticed_and_never_overrun(
            fields in vec(field(), 0..40),
            room in 0..60usize,
        ) {
            let mut buffer = vec![0x55; room + 8];
            let mut writer = BitWriter::new(&mut buffer[..room]);
            let mut bits_sum = 0;
            for &(value, bits) in &fields {
                writer.put(value, bits);
                bits_sum += bits as usize;
                prop_assert_eq!(writer.bit_len(), bits_sum);
                prop_assert_eq!(writer.fits(), bits_sum <= room * 8);
            }
            let expected = Some(bits_sum.div_ceil(8)).filter(|&bytes| bytes <= room);
            prop_assert_eq!(writer.finish().map(|used| used.len()), expected);
            prop_assert_eq!(&buffer[room..], &[0x55; 8]);
        }

        #[test]
        fn reading_ends_with_the_bytes(
            bytes in vec(any::<u8>(), 0..20),
            widths in vec(0..=32u32, 0..40),
        ) {
            let mut reader = BitReader::new(&bytes);
            let mut at = 0;
            for bits in widths {
                let read = reader.get(bits);
                prop_assert_eq!(read.is_ok(), at + bits as usize <= bytes.len() * 8);
                at += if read.is_ok() { bits as usize } else { 0 };
            }
        }
    }

    #[test]
    fn rewinding_takes_back() {
        let mut buffer = [0; 8];
        let mut writer = BitWriter::new(&mut buffer);
        writer.put(0b101, 3);
        let cursor = writer.cursor();
        writer.put(u32::MAX, 32);
        writer.rewind(cursor);
        writer.put(0b11, 2);
        assert_eq!(writer.finish().unwrap(), &[0b11101]);
    }

    #[test]
    fn signed_numbers_keep_their_sign() {
        let mut buffer = [0; 8];
        let mut writer = BitWriter::new(&mut buffer);
        writer.put_signed(-64, 7);
        writer.put_signed(63, 7);
        writer.put_signed(i32::MIN, 32);
        let mut reader = BitReader::new(writer.finish().unwrap());
        assert_eq!(reader.get_signed(7), Ok(-64));
        assert_eq!(reader.get_signed(7), Ok(63));
        assert_eq!(reader.get_signed(32), Ok(i32::MIN));
        assert!(!fits_signed(64, 7) && !fits_signed(-65, 7) && fits_signed(-64, 7));
    }

    #[test]
    fn unary_numbers_end_with_a_zero_or_at_their_limit() {
        let mut buffer = [0; 8];
        let mut writer = BitWriter::new(&mut buffer);
        for ones in [0, 3, 8, 7] {
            writer.put_unary(ones, 8);
        }
        let bytes = writer.finish().unwrap();
        let mut reader = BitReader::new(bytes);
        for ones in [0, 3, 8, 7] {
            assert_eq!(reader.get_unary(8), Ok(ones));
        }
        assert_eq!(BitReader::new(&[0b0111]).get_unary(3), Ok(3));
        assert_eq!(BitReader::new(&[0xFF]).get_unary(9), Err(DecodeError::Truncated));
        assert_eq!(BitReader::new(&[]).get_unary(9), Err(DecodeError::Truncated));
    }

    #[test]
    fn the_fill_must_be_zero() {
        let mut reader = BitReader::new(&[0b1000_0001]);
        assert_eq!(reader.get(3), Ok(1));
        assert_eq!(reader.finish(), Err(DecodeError::Trailing));
        assert_eq!(BitReader::new(&[0]).finish(), Err(DecodeError::Trailing));
    }
}
