//! The sealed lanes of a server's peers: [`sortie_sealed`], keyed and addressed by QUIC.
//!
//! A lane lives as long as the connection that its keys come from. Its packets share the port with
//! QUIC and start below 0x40 (RFC 9443), which [`is_sealed`] tells.

use std::net::SocketAddr;
use std::time::Instant;

use sortie_keys::random_bytes;
use sortie_sealed::{
    EXPORTER_BYTES, EXPORTER_LABEL, Lane, LaneConfig, LaneSecrets, Lanes, LanesConfig, SealError,
    Sealed, Suite, exporter_context,
};

use crate::config::Shard;
use crate::error::{ExportError, SetupError};
use crate::{Client, PeerId, Server};

/// First byte from which on a datagram on the port is QUIC's.
const FIRST_QUIC_BYTE: u8 = 0x40;

/// Bytes that are worth a snapshot on the way to an unproven address. What is not used in one tick
/// is there in the next.
const ROOM_MIN: usize = 100;

/// Whether a UDP datagram is none of QUIC's.
pub fn is_sealed(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|&first| first < FIRST_QUIC_BYTE)
}

/// The best suite of those that a peer offers, if we know one: bit *n* stands for suite *n* + 1.
pub fn best_suite(offered: u8) -> Option<Suite> {
    Suite::ALL.into_iter().find(|&suite| offered & suite_bit(suite) != 0)
}

/// The bits of all suites that we know.
pub fn all_suites() -> u8 {
    Suite::ALL.into_iter().fold(0, |bits, suite| bits | suite_bit(suite))
}

fn suite_bit(suite: Suite) -> u8 {
    1 << (suite as u8 - 1)
}

/// What the sealed lanes of a shard did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealedCounters {
    /// Lanes opened.
    pub opened: u64,
    /// UDP datagrams handed in, and their bytes.
    pub packets_in: u64,
    /// See [`Self::packets_in`].
    pub bytes_in: u64,
    /// Of these, the ones that no lane took: of strangers, forged, replayed.
    pub refused: u64,
    /// UDP datagrams written, and their bytes.
    pub packets_out: u64,
    /// See [`Self::packets_out`].
    pub bytes_out: u64,
    /// Payloads that were dropped because the peer's address is not proven yet.
    pub held: u64,
    /// Peers that came from a new address.
    pub moves: u64,
}

/// The lanes of one shard.
pub struct SealedLanes {
    table: Lanes,
    /// Who is behind a key, which is the index of the connection.
    peers: Vec<Option<PeerId>>,
    counters: SealedCounters,
    /// Of lanes that are closed.
    moves: u64,
}

impl SealedLanes {
    /// No lanes yet, for a shard of at most `connections_max` connections.
    ///
    /// # Errors
    /// The shard does not exist, or has too many connections to name.
    pub fn new(shard: Shard, connections_max: usize) -> Result<Self, SetupError> {
        let table = Lanes::new(&LanesConfig {
            shard: shard.index,
            shard_count: shard.count,
            capacity: connections_max,
            lane: LaneConfig::default(),
            seed: random_bytes(),
        })?;
        let counters = SealedCounters::default();
        Ok(Self { table, peers: Vec::new(), counters, moves: 0 })
    }

    /// Opens a lane for a connected peer, in place of the one that it may have; gives the session
    /// id that the peer has to be told. `None` when its connection is going.
    pub fn open(
        &mut self,
        now: Instant,
        server: &Server,
        peer: PeerId,
        suite: Suite,
    ) -> Option<u32> {
        let address = server.remote(peer)?;
        let export = |session| {
            secrets(session, suite, |key, label, context| {
                server.export_keying_material(peer, key, label, context)
            })
        };
        let key = peer.index();
        let session = self.table.insert(now, key, suite, address, export).ok()?;
        if self.peers.len() <= key {
            self.peers.resize(key + 1, None);
        }
        self.peers[key] = Some(peer);
        self.counters.opened += 1;
        Some(session)
    }

    /// The connection is over, and its lane with it.
    pub fn close(&mut self, peer: PeerId) {
        if self.has(peer) {
            self.moves += self.table.path(peer.index()).map_or(0, |path| path.changes());
            self.table.remove(peer.index());
            self.peers[peer.index()] = None;
        }
    }

    /// Takes one UDP datagram in and deciphers it in place; gives the peer and its payload, which
    /// is empty when the peer only asks for a sign of life.
    pub fn handle<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &'a mut [u8],
    ) -> Option<(PeerId, &'a [u8])> {
        self.counters.packets_in += 1;
        self.counters.bytes_in += packet.len() as u64;
        let arrival = self.table.handle(now, from, packet);
        let peer = arrival.and_then(|arrival| {
            let peer = self.peers.get(arrival.key).copied().flatten()?;
            Some((peer, arrival.payload))
        });
        self.counters.refused += u64::from(peer.is_none());
        peer
    }

    /// Seals `payload`, which may be empty, for `peer` at the end of `out`; gives where it goes.
    ///
    /// # Errors
    /// Those of [`Lanes::seal`].
    pub fn seal(
        &mut self,
        now: Instant,
        peer: PeerId,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Sealed, SealError> {
        if !self.has(peer) {
            return Err(SealError::NoLane);
        }
        let payload = |out: &mut Vec<u8>| out.extend_from_slice(payload);
        let sealed = self.table.seal(now, peer.index(), payload, out);
        self.count(sealed, out.len())
    }

    /// Has `encode` write a payload of at most `room_max` bytes straight into a packet for `peer`
    /// at the end of `out`, which may then hold bytes of no use. Gives where the packet goes, and
    /// how many bytes of payload leave in it; `None` when there is nothing to send.
    ///
    /// While the peer's address is unproven there is less room, and `encode` is not asked when it
    /// is too little: then the packet only asks for the proof.
    pub fn write(
        &mut self,
        now: Instant,
        peer: PeerId,
        room_max: usize,
        encode: impl FnOnce(&mut [u8]) -> usize,
        out: &mut Vec<u8>,
    ) -> Option<(SocketAddr, usize)> {
        let key = peer.index();
        let is_proven = self.table.path(key).filter(|_| self.has(peer))?.is_proven();
        let room = self.table.room(key).min(room_max);
        let draft = self.table.begin(now, key, out).ok()?;
        let mut bytes = 0;
        if is_proven || room >= ROOM_MIN {
            let start = out.len();
            out.resize(start + room, 0);
            bytes = encode(&mut out[start..]);
            out.truncate(start + bytes);
        }
        if is_proven && bytes == 0 {
            return None;
        }
        let sealed = self.table.finish(key, draft, out);
        let sealed = self.count(sealed, out.len()).ok()?;
        Some((sealed.to, if sealed.whole { bytes } else { 0 }))
    }

    fn count(
        &mut self,
        sealed: Result<Sealed, SealError>,
        bytes: usize,
    ) -> Result<Sealed, SealError> {
        match &sealed {
            Ok(sealed) => {
                self.counters.packets_out += 1;
                self.counters.bytes_out += bytes as u64;
                self.counters.held += u64::from(!sealed.whole);
            }
            Err(_) => self.counters.held += 1,
        }
        sealed
    }

    /// What was counted.
    pub fn counters(&self) -> SealedCounters {
        let living = self.peers.iter().flatten();
        let paths = living.filter_map(|peer| self.table.path(peer.index()));
        let moves = self.moves + paths.map(|path| path.changes()).sum::<u64>();
        SealedCounters { moves, ..self.counters }
    }

    /// Whether the peer has a lane.
    pub fn has(&self, peer: PeerId) -> bool {
        self.peers.get(peer.index()).copied().flatten() == Some(peer)
    }

    /// Bytes of payload that fit into a packet for the peer; 0 without a lane.
    pub fn room(&self, peer: PeerId) -> usize {
        if self.has(peer) { self.table.room(peer.index()) } else { 0 }
    }

    /// The peer's lane, for its round-trip time, loss and counters.
    pub fn lane(&self, peer: PeerId) -> Option<&Lane> {
        self.table.lane(peer.index()).filter(|_| self.has(peer))
    }
}

/// The secrets of the lane that the server of `client` named `session`; `None` when the connection
/// gives none.
pub fn client_secrets(client: &Client, session: u32, suite: Suite) -> Option<LaneSecrets> {
    secrets(session, suite, |key, label, context| {
        client.export_keying_material(key, label, context)
    })
}

fn secrets(
    session: u32,
    suite: Suite,
    export: impl FnOnce(&mut [u8], &[u8], &[u8]) -> Result<(), ExportError>,
) -> Option<LaneSecrets> {
    let mut exported = [0; EXPORTER_BYTES];
    export(&mut exported, EXPORTER_LABEL, &exporter_context(session, suite)).ok()?;
    Some(LaneSecrets::from_exporter(exported))
}
