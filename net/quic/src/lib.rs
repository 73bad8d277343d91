//! QUIC over quinn-proto, driven by the tick: no tokio, no task, no lock, no timer per connection.
//!
//! Sans-I/O: [`Server`] (one shard: one thread, one socket) and [`Client`] take datagrams and a
//! time and give datagrams, events and wake-ups. Each connection carries unreliable datagrams and
//! one reliable stream of messages in each direction. Sockets are the caller's: `sortie-pump` moves
//! batches of datagrams for a server. Start with [`Server`]; why it is driven like this, and what
//! that costs, stands in `docs/decisions/0002-driving-quinn-proto.md`.
//!
//! What is deliberately absent: what messages and datagrams mean, player sessions, 0-RTT (never
//! offered, never accepted), session tickets, more than one message stream, and certificates
//! signed by an authority (clients pin a fingerprint).

mod admission;
mod cid;
mod client;
mod config;
mod congestion;
mod connection;
mod counters;
mod driven;
mod error;
mod frame;
mod identity;
mod path_guard;
mod peer;
mod peer_id;
mod sealed;
mod secrets;
mod server;
mod tls;
mod transport;

pub use admission::{PrefixLimit, RetryPolicy};
pub use client::{Client, ClientEvent};
pub use config::{ALPN, ClientConfig, CloseCodes, ServerConfig, Shard};
pub use counters::Counters;
pub use driven::Driven;
pub use error::{CloseReason, ExportError, SendDatagramError, SendMessageError, SetupError};
pub use identity::{Fingerprint, FingerprintError, Identity};
pub use peer::ServerLane;
pub use peer_id::PeerId;
pub use sealed::{SealedCounters, SealedLanes, all_suites, best_suite, client_secrets, is_sealed};
pub use secrets::Secrets;
pub use server::{Server, ServerEvent};
pub use sortie_sealed::LaneChoice;
pub use tls::SERVER_NAME;

/// Where a datagram written by `poll_transmit` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Its destination: not always the address that the peer had a moment ago, since path checks
    /// after a migration go to the previous one too.
    pub to: std::net::SocketAddr,
}
