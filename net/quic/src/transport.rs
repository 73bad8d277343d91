//! Limits of a connection: what a hostile peer can make us hold stays below 1 MiB.
//!
//! | held | bytes at most |
//! |---|---|
//! | received, unread stream data | 256 KiB, 64 KiB a stream |
//! | sent, unacknowledged stream data | 256 KiB |
//! | messages that wait for the stream | `send_backlog_bytes_max`, 128 KiB |
//! | one incoming frame | `frame_bytes_max`, 16 KiB at a server |
//! | received datagrams, then sent ones | 64 KiB, 4 KiB |
//! | handshake | 8 KiB a level |
//! | the connection's state machine | 27 KB |

use std::sync::Arc;
use std::time::Duration;

use quinn_proto::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

use crate::congestion::GameWindowFactory;

/// One stream carries the messages. A second of either kind closes the connection; there is room
/// to open it, so that whoever does is told the code and does not wait for ever.
pub(crate) const STREAMS_BIDI_MAX: u32 = 2;
pub(crate) const STREAMS_UNI_MAX: u32 = 1;
const STREAM_WINDOW_BYTES: u32 = 64 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 256 << 10;
const DATAGRAMS_IN_BYTES: usize = 64 << 10;
/// Two datagrams of the largest size and a small one: what is older than two ticks when the path
/// opens again is not worth sending.
const DATAGRAMS_OUT_BYTES: usize = 4 << 10;

/// A lost handshake packet is repeated after three of these. The RFC's 333 ms make a player wait
/// a second; a path slower than 300 ms costs one needless packet.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// Settings of both sides; keep-alive only where one asks for it.
pub(crate) fn transport(idle: Duration, keep_alive: Option<Duration>) -> TransportConfig {
    let mut transport = TransportConfig::default();
    let idle = IdleTimeout::try_from(idle).expect("idle timeouts are seconds");
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_BIDI_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS_UNI_MAX))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .datagram_receive_buffer_size(Some(DATAGRAMS_IN_BYTES))
        .datagram_send_buffer_size(DATAGRAMS_OUT_BYTES)
        .crypto_buffer_size(8 << 10)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(keep_alive)
        .initial_rtt(INITIAL_RTT)
        // Every datagram of a tick has another destination: nothing to merge.
        .enable_segmentation_offload(false)
        .congestion_controller_factory(Arc::new(GameWindowFactory))
        // One search after the handshake, up to Ethernet's size, then every ten minutes.
        .mtu_discovery_config(Some(MtuDiscoveryConfig::default()));
    transport
}
