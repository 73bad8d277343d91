//! The sealed lane: inputs and snapshots in UDP packets of their own, beside QUIC on one port.
//!
//! After the join both sides take two secrets from the TLS exporter of their QUIC connection (RFC
//! 8446, section 7.5; the pattern of DTLS-SRTP, RFC 5764) and send packets that cost one AEAD
//! operation and one array access each. QUIC keeps what needs reliability: handshake, messages,
//! and the datagrams of those whose path lets the sealed packets not through.
//!
//! ```text
//!  0        1              5               9                          n - 16   n
//!  +--------+--------------+---------------+---------------------------+-------+
//!  | flags  | session u32  | number u32    | challenge, report, payload | tag   |
//!  +--------+--------------+---------------+---------------------------+-------+
//!  |<------- associated data ------------->|<------- encrypted ------->|
//! ```
//!
//! Sans-I/O: `now` and the packets come in as arguments, and nothing here knows a socket. A
//! server's shard owns one [`Lanes`], a client one [`ClientLane`]; both stand on [`Lane`], which
//! is where to begin reading. Not here: what the payload means, how the lane is agreed upon (a
//! message of the game protocol), and when to use it. `docs/protocol.md` specifies every byte,
//! `docs/decisions/0008-the-sealed-lane.md` says why it is like this.
//!
//! Invariants:
//! - Nobody who does not hold the keys is ever answered, and costs at most one AEAD operation.
//! - No packet number is used twice under a key: numbers only rise, and end at 2^32 - 2.
//! - A packet is believed after it authenticated, never before; and once.
//! - Nothing is allocated for a packet, and no payload is copied after it was written.

mod client;
mod config;
mod draft;
mod error;
mod estimate;
mod evidence;
mod fields;
mod header;
mod ids;
mod keys;
mod lane;
mod lanes;
mod path;
mod receiver;
mod secrets;
mod sender;
mod window;

pub use client::{ClientLane, SILENCE};
pub use config::{LaneConfig, LaneCounters};
pub use draft::{Draft, Opened};
pub use error::{InsertError, OpenError, SealError, TableSetupError};
pub use evidence::{Evidence, LaneChoice, SILENT_WITH};
pub use fields::{CHALLENGE_BYTES, Challenge, Fields, REPORT_BYTES, Report};
pub use header::{HEADER_BYTES, Header, session_of};
pub use keys::{KeyError, Keys, TAG_BYTES};
pub use lane::{Lane, REPORT_INTERVAL_PACKETS};
pub use lanes::{Arrival, Lanes, LanesConfig, Sealed, StrangerCounters};
pub use path::{AMPLIFICATION_LIMIT, CHANGE_INTERVAL, Path};
pub use secrets::{EXPORTER_BYTES, EXPORTER_LABEL, LaneSecrets, Side, Suite, exporter_context};
pub use window::{ReplayWindow, WINDOW_PACKETS};

/// Bytes that a packet adds to its payload when it carries neither challenge nor report.
pub const OVERHEAD_BYTES_MIN: usize = HEADER_BYTES + TAG_BYTES;

/// Bytes that a packet adds to its payload at most.
pub const OVERHEAD_BYTES_MAX: usize = OVERHEAD_BYTES_MIN + CHALLENGE_BYTES + REPORT_BYTES;

/// Bytes of a whole packet at most, as UDP payload: what every path of QUIC carries (RFC 9000,
/// section 14). Longer ones are neither written nor read.
pub const PACKET_BYTES_MAX: usize = 1200;

/// Bytes of payload that fit into a packet whatever else it carries.
pub const PAYLOAD_BYTES_MAX: usize = PACKET_BYTES_MAX - OVERHEAD_BYTES_MAX;
