//! What can go wrong. None of it is told to the other side.

use thiserror::Error;

/// Why a packet was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// All packet numbers are used; the lane is dead and another one has to be agreed upon.
    #[error("the lane's packet numbers are used up")]
    Exhausted,
    /// Too many packets failed to authenticate; the lane is dead.
    #[error("the lane is closed after too many forged packets")]
    Closed,
    /// The packet would be longer than [`crate::PACKET_BYTES_MAX`].
    #[error("the payload does not fit into a packet")]
    TooLong,
    /// The peer's address is not proven, and the packet would be more than it may get.
    #[error("the peer's address is not proven yet")]
    Unproven,
    /// No lane is kept under this key.
    #[error("there is no such lane")]
    NoLane,
}

/// Why a packet was not read. It is dropped and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Not a packet of this version, too short or too long.
    #[error("not a sealed packet")]
    NotSealed,
    /// The session id is another lane's or nobody's.
    #[error("the packet is of another lane")]
    OtherLane,
    /// The lane is dead after too many forged packets.
    #[error("the lane is closed after too many forged packets")]
    Closed,
    /// The number lies too far behind the newest one to know whether it was seen.
    #[error("the packet is too old")]
    TooOld,
    /// A packet of this number was read already.
    #[error("the packet was read already")]
    Replayed,
    /// The bytes are not what the peer sealed.
    #[error("the packet does not authenticate")]
    Forged,
    /// Authentic, but shorter than the fields that it announces.
    #[error("the packet lacks fields that it announces")]
    Malformed,
}

/// Why a lane could not be added to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InsertError {
    /// The key is not below the table's capacity.
    #[error("the peer's key is beyond the table")]
    KeyBeyond,
    /// The exporter gave no secrets.
    #[error("the connection exports no keys")]
    NoSecrets,
}

/// Why a table could not be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TableSetupError {
    /// No shard of that number exists.
    #[error(
        "shard {index} of {count}: the count must be a power of two up to 256, above the index"
    )]
    Shard {
        /// The shard's number.
        index: u8,
        /// The number of shards.
        count: u16,
    },
    /// Session ids have no room for so many peers.
    #[error("{capacity} peers in {shards} shards leave too few random bits in a session id")]
    Capacity {
        /// Peers of a shard.
        capacity: usize,
        /// The number of shards.
        shards: u16,
    },
}
