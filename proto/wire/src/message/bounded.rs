//! Text, bytes and lists that cannot be longer than the protocol allows.
//!
//! bincode's own containers reserve memory for as many elements as a length field claims. These
//! check the length against their limit, and grow only by what was really read.

use core::ops::Deref;

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder, read::Reader},
    enc::{Encoder, write::Writer},
    error::{DecodeError, EncodeError},
};

/// Text of at most `MAX` bytes of UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// `text`, if it is short enough.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (text.len() <= MAX).then_some(Self(text))
    }

    /// As many characters of `text` as there is room for.
    pub fn truncated(text: &str) -> Self {
        Self(text[..text.floor_char_boundary(MAX)].to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> core::fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// At most `MAX` bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob<const MAX: usize>(Vec<u8>);

impl<const MAX: usize> Blob<MAX> {
    /// `bytes`, if they are few enough.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= MAX).then_some(Self(bytes))
    }

    /// The bytes, owned.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl<const MAX: usize> Deref for Blob<MAX> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// At most `MAX` elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// Elements, most.
    pub const MAX: usize = MAX;

    /// `elements`, if they are few enough.
    pub fn new(elements: impl Into<Vec<T>>) -> Option<Self> {
        let elements = elements.into();
        (elements.len() <= MAX).then_some(Self(elements))
    }

    /// Appends one element; gives it back when the list is full.
    ///
    /// # Errors
    /// The element, when there are `MAX` already.
    pub fn push(&mut self, element: T) -> Result<(), T> {
        if self.0.len() >= MAX {
            return Err(element);
        }
        self.0.push(element);
        Ok(())
    }

    /// The elements, owned.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

fn read_len<D: Decoder>(decoder: &mut D, max: usize) -> Result<usize, DecodeError> {
    let len = u64::decode(decoder)?;
    match usize::try_from(len) {
        Ok(len) if len <= max => Ok(len),
        _ => Err(DecodeError::LimitExceeded),
    }
}

/// Reads exactly the claimed bytes, looking at them before anything is allocated.
fn read_bytes<D: Decoder, T>(
    decoder: &mut D,
    max: usize,
    take: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let len = read_len(decoder, max)?;
    decoder.claim_bytes_read(len)?;
    let missing = DecodeError::UnexpectedEnd { additional: len };
    let taken = take(decoder.reader().peek_read(len).ok_or(missing)?)?;
    decoder.reader().consume(len);
    Ok(taken)
}

/// Reads a list; memory grows with what was read, not with what was claimed.
fn read_elements<D: Decoder, T>(
    decoder: &mut D,
    max: usize,
    mut read: impl FnMut(&mut D) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let len = read_len(decoder, max)?;
    let mut elements = Vec::new();
    for _ in 0..len {
        elements.push(read(decoder)?);
    }
    Ok(elements)
}

fn write_bytes<E: Encoder>(encoder: &mut E, bytes: &[u8]) -> Result<(), EncodeError> {
    (bytes.len() as u64).encode(encoder)?;
    encoder.writer().write(bytes)
}

impl<const MAX: usize> Encode for Text<MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        write_bytes(encoder, self.0.as_bytes())
    }
}

impl<Context, const MAX: usize> Decode<Context> for Text<MAX> {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        read_bytes(decoder, MAX, |bytes| match core::str::from_utf8(bytes) {
            Ok(text) => Ok(Self(text.to_owned())),
            Err(inner) => Err(DecodeError::Utf8 { inner }),
        })
    }
}

impl<const MAX: usize> Encode for Blob<MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        write_bytes(encoder, &self.0)
    }
}

impl<Context, const MAX: usize> Decode<Context> for Blob<MAX> {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        read_bytes(decoder, MAX, |bytes| Ok(Self(bytes.to_owned())))
    }
}

impl<T: Encode, const MAX: usize> Encode for List<T, MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u64).encode(encoder)?;
        self.0.iter().try_for_each(|element| element.encode(encoder))
    }
}

impl<Context, T: Decode<Context>, const MAX: usize> Decode<Context> for List<T, MAX> {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        read_elements(decoder, MAX, T::decode).map(Self)
    }
}

// A `BorrowDecode` beside each `Decode`, as bincode's derive asks for it.

impl<'de, Context, const MAX: usize> BorrowDecode<'de, Context> for Text<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, Context, const MAX: usize> BorrowDecode<'de, Context> for Blob<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, Context, T, const MAX: usize> BorrowDecode<'de, Context> for List<T, MAX>
where
    T: BorrowDecode<'de, Context>,
{
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        read_elements(decoder, MAX, T::borrow_decode).map(Self)
    }
}
