//! The two ways of a player's datagrams: QUIC, or sealed packets on the same port. The server
//! answers on the one that the player's newest input took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_pump::{Pump, SealedLane};
use sortie_quic::{Driven, PeerId, SealedLanes, Server as Quic, ServerLane, Transmit, is_sealed};
use sortie_session::peer::{LossCounters, Peer, SendError};
use sortie_session::server::InputVerdict;
use sortie_udp::Socket;

use super::guest::{Guest, ShardCounters};
use super::seat::Seat;

/// Where a shard's datagrams arrive, by whatever way.
pub(super) struct Port<'a> {
    /// Its connections.
    pub quic: &'a mut Quic,
    /// Its sealed lanes, when it offers any.
    pub lanes: Option<&'a mut SealedLanes>,
    /// Who is connected.
    pub guests: &'a [Option<Guest>],
    /// Who plays.
    pub seats: &'a mut BTreeMap<u16, Box<Seat>>,
    /// What it did.
    pub counters: &'a mut ShardCounters,
    /// Who sent too much that was nothing: to be closed.
    pub expelled: &'a mut Vec<PeerId>,
    /// The last tick stepped.
    pub tick: u32,
}

impl Port<'_> {
    /// The seat of the player behind a connection. Before the hello is answered, and after a newer
    /// connection took its place, there is none.
    fn seat(&mut self, peer: PeerId) -> Option<&mut Seat> {
        let guest = self.guests.get(peer.index()).and_then(Option::as_ref);
        let slot = guest.filter(|guest| guest.peer == peer)?.slot?;
        let seat = self.seats.get_mut(&slot)?;
        (seat.peer == Some(peer)).then_some(seat)
    }

    /// Takes an input that came over the sealed lane or over QUIC.
    pub(super) fn take_input(&mut self, peer: PeerId, datagram: &[u8], sealed: bool, now: Instant) {
        let tick = self.tick;
        let Some(seat) = self.seat(peer) else { return };
        match seat.session.handle_input_datagram(datagram, tick) {
            InputVerdict::Taken => {
                seat.heard_at = now;
                seat.lane.note_input(now, sealed);
            }
            InputVerdict::Flooded => {}
            InputVerdict::Malformed => self.counters.malformed += 1,
            InputVerdict::Close => {
                self.counters.malformed += 1;
                self.expelled.push(peer);
            }
        }
    }
}

impl Driven for Port<'_> {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        let lanes = match &mut self.lanes {
            Some(lanes) if is_sealed(datagram) => lanes,
            _ => return Driven::handle_datagram(self.quic, now, from, datagram),
        };
        match lanes.handle(now, from, datagram) {
            Some((peer, [])) => {
                if let Some(seat) = self.seat(peer) {
                    seat.owes_sign = true;
                }
            }
            Some((peer, input)) => self.take_input(peer, input, true, now),
            None => {}
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.quic.poll_transmit(now, out)
    }
}

/// The way to one player.
pub(super) enum Way<'a> {
    /// QUIC datagrams.
    Quic(ServerLane<'a>),
    /// Sealed packets.
    Sealed(SealedLane<'a>),
}

impl Way<'_> {
    /// Has `encode` write a datagram and sends it; on the sealed way it writes straight into the
    /// packet, else into `scratch`. Gives the bytes that leave.
    pub(super) fn send_with(
        &mut self,
        scratch: &mut [u8],
        encode: impl FnOnce(&mut [u8]) -> usize,
    ) -> usize {
        match self {
            Self::Sealed(lane) => lane.send_with(scratch.len(), encode),
            Self::Quic(lane) => {
                let room = lane.max_datagram().min(scratch.len());
                let bytes = encode(&mut scratch[..room]);
                let sent = bytes > 0 && lane.send_datagram(&scratch[..bytes]).is_ok();
                if sent { bytes } else { 0 }
            }
        }
    }
}

impl Peer for Way<'_> {
    fn send_datagram(&mut self, datagram: &[u8]) -> Result<(), SendError> {
        match self {
            Self::Quic(lane) => lane.send_datagram(datagram),
            Self::Sealed(lane) => lane.send_datagram(datagram),
        }
    }

    fn max_datagram(&self) -> usize {
        match self {
            Self::Quic(lane) => lane.max_datagram(),
            Self::Sealed(lane) => lane.max_datagram(),
        }
    }

    fn rtt(&self) -> Duration {
        match self {
            Self::Quic(lane) => lane.rtt(),
            Self::Sealed(lane) => lane.rtt(),
        }
    }

    fn loss(&self) -> LossCounters {
        match self {
            Self::Quic(lane) => lane.loss(),
            Self::Sealed(lane) => lane.loss(),
        }
    }
}

/// What a shard sends with.
pub(super) struct Ways<'a> {
    /// Its connections.
    pub quic: &'a mut Quic,
    /// Its sealed lanes, when it offers any.
    pub lanes: Option<&'a mut SealedLanes>,
    /// Its buffers.
    pub pump: &'a mut Pump,
    /// Its socket.
    pub socket: &'a Socket,
    /// The time.
    pub now: Instant,
}

impl<'a> Ways<'a> {
    /// The way to the player behind `peer`, sealed if it is to be.
    pub(super) fn to(self, peer: PeerId, sealed: bool) -> Way<'a> {
        let Self { quic, lanes, pump, socket, now } = self;
        match lanes {
            Some(lanes) if sealed => {
                Way::Sealed(SealedLane { lanes, server: quic, pump, socket, now, peer })
            }
            _ => Way::Quic(ServerLane { server: quic, peer }),
        }
    }
}
