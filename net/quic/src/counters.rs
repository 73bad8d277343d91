//! What a server or client has seen, for metrics: a stranger's bytes bump a counter and never a
//! log line.

/// Totals of one [`crate::Server`] or [`crate::Client`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// UDP datagrams handed in, and their bytes.
    pub packets_in: u64,
    /// See [`Self::packets_in`].
    pub bytes_in: u64,
    /// UDP datagrams written, and their bytes.
    pub packets_out: u64,
    /// See [`Self::packets_out`].
    pub bytes_out: u64,
    /// Datagrams that belong to no connection and open none: garbage, and the late packets of
    /// connections that are gone.
    pub ignored: u64,
    /// Stateless answers (Retry, refusal, version negotiation, reset) that found no room.
    pub responses_dropped: u64,
    /// First packets of new connections.
    pub attempts: u64,
    /// Attempts accepted; TLS begins.
    pub accepted: u64,
    /// Attempts answered with Retry: come back and prove your address.
    pub retries: u64,
    /// Attempts refused: full, or too many from one address range.
    pub refused: u64,
    /// Packets held back because they would have amplified what an unproven address sent.
    pub amplification_held: u64,
    /// Handshakes completed.
    pub connected: u64,
    /// Handshakes that failed after being accepted.
    pub handshakes_failed: u64,
    /// Connections that were up and ended, for any reason.
    pub closed: u64,
    /// Connections that ended because nothing arrived.
    pub timed_out: u64,
    /// Peers that came from a new address and kept their connection.
    pub migrations: u64,
    /// Application datagrams received.
    pub datagrams_in: u64,
    /// Application datagrams queued.
    pub datagrams_out: u64,
    /// Queued datagrams that a newer one pushed out before they left: at least this many.
    pub datagrams_replaced: u64,
    /// Application datagrams refused as longer than the path carries.
    pub datagrams_too_large: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Messages queued.
    pub messages_out: u64,
    /// Messages refused because too many waited.
    pub backlog_full: u64,
    /// Connections closed for a frame that breaks the framing: empty or over-long.
    pub malformed_frames: u64,
    /// Streams refused beyond the one that carries messages.
    pub streams_refused: u64,
}
