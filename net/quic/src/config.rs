//! What a server or client is told at its start.

use std::net::SocketAddr;
use std::time::Duration;

use crate::admission::{PrefixLimit, RetryPolicy};
use crate::identity::{Fingerprint, Identity};
use crate::secrets::Secrets;

/// The protocol name that both sides must agree on.
pub const ALPN: &[u8] = b"sortie/1";

/// Which part of a server's clients one [`crate::Server`] owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number, below `count`: the index of its socket in `Socket::bind_shards`.
    pub index: u8,
    /// Number of shards: a power of two, 1..=256.
    pub count: u16,
}

/// Application close codes that this crate sends of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCodes {
    /// A frame on the message stream was empty or too long.
    pub malformed_frame: u32,
    /// The peer opened streams that the protocol does not have, or ended the message stream.
    pub stream_misuse: u32,
}

impl Default for CloseCodes {
    fn default() -> Self {
        Self { malformed_frame: 0x101, stream_misuse: 0x102 }
    }
}

/// Settings of a [`crate::Server`].
#[derive(Clone)]
pub struct ServerConfig {
    /// Certificate and key.
    pub identity: Identity,
    /// Keys that should survive a restart.
    pub secrets: Secrets,
    /// Which shard this is. Default: the only one.
    pub shard: Shard,
    /// Connections at most, handshakes included; more are refused. Default 4,096.
    pub connections_max: usize,
    /// Handshakes begun in one pass (between two calls of `handle_timeouts`); more wait for the
    /// next. One costs 0.5 to 1 ms. Default 16; whoever has less time in a pass sets less.
    pub accepts_per_pass: usize,
    /// When newcomers must prove their address first.
    pub retry: RetryPolicy,
    /// How many connections one address range may open.
    pub prefix_limit: PrefixLimit,
    /// Longest message accepted from a client, in bytes. Default 16 KiB.
    pub frame_bytes_max: usize,
    /// Bytes of messages that may wait for one slow client beyond QUIC's 256 KiB send window.
    /// Default 128 KiB.
    pub send_backlog_bytes_max: usize,
    /// Silence after which a connection is dead. Default 8 s.
    pub idle_timeout: Duration,
    /// Codes that this crate closes with.
    pub codes: CloseCodes,
    /// Seed of quinn-proto's own choices (packet number gaps and the like), for tests.
    pub rng_seed: Option<[u8; 32]>,
}

impl ServerConfig {
    /// The defaults, for one shard.
    pub fn new(identity: Identity, secrets: Secrets) -> Self {
        Self {
            identity,
            secrets,
            shard: Shard { index: 0, count: 1 },
            connections_max: 4_096,
            accepts_per_pass: 16,
            retry: RetryPolicy::default(),
            prefix_limit: PrefixLimit::default(),
            frame_bytes_max: 16 << 10,
            send_backlog_bytes_max: 128 << 10,
            idle_timeout: Duration::from_secs(8),
            codes: CloseCodes::default(),
            rng_seed: None,
        }
    }
}

/// Settings of a [`crate::Client`].
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where the server listens.
    pub server: SocketAddr,
    /// The certificate that it must show.
    pub fingerprint: Fingerprint,
    /// Protocol name offered. Default [`ALPN`].
    pub alpn: Vec<u8>,
    /// Longest message accepted from the server, in bytes. Default 65,535.
    pub frame_bytes_max: usize,
    /// Bytes of messages that may wait beyond QUIC's send window. Default 64 KiB.
    pub send_backlog_bytes_max: usize,
    /// Silence after which the connection is dead. Default 8 s.
    pub idle_timeout: Duration,
    /// Silence after which the client sends a sign of life. Default 2 s.
    pub keep_alive: Duration,
    /// Codes that this crate closes with.
    pub codes: CloseCodes,
    /// Seed of quinn-proto's own choices, for tests.
    pub rng_seed: Option<[u8; 32]>,
}

impl ClientConfig {
    /// The defaults.
    pub fn new(server: SocketAddr, fingerprint: Fingerprint) -> Self {
        Self {
            server,
            fingerprint,
            alpn: ALPN.to_vec(),
            frame_bytes_max: usize::from(u16::MAX),
            send_backlog_bytes_max: 64 << 10,
            idle_timeout: Duration::from_secs(8),
            keep_alive: Duration::from_secs(2),
            codes: CloseCodes::default(),
            rng_seed: None,
        }
    }
}
