//! Who is connected to a shard, and what a shard did.

use std::time::Instant;

use sortie_quic::PeerId;

/// A connection, from its handshake to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    /// The connection.
    pub peer: PeerId,
    /// When it was connected.
    pub since: Instant,
    /// The player behind it, once it was let in.
    pub slot: Option<u16>,
    /// Its hello was read.
    pub said_hello: bool,
    /// The lanes that its hello offered.
    pub lanes: u8,
    /// It was told why it has to leave; the connection is closed soon, and nothing counts any more.
    pub is_leaving: bool,
}

/// What the shards did, for report and metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ShardCounters {
    /// Datagrams and messages that were none.
    pub malformed: u64,
    /// Snapshots that were due.
    pub updates_due: u64,
    /// Snapshots sent.
    pub snapshots: u64,
    /// Their bytes.
    pub snapshot_bytes: u64,
    /// Of the snapshots, those that left over the sealed lane.
    pub snapshots_sealed: u64,
}
