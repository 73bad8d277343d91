//! What can go wrong, seen by those who drive a server or a client.

use std::fmt;

use bytes::Bytes;
use quinn_proto::ConnectionError;

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The other side closed it with an application code.
    Remote {
        /// Application close code of the other side.
        code: u64,
        /// Its explanation, at most a packet long; a stranger's bytes.
        reason: Bytes,
    },
    /// This side closed it, through `close` or because the peer broke a rule of this crate.
    Local {
        /// The code sent.
        code: u32,
    },
    /// Nothing arrived for the idle timeout.
    TimedOut,
    /// The other side does not know the connection any more: it was restarted.
    Reset,
    /// QUIC or TLS failed: a refused certificate or protocol name, a broken rule of QUIC.
    Transport {
        /// Code of RFC 9000 section 20.1; 0x1xx are TLS alerts.
        code: u64,
        /// Whether the other side found the fault.
        by_peer: bool,
        /// What it says about it.
        detail: String,
    },
    /// The server takes no connection now: full, or too many from this address range.
    Refused,
}

impl CloseReason {
    pub(crate) fn from_quinn(error: ConnectionError) -> Self {
        /// RFC 9000 section 20.1.
        const CONNECTION_REFUSED: u64 = 0x2;
        match error {
            ConnectionError::ApplicationClosed(close) => {
                Self::Remote { code: close.error_code.into_inner(), reason: close.reason }
            }
            ConnectionError::ConnectionClosed(close) => match close.error_code.into() {
                CONNECTION_REFUSED => Self::Refused,
                code => {
                    let detail = String::from_utf8_lossy(&close.reason).into_owned();
                    Self::Transport { code, by_peer: true, detail }
                }
            },
            ConnectionError::TransportError(error) => {
                let detail = error.to_string();
                Self::Transport { code: error.code.into(), by_peer: false, detail }
            }
            ConnectionError::Reset => Self::Reset,
            ConnectionError::TimedOut => Self::TimedOut,
            other @ (ConnectionError::VersionMismatch
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted) => {
                Self::Transport { code: 0, by_peer: false, detail: other.to_string() }
            }
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { code, reason } => {
                write!(f, "closed by peer with code {code}: {}", String::from_utf8_lossy(reason))
            }
            Self::Local { code } => write!(f, "closed here with code {code}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Reset => f.write_str("reset by peer"),
            Self::Transport { code, by_peer, detail } => {
                let side = if *by_peer { "peer" } else { "this side" };
                write!(f, "transport error {code:#x} found by {side}: {detail}")
            }
            Self::Refused => f.write_str("refused by the server"),
        }
    }
}

/// Why a message was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendMessageError {
    /// Empty, or longer than the length prefix can say.
    #[error("message is empty or longer than 65,535 bytes")]
    Length,
    /// The peer does not take messages as fast as they come: close it and let it resume.
    #[error("too many messages wait for a slow peer")]
    Backlog,
    /// The connection is gone or closing.
    #[error("connection is closed")]
    Closed,
}

/// Why a datagram was not queued. The caller drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendDatagramError {
    /// Longer than `max_datagram`.
    #[error("datagram exceeds the path's limit")]
    TooLarge,
    /// The connection is gone or closing.
    #[error("connection is closed")]
    Closed,
}

/// No secret can be taken from the handshake: the connection is not up, or too much was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection gives no keying material")]
pub struct ExportError;

/// Why a server or client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The certificate and key do not fit each other or the TLS library.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The address cannot be connected to.
    #[error("cannot connect: {0}")]
    Connect(#[from] quinn_proto::ConnectError),
    /// The sealed lanes cannot be set up for this shard.
    #[error("sealed lanes cannot be set up: {0}")]
    Sealed(#[from] sortie_sealed::TableSetupError),
    /// No shard of that number exists.
    #[error(
        "shard {index} of {count}: the count must be a power of two up to 256, above the index"
    )]
    Shard {
        /// The shard's number.
        index: u8,
        /// The number of shards.
        count: u16,
    },
}
