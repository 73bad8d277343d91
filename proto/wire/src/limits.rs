//! Numbers that both ends must agree on. `docs/protocol.md` repeats them; a test compares.

/// Version of everything in this crate. Both ends must have the same.
pub const PROTOCOL_VERSION: u16 = 3;
/// The ALPN name of the QUIC connection. A change of [`PROTOCOL_VERSION`] within one ALPN name is
/// answered with a readable close code; a new name is for changes of the transport itself.
pub const ALPN: &[u8] = b"sortie/1";

/// Bit of [`Hello::lanes`](crate::message::Hello::lanes): the sealed lane with AES-128-GCM.
pub const LANE_AES_128_GCM: u8 = 1;
/// Bit of [`Hello::lanes`](crate::message::Hello::lanes): the sealed lane with ChaCha20-Poly1305.
pub const LANE_CHACHA20_POLY1305: u8 = 2;

/// Ticks a second, least.
pub const TICK_HZ_MIN: u16 = 20;
/// Ticks a second, most.
pub const TICK_HZ_MAX: u16 = 128;
/// Ticks a second by default.
pub const TICK_HZ_DEFAULT: u16 = 60;

/// Largest datagram payload, bytes. QUIC packets of 1,200 bytes leave so much for a DATAGRAM
/// frame's content with an 8-byte connection id.
pub const DATAGRAM_BYTES_MAX: usize = 1_162;
/// Commands in an input datagram, most.
pub const INPUT_COMMANDS_MAX: usize = 4;
/// Bytes of an input datagram, most.
pub const INPUT_BYTES_MAX: usize = 66;
/// An input may be for this many ticks after the last one stepped, most.
pub const INPUT_WINDOW_TICKS: u32 = 512;

/// A snapshot's baseline is less than this many ticks older than the snapshot.
pub const BASELINE_TICKS: u32 = 64;
/// Entity ids are below this.
pub const ENTITY_ID_END: u32 = 1 << 24;
/// Ids below this are soldiers: the id is the player's slot.
pub const FIRST_PROP_ID: u32 = 1 << 13;
/// Entities that a client can be told of at a time, most.
pub const ENTITIES_MAX: usize = 4_096;
/// Sounds in a snapshot, most.
pub const SOUNDS_MAX: usize = 15;
/// Hit markers in a snapshot, most.
pub const HITS_MAX: usize = 7;

/// Bytes of a message from a server, most, without the two bytes of length before it.
pub const MESSAGE_BYTES_MAX: usize = 65_535;
/// Bytes of a message from a client, most, without the two bytes of length before it.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 1_024;
/// Map and rules documents of a welcome together, bytes.
pub const DOCUMENTS_BYTES_MAX: usize = 60 * 1_024;

/// A player's name, bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 32;
/// The text beside a close code, bytes of UTF-8.
pub const CLOSE_TEXT_BYTES_MAX: usize = 256;
/// What an operator says to everybody, bytes of UTF-8.
pub const NOTICE_BYTES_MAX: usize = 512;
/// The server that a ticket is meant for, bytes of UTF-8.
pub const AUDIENCE_BYTES_MAX: usize = 64;
/// Bytes of a join ticket, most.
pub const TICKET_BYTES_MAX: usize = 236;
/// A ticket may be issued for this long, most, milliseconds.
pub const TICKET_LIFE_MS_MAX: u64 = 30_000;
/// Clocks of issuer and battle server may differ by so much, milliseconds.
pub const CLOCK_LEEWAY_MS: u64 = 5_000;
