//! The QUIC datagram lane, as sessions see it.

use std::time::Duration;

use sortie_session::peer::{LossCounters, Peer, SendError};

use crate::error::SendDatagramError;
use crate::{PeerId, Server};

impl From<SendDatagramError> for SendError {
    fn from(error: SendDatagramError) -> Self {
        match error {
            SendDatagramError::TooLarge => Self::TooLarge,
            SendDatagramError::Closed => Self::Closed,
        }
    }
}

/// The lane from a server to one of its peers.
pub struct ServerLane<'a> {
    /// The server.
    pub server: &'a mut Server,
    /// The peer.
    pub peer: PeerId,
}

impl Peer for ServerLane<'_> {
    fn send_datagram(&mut self, datagram: &[u8]) -> Result<(), SendError> {
        Ok(self.server.send_datagram_from(self.peer, datagram)?)
    }

    fn max_datagram(&self) -> usize {
        self.server.max_datagram(self.peer)
    }

    fn rtt(&self) -> Duration {
        self.server.rtt(self.peer).unwrap_or_default()
    }

    fn loss(&self) -> LossCounters {
        let (sent, lost) = self.server.sent_and_lost(self.peer).unwrap_or_default();
        LossCounters { sent, lost }
    }
}
