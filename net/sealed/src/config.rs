//! What a lane may do, and what it did.

/// Limits of a lane. Both ends may have different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneConfig {
    /// Packets sealed under one key. Default 2^20, an eighth of what RFC 9001 (6.6) allows
    /// AES-128-GCM. At least 1; when fewer than the replay window's 1,024, packets that are late
    /// by more than a phase are taken for forged.
    pub rekey_after_packets: u32,
    /// Packets that may fail to authenticate before the lane closes. Default 2^20; RFC 9001 (6.6)
    /// allows 2^36 with ChaCha20-Poly1305 and 2^52 with AES-128-GCM.
    pub forged_packets_max: u32,
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self { rekey_after_packets: 1 << 20, forged_packets_max: 1 << 20 }
    }
}

/// What one end has counted since the lane was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneCounters {
    /// Packets sealed.
    pub sealed: u64,
    /// Packets opened.
    pub opened: u64,
    /// Packets that did not authenticate.
    pub forged: u64,
    /// Packets that were opened before, or too long ago to know.
    pub replayed: u64,
    /// Authentic packets without the fields that they announce.
    pub malformed: u64,
}
