//! Numbers near zero in few bits: Golomb-Rice codes with an escape.
//!
//! A number is folded (0, -1, 1, -2, … become 0, 1, 2, 3, …) and written as so many one-bits as
//! the folded number has multiples of 2^scale, a zero, and the remainder in `scale` bits. From
//! twelve one-bits on the value itself follows instead. With the scale at about log2 of the mean
//! this is within a few per cent of the best code for numbers that fall off like a power.
//! (R. F. Rice, "Some practical universal noiseless coding techniques", JPL 79-22, 1979.)

use crate::{
    bits::{BitReader, BitWriter},
    error::DecodeError,
};

/// One-bits that announce the value itself.
const ESCAPE_ONES: u32 = 12;
/// The largest scale.
pub const SCALE_MAX: u8 = 7;

/// Takes bits in.
pub(super) trait Put {
    /// Appends the low `bits` bits of `value`, at most 32; the others are zero.
    fn put(&mut self, value: u32, bits: u32);
}

impl Put for BitWriter<'_> {
    #[inline(always)]
    fn put(&mut self, value: u32, bits: u32) {
        BitWriter::put(self, value, bits);
    }
}

/// The scale that suits numbers of this mean size when folded.
pub fn scale_for(mean_folded: f32) -> u8 {
    // The remainder is best about as long as the median, 0.69 of the mean of a geometric
    // distribution; 0.8 suits what walkers leave a little better.
    let usual = (mean_folded * 0.8).max(1.0) as u32;
    usual.ilog2().min(u32::from(SCALE_MAX)) as u8
}

/// The size of a number as it is written.
#[inline(always)]
pub fn folded(number: i32) -> u32 {
    ((number << 1) ^ (number >> 31)) as u32
}

#[inline(always)]
fn unfolded(folded: u32) -> i32 {
    (folded >> 1) as i32 ^ -((folded & 1) as i32)
}

/// Writes `residual`, or the `value` in `value_bits` bits when it is too large for the scale.
#[inline(always)]
pub(super) fn put_residual(
    sink: &mut impl Put,
    residual: i32,
    scale: u32,
    (value, value_bits): (u32, u32),
) {
    let folded = folded(residual);
    let ones = folded >> scale;
    if ones < ESCAPE_ONES {
        let rest = folded & ((1 << scale) - 1);
        sink.put(((1 << ones) - 1) | rest << (ones + 1), ones + 1 + scale);
    } else {
        sink.put((1 << ESCAPE_ONES) - 1, ESCAPE_ONES);
        sink.put(value, value_bits);
    }
}

/// What [`put_residual`] wrote.
pub(super) enum Number {
    Residual(i32),
    Value(u32),
}

/// Reads a residual, or a value of so many bits.
#[inline(always)]
pub(super) fn get_residual(
    reader: &mut BitReader<'_>,
    scale: u32,
    value_bits: u32,
) -> Result<Number, DecodeError> {
    let ones = reader.get_unary(ESCAPE_ONES)?;
    if ones < ESCAPE_ONES {
        return Ok(Number::Residual(unfolded(ones << scale | reader.get(scale)?)));
    }
    Ok(Number::Value(reader.get(value_bits)?))
}

/// Whether a residual has to be escaped.
#[inline(always)]
pub(super) fn is_escaped(residual: i32, scale: u32) -> bool {
    folded(residual) >> scale >= ESCAPE_ONES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_goes_both_ways() {
        assert_eq!([0, -1, 1, -2, 2].map(folded), [0, 1, 2, 3, 4]);
        for number in (-70_000..70_000).chain([i32::MIN / 2, i32::MAX / 2]) {
            assert_eq!(unfolded(folded(number)), number);
        }
    }

    #[test]
    fn every_number_comes_back_at_every_scale() {
        for scale in 0..=u32::from(SCALE_MAX) {
            for number in -900..900 {
                let mut buffer = [0; 16];
                let mut writer = BitWriter::new(&mut buffer);
                put_residual(&mut writer, number, scale, (77, 10));
                let mut reader = BitReader::new(writer.finish().unwrap());
                match get_residual(&mut reader, scale, 10).unwrap() {
                    Number::Residual(read) => {
                        assert!(read == number && !is_escaped(number, scale));
                    }
                    Number::Value(value) => assert!(value == 77 && is_escaped(number, scale)),
                }
                reader.finish().unwrap();
            }
        }
    }

    #[test]
    fn the_scale_grows_with_the_mean() {
        let scales = [0.0, 1.0, 2.0, 3.0, 6.0, 12.0, 100.0, 1e9].map(scale_for);
        assert_eq!(scales, [0, 0, 0, 1, 2, 3, 6, 7]);
    }
}
