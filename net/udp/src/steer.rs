//! Which shard a datagram belongs to, by the connection id that it carries.
//!
//! Every shard issues connection ids whose first byte ends in its own number. A packet filter on
//! the `SO_REUSEPORT` group reads that byte, so that a client that moves to another address stays
//! with the shard (and thread) that owns its connection; the kernel's default, a hash of the
//! addresses, would send it astray. A client's very first packet carries an id of its own choice:
//! any shard may take it, and answers with its own ids.

/// Offset of the first connection id byte behind a short header.
pub(crate) const SHORT_HEADER_CID: usize = 1;
/// Offset of the first destination connection id byte of a long header (flags, version, length).
pub(crate) const LONG_HEADER_CID: usize = 6;

/// The shard that `datagram` belongs to, among `shard_count` (a power of two up to 256). The same
/// answer as the kernel's filter; for sockets that are not steered, and for tests.
pub fn shard_of(datagram: &[u8], shard_count: usize) -> usize {
    assert!(shard_count.is_power_of_two() && shard_count <= 256, "shards: a power of two to 256");
    let Some(&first) = datagram.first() else { return 0 };
    let at = if first & 0x80 != 0 { LONG_HEADER_CID } else { SHORT_HEADER_CID };
    datagram.get(at).map_or(0, |&byte| usize::from(byte) & (shard_count - 1))
}
