//! The sealed lane from a server to one of its peers.

use std::time::{Duration, Instant};

use sortie_quic::{PeerId, SealedLanes, Server};
use sortie_sealed::{Lane, PAYLOAD_BYTES_MAX};
use sortie_session::peer::{LossCounters, Peer, SendError};
use sortie_udp::Socket;

use crate::Pump;

/// The sealed lane from a server to one of its peers. Packets wait in the pump's batch, like those
/// of QUIC.
pub struct SealedLane<'a> {
    /// The shard's lanes.
    pub lanes: &'a mut SealedLanes,
    /// Its connections.
    pub server: &'a Server,
    /// Its buffers.
    pub pump: &'a mut Pump,
    /// Its socket.
    pub socket: &'a Socket,
    /// The time.
    pub now: Instant,
    /// The peer.
    pub peer: PeerId,
}

impl SealedLane<'_> {
    /// Has `encode` write a datagram of at most `room_max` bytes straight into the batch; see
    /// [`SealedLanes::write`]. Gives the bytes that leave.
    pub fn send_with(&mut self, room_max: usize, encode: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let Self { lanes, pump, socket, now, peer, .. } = self;
        let mut bytes = 0;
        pump.write(socket, |out| {
            let (to, written) = lanes.write(*now, *peer, room_max, encode, out)?;
            bytes = written;
            Some(to)
        });
        bytes
    }
}

impl Peer for SealedLane<'_> {
    fn send_datagram(&mut self, datagram: &[u8]) -> Result<(), SendError> {
        if datagram.len() > PAYLOAD_BYTES_MAX {
            return Err(SendError::TooLarge);
        }
        let Self { lanes, pump, socket, now, peer, .. } = self;
        let mut sent = Err(SendError::Closed);
        pump.write(socket, |out| {
            let sealed = lanes.seal(*now, *peer, datagram, out).ok()?;
            sent = Ok(());
            Some(sealed.to)
        });
        sent
    }

    fn max_datagram(&self) -> usize {
        self.lanes.room(self.peer)
    }

    fn rtt(&self) -> Duration {
        let lane = self.lanes.lane(self.peer);
        // The first report comes after a few packets.
        let rtt = lane.and_then(Lane::rtt).or_else(|| self.server.rtt(self.peer));
        rtt.unwrap_or_default()
    }

    fn loss(&self) -> LossCounters {
        let (sent, lost) = self.lanes.lane(self.peer).map_or((0, 0), Lane::sent_and_lost);
        LossCounters { sent, lost }
    }
}
