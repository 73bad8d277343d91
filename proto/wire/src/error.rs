//! Why bytes are not what they claim to be.

/// A datagram or message that no correct peer sends. Whoever meets one counts it and drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes ended inside a field.
    #[error("bytes ended inside a field")]
    Truncated,
    /// Bytes or set bits follow the last field.
    #[error("bytes follow the last field")]
    Trailing,
    /// More bytes than this kind may have.
    #[error("longer than this kind may be")]
    TooLong,
    /// The first byte names another kind, or none.
    #[error("unexpected datagram kind {0:#04x}")]
    Kind(u8),
    /// A number lies outside its range, or a count above its limit.
    #[error("a value lies outside its range")]
    OutOfRange,
    /// A value stands in a longer form than needed. One value has one encoding.
    #[error("a value stands in a longer form than needed")]
    NotCanonical,
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotText,
    /// A coordinate or speed that is no finite number.
    #[error("a coordinate is not finite")]
    NotFinite,
    /// The snapshot is coded against one that this client does not hold (any more).
    #[error("baseline of tick {0} is not held")]
    UnknownBaseline(u32),
    /// The snapshot changes or removes an entity that its baseline does not have.
    #[error("entity {0} is not in the baseline")]
    UnknownEntity(u32),
    /// A hello of another version, which may go on in another way.
    #[error("hello of another version")]
    OtherVersion,
    /// A message of an unknown kind, or broken inside.
    #[error("malformed message")]
    Message,
}
