//! Reading and writing the small parts of blocks: little-endian numbers, LEB128 for counts.

use super::error::Damage;

/// Takes parts off the front of a block's bytes. Every read is checked; nothing is allocated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    left: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, left) = self.left.split_at_checked(count).ok_or(Damage("it ends early"))?;
        self.left = left;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Damage> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Result<u128, Damage> {
        self.array().map(u128::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A count or index.
    pub(crate) fn varint(&mut self) -> Result<u32, Damage> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| Damage("a number is out of range"));
            }
        }
        Err(Damage("a number is out of range"))
    }

    /// A difference: small ones of either sign take one byte.
    pub(crate) fn signed(&mut self) -> Result<i32, Damage> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
    }

    /// Bytes behind their length.
    pub(crate) fn blob(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.varint()?;
        self.take(length as usize)
    }

    /// Text behind its length.
    pub(crate) fn text(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.blob()?).map_err(|_| Damage("a text is no UTF-8"))
    }

    /// What is left, to be read by another decoder that moves the slice on.
    pub(crate) fn rest(&mut self) -> &mut &'a [u8] {
        &mut self.left
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i32) {
    put_varint(out, ((value << 1) ^ (value >> 31)) as u32);
}

/// # Panics
/// More than 4 GiB; blocks are far smaller.
pub(crate) fn put_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, u32::try_from(bytes.len()).expect("parts of blocks are small"));
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(unsigned: u32, signed: i32, text: String) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, unsigned);
            put_signed(&mut bytes, signed);
            put_blob(&mut bytes, text.as_bytes());
            let mut parts = Parts::new(&bytes);
            prop_assert_eq!(parts.varint(), Ok(unsigned));
            prop_assert_eq!(parts.signed(), Ok(signed));
            prop_assert_eq!(parts.text(), Ok(&*text));
            prop_assert!(parts.is_empty());
        }
    }
}
