//! The game protocol: datagrams, stream messages, bit codec, quantisation, limits, tickets.
//!
//! Everything that two processes must agree on to play a battle, and nothing else: no sockets, no
//! clock, no simulation, and no dependency on any other crate of this workspace. The layout of
//! every byte is written down in `docs/protocol.md`; tests compare that page with this code.
//!
//! Three kinds of bytes travel between a client and a battle server:
//! - [`input::InputDatagram`], client to server, unreliable, one a tick;
//! - [`snapshot`] datagrams, server to client, unreliable, delta-coded against a snapshot that
//!   the client acknowledged;
//! - [`message`]s, both ways on one ordered stream.
//!
//! Every decoder here reads bytes from a stranger: it returns an error, never panics, checks every
//! count before it allocates, and accepts exactly one encoding of each value.

pub mod bits;
pub mod close;
pub mod datagram;
pub mod error;
pub mod input;
pub mod limits;
pub mod message;
pub mod resume;
pub mod snapshot;
pub mod state;
pub mod ticket;

pub use error::DecodeError;
