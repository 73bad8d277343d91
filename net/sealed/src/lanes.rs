//! All lanes of one shard of a server.

use std::net::SocketAddr;
use std::time::Instant;

use crate::config::LaneConfig;
use crate::draft::Draft;
use crate::error::{InsertError, SealError, TableSetupError};
use crate::header::Header;
use crate::ids::{Chance, IdLayout};
use crate::lane::Lane;
use crate::path::Path;
use crate::secrets::{LaneSecrets, Side, Suite};

/// Settings of a [`Lanes`].
#[derive(Clone)]
pub struct LanesConfig {
    /// This shard's number, below `shard_count`.
    pub shard: u8,
    /// Number of shards: a power of two up to 256.
    pub shard_count: u16,
    /// Peers at most: keys are below it. With the shards' bits at most 24 bits.
    pub capacity: usize,
    /// Limits of each lane.
    pub lane: LaneConfig,
    /// Where session ids and challenges come from: 32 bytes from the system's random source,
    /// new for every table.
    pub seed: [u8; 32],
}

/// A payload from a peer.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Whose it is: the key that the lane was inserted under.
    pub key: usize,
    /// In the buffer of the packet; may be empty.
    pub payload: &'a [u8],
    /// No packet of a higher number came before.
    pub newest: bool,
}

/// Where a sealed packet has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// The peer's present address.
    pub to: SocketAddr,
    /// `false` when the address is not proven and may not get so many bytes yet: the packet
    /// carries the challenge alone, and the payload was dropped.
    pub whole: bool,
}

/// Packets that belong to no lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StrangerCounters {
    /// Not packets of this version, by length or first byte.
    pub not_sealed: u64,
    /// With a session id that is nobody's.
    pub unknown: u64,
}

/// The lanes of one shard: one array, indexed by the peer's key, which is part of the session id.
///
/// A stranger's packet costs a comparison, or one AEAD operation when it bears the session id of
/// a lane; it is never answered and never logged.
pub struct Lanes {
    layout: IdLayout,
    config: LaneConfig,
    capacity: usize,
    chance: Chance,
    peers: Vec<Option<Box<Peer>>>,
    strangers: StrangerCounters,
}

struct Peer {
    lane: Lane,
    path: Path,
}

impl Lanes {
    /// An empty table.
    ///
    /// # Errors
    /// [`TableSetupError`] when shard, count and capacity do not go together.
    pub fn new(config: &LanesConfig) -> Result<Self, TableSetupError> {
        Ok(Self {
            layout: IdLayout::new(config.shard, config.shard_count, config.capacity)?,
            config: config.lane,
            capacity: config.capacity,
            chance: Chance::new(&config.seed),
            peers: Vec::new(),
            strangers: StrangerCounters::default(),
        })
    }

    /// Opens a lane for the peer `key`, in place of the one that it may have had, and gives the
    /// session id. `address` is the one of its QUIC connection, which is proven. `export` is
    /// asked for the secrets that belong to the session id ([`crate::exporter_context`]).
    ///
    /// # Errors
    /// [`InsertError`]; the table is then what it was.
    pub fn insert(
        &mut self,
        now: Instant,
        key: usize,
        suite: Suite,
        address: SocketAddr,
        export: impl FnOnce(u32) -> Option<LaneSecrets>,
    ) -> Result<u32, InsertError> {
        if key >= self.capacity {
            return Err(InsertError::KeyBeyond);
        }
        if self.peers.len() <= key {
            self.peers.resize_with(key + 1, || None);
        }
        let old = self.peers[key].as_ref().map(|peer| peer.lane.session());
        let session = loop {
            let session = self.layout.id(key, self.chance.draw_u32());
            if Some(session) != old {
                break session;
            }
        };
        let secrets = export(session).ok_or(InsertError::NoSecrets)?;
        let lane = Lane::new(Side::Server, suite, &secrets, session, now, self.config);
        self.peers[key] = Some(Box::new(Peer { lane, path: Path::new(address) }));
        Ok(session)
    }

    /// Ends the lane of the peer `key`, if it has one; its keys are gone.
    pub fn remove(&mut self, key: usize) {
        if let Some(peer) = self.peers.get_mut(key) {
            *peer = None;
        }
    }

    /// Takes a packet from `from` and decrypts it in place. `None`: to be forgotten.
    pub fn handle<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &'a mut [u8],
    ) -> Option<Arrival<'a>> {
        let Ok(header) = Header::read(packet) else {
            self.strangers.not_sealed += 1;
            return None;
        };
        let key = self.layout.key(header.session);
        let peer = self.peers.get_mut(key).and_then(Option::as_mut);
        let Some(peer) = peer.filter(|peer| peer.lane.session() == header.session) else {
            self.strangers.unknown += 1;
            return None;
        };
        let bytes = packet.len();
        let opened = peer.lane.open(now, packet).ok()?;
        let (path, chance) = (&mut peer.path, &mut self.chance);
        path.on_authenticated(now, from, opened.newest, bytes, opened.challenge, || chance.draw());
        peer.lane.set_challenge(path.challenge());
        Some(Arrival { key, payload: opened.payload, newest: opened.newest })
    }

    /// Appends a whole packet for the peer `key` to `out`, with what `payload` appends to it.
    ///
    /// # Errors
    /// See [`Lanes::finish`]; `out` is then what it was.
    pub fn seal(
        &mut self,
        now: Instant,
        key: usize,
        payload: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<Sealed, SealError> {
        let draft = self.begin(now, key, out)?;
        payload(out);
        self.finish(key, draft, out)
    }

    /// Begins a packet for the peer `key` at the end of `out`; the payload comes behind it.
    ///
    /// # Errors
    /// [`SealError::NoLane`], or those of [`Lane::begin`]; `out` is then what it was.
    pub fn begin(
        &mut self,
        now: Instant,
        key: usize,
        out: &mut Vec<u8>,
    ) -> Result<Draft, SealError> {
        self.peer_mut(key).ok_or(SealError::NoLane)?.lane.begin(now, out)
    }

    /// Seals the packet that [`Lanes::begin`] began for the peer `key`, and says where it goes.
    ///
    /// # Errors
    /// [`SealError::Unproven`] when not even the challenge may be sent to the peer's address yet,
    /// [`SealError::NoLane`], or those of [`Lane::finish`]; the packet is then cut off `out`.
    pub fn finish(
        &mut self,
        key: usize,
        draft: Draft,
        out: &mut Vec<u8>,
    ) -> Result<Sealed, SealError> {
        let start = draft.start();
        let Some(peer) = self.peer_mut(key) else {
            out.truncate(start);
            return Err(SealError::NoLane);
        };
        if draft.packet_len(out.len()) > crate::PACKET_BYTES_MAX {
            out.truncate(start);
            return Err(SealError::TooLong);
        }
        let mut whole = true;
        let mut to = peer.path.may_send(draft.packet_len(out.len()));
        if to.is_none() && draft.has_challenge() {
            out.truncate(draft.payload_start());
            whole = false;
            to = peer.path.may_send(draft.packet_len(out.len()));
        }
        let Some(to) = to else {
            out.truncate(start);
            return Err(SealError::Unproven);
        };
        peer.lane.finish(draft, out)?;
        Ok(Sealed { to, whole })
    }

    /// Bytes of payload that a packet to the peer `key` may carry now: fewer than
    /// [`crate::PAYLOAD_BYTES_MAX`] while its address is unproven, 0 when it has no lane.
    pub fn room(&self, key: usize) -> usize {
        let Some(path) = self.path(key) else { return 0 };
        let allowance = path.allowance().map_or(usize::MAX, |bytes| bytes as usize);
        allowance.saturating_sub(crate::OVERHEAD_BYTES_MAX).min(crate::PAYLOAD_BYTES_MAX)
    }

    /// The lane of the peer `key`: its round-trip time, loss and counters.
    pub fn lane(&self, key: usize) -> Option<&Lane> {
        self.peers.get(key)?.as_ref().map(|peer| &peer.lane)
    }

    /// Where the peer `key` is.
    pub fn path(&self, key: usize) -> Option<&Path> {
        self.peers.get(key)?.as_ref().map(|peer| &peer.path)
    }

    /// Packets so far that belong to no lane.
    pub fn strangers(&self) -> StrangerCounters {
        self.strangers
    }

    fn peer_mut(&mut self, key: usize) -> Option<&mut Peer> {
        self.peers.get_mut(key)?.as_deref_mut()
    }
}
