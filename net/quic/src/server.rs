//! The server's side of one shard: admission, connections, events.
//!
//! How to drive it, once a tick: `handle_datagram` for all that arrived, `handle_timeouts`,
//! `poll_event` until nothing is left, then send, then `poll_transmit` until nothing is left.
//! [`crate::Pump`] does the first and the last over a socket. One `now` may serve a whole pass.

mod intake;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn_proto::{
    ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, Incoming, ServerConfig as QuicConfig,
};

use crate::admission::Admission;
use crate::cid::ShardCids;
use crate::config::{ALPN, ServerConfig};
use crate::connection::{Connection, Rules, Said};
use crate::counters::Counters;
use crate::error::{CloseReason, ExportError, SendDatagramError, SendMessageError, SetupError};
use crate::{PeerId, Transmit, tls, transport};

/// Connection attempts that quinn-proto keeps for us until we decide.
const INCOMING_MAX: usize = 1_024;
/// Bytes kept of the further packets of one undecided attempt, and of all.
const INCOMING_BYTES: u64 = 8 << 10;
const INCOMING_BYTES_TOTAL: u64 = 1 << 20;
/// A Retry token is good for one handshake round trip, not for later.
const RETRY_TOKEN_LIFETIME: Duration = Duration::from_secs(10);
/// Memory that outgoing datagrams are cut from.
const ARENA_BYTES: usize = 16 << 10;

/// What happened at a [`Server`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A handshake is complete: the first event of a peer.
    Connected {
        /// Id of the connection until it is closed.
        peer: PeerId,
        /// Its address, proven to be its own.
        remote: SocketAddr,
    },
    /// A message of 1..=`frame_bytes_max` bytes arrived on the reliable stream.
    Message {
        /// The connection that it came over.
        peer: PeerId,
        /// The message without its length.
        message: Bytes,
    },
    /// A datagram arrived.
    Datagram {
        /// The connection that it came over.
        peer: PeerId,
        /// The payload of the DATAGRAM frame.
        datagram: Bytes,
    },
    /// A connection is over: the last event of a peer.
    Closed {
        /// The peer; the id is dead now.
        peer: PeerId,
        /// Which side ended it or what failed, with the code where there is one.
        reason: CloseReason,
    },
}

/// A slot per connection handle of quinn-proto, which reuses them.
#[derive(Default)]
struct Slot {
    /// Connections that lived here before.
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// One shard of a QUIC server, without sockets or clocks.
pub struct Server {
    endpoint: Endpoint,
    rules: Rules,
    admission: Admission,
    connections_max: usize,
    accepts_per_pass: usize,
    accepts_left: usize,
    /// Admitted, and waiting for a pass with handshakes to spare; with the first datagram's length.
    waiting: VecDeque<(Incoming, usize)>,
    slots: Vec<Slot>,
    open: usize,
    /// Accepted handshakes whose address is unproven.
    unproven: usize,
    dirty: VecDeque<u32>,
    ready: VecDeque<u32>,
    /// Last words of connections that are over.
    last_events: VecDeque<ServerEvent>,
    responses: VecDeque<(SocketAddr, Vec<u8>)>,
    scratch: Vec<u8>,
    arena: BytesMut,
    now: Instant,
    counters: Counters,
}

impl Server {
    /// A server without connections.
    pub fn new(config: ServerConfig, now: Instant) -> Result<Self, SetupError> {
        let shard = config.shard;
        if !shard.count.is_power_of_two()
            || shard.count > 256
            || u16::from(shard.index) >= shard.count
        {
            return Err(SetupError::Shard { index: shard.index, count: shard.count });
        }
        let mut endpoint = EndpointConfig::new(config.secrets.reset_key());
        let cid_key = config.secrets.cid_key();
        endpoint
            .cid_generator(move || Box::new(ShardCids { key: cid_key.clone(), shard }))
            // First bytes below 0x40 stay free for a second protocol on the same port (RFC 9443).
            .grease_quic_bit(false)
            // After a restart everybody needs a reset at once. Each is shorter than the packet that
            // it answers, and only ids that we issued are answered: nothing to slow down.
            .min_reset_interval(Duration::ZERO)
            .rng_seed(config.rng_seed);
        let tls = tls::server(&config.identity, ALPN)?;
        let mut quic = QuicConfig::new(Arc::new(tls), config.secrets.token_key());
        quic.transport_config(Arc::new(transport::transport(config.idle_timeout, None)))
            .retry_token_lifetime(RETRY_TOKEN_LIFETIME)
            .migration(true)
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(INCOMING_BYTES)
            .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
        Ok(Self {
            endpoint: Endpoint::new(Arc::new(endpoint), Some(Arc::new(quic)), true, None),
            rules: Rules {
                frame_bytes_max: config.frame_bytes_max,
                send_backlog_bytes_max: config.send_backlog_bytes_max,
                codes: config.codes,
            },
            admission: Admission::new(config.retry, config.prefix_limit, now),
            connections_max: config.connections_max,
            accepts_per_pass: config.accepts_per_pass.max(1),
            accepts_left: config.accepts_per_pass.max(1),
            waiting: VecDeque::new(),
            slots: Vec::new(),
            open: 0,
            unproven: 0,
            dirty: VecDeque::new(),
            ready: VecDeque::new(),
            last_events: VecDeque::new(),
            responses: VecDeque::new(),
            scratch: Vec::with_capacity(1_500),
            arena: BytesMut::new(),
            now,
            counters: Counters::default(),
        })
    }

    /// Takes one UDP datagram in. It may be anything.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: BytesMut) {
        self.now = now;
        self.counters.packets_in += 1;
        let bytes = datagram.len();
        self.counters.bytes_in += bytes as u64;
        self.scratch.clear();
        match self.endpoint.handle(now, from, None, None, datagram, &mut self.scratch) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(connection) = self.connection_at(handle.0) {
                    connection.handle_event(event, from, bytes);
                    self.settle(handle.0);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.admit(incoming, bytes),
            Some(DatagramEvent::Response(transmit)) => self.respond(transmit.destination),
            None => self.counters.ignored += 1,
        }
    }

    /// Runs all timers that are due, and begins a new pass of handshakes. Once a tick is right;
    /// costs a look at every connection.
    pub fn handle_timeouts(&mut self, now: Instant) {
        self.now = now;
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.connection.as_mut().is_some_and(|connection| connection.handle_timeout(now)) {
                self.settle(index);
            }
        }
        self.accepts_left = self.accepts_per_pass;
        while self.accepts_left > 0
            && let Some((incoming, bytes)) = self.waiting.pop_front()
        {
            self.accept(incoming, bytes);
        }
    }

    /// When [`Self::handle_timeouts`] has something to do. Looks at every connection: for tests
    /// and idle servers; a server with a tick calls it on the tick.
    pub fn next_timeout(&mut self) -> Option<Instant> {
        if !self.waiting.is_empty() {
            return Some(self.now);
        }
        let connections = self.slots.iter_mut().filter_map(|slot| slot.connection.as_mut());
        connections.filter_map(|connection| connection.next_timeout()).min()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        if let Some(event) = self.last_events.pop_front() {
            return Some(event);
        }
        while let Some(&index) = self.ready.front() {
            if let Some(event) = self.poll_slot(index as usize) {
                return Some(event);
            }
            self.ready.pop_front();
            if let Some(connection) = self.connection_at(index as usize) {
                connection.is_ready = false;
                // Reading may have ended the connection (a malformed frame) or freed credit.
                self.settle(index as usize);
                if let Some(event) = self.last_events.pop_front() {
                    return Some(event);
                }
            }
        }
        None
    }

    /// Queues a message on the peer's reliable stream.
    ///
    /// # Errors
    /// On [`SendMessageError::Backlog`] the peer is too slow: the caller closes it.
    pub fn send_message(&mut self, peer: PeerId, message: &[u8]) -> Result<(), SendMessageError> {
        let now = self.now;
        let connection = find(&mut self.slots, peer).ok_or(SendMessageError::Closed)?;
        connection.send_message(now, message, &mut self.counters)?;
        self.mark_dirty(peer.index);
        Ok(())
    }

    /// Queues a datagram. When the path is blocked, the oldest queued ones make room.
    pub fn send_datagram(
        &mut self,
        peer: PeerId,
        datagram: Bytes,
    ) -> Result<(), SendDatagramError> {
        let connection = find(&mut self.slots, peer).ok_or(SendDatagramError::Closed)?;
        connection.send_datagram(datagram, &mut self.counters)?;
        self.mark_dirty(peer.index);
        Ok(())
    }

    /// [`Self::send_datagram`] from borrowed bytes, without an allocation for each.
    pub fn send_datagram_from(
        &mut self,
        peer: PeerId,
        datagram: &[u8],
    ) -> Result<(), SendDatagramError> {
        if self.arena.capacity() < datagram.len() {
            self.arena = BytesMut::with_capacity(ARENA_BYTES.max(datagram.len()));
        }
        self.arena.extend_from_slice(datagram);
        let datagram = self.arena.split().freeze();
        self.send_datagram(peer, datagram)
    }

    /// Closes a connection. The peer reads the code and the reason (at most a packet's worth); the
    /// next event of this peer is [`ServerEvent::Closed`]. Messages not yet sent are lost. Does
    /// nothing when the peer is gone.
    pub fn close(&mut self, peer: PeerId, code: u32, reason: &str) {
        let now = self.now;
        if let Some(connection) = find(&mut self.slots, peer) {
            connection.close(now, code, reason.as_bytes());
            self.settle(peer.index());
        }
    }

    /// Closes all connections.
    pub fn close_all(&mut self, code: u32, reason: &str) {
        let peers: Vec<PeerId> = self.peers().collect();
        peers.into_iter().for_each(|peer| self.close(peer, code, reason));
    }

    /// Smoothed round-trip time; `None` when the peer is gone.
    pub fn rtt(&self, peer: PeerId) -> Option<Duration> {
        self.get(peer).map(Connection::rtt)
    }

    /// Largest datagram that the peer's path carries now, in bytes; 0 when the peer is gone.
    pub fn max_datagram(&self, peer: PeerId) -> usize {
        self.get(peer).map_or(0, Connection::max_datagram)
    }

    /// The peer's present address; `None` when the peer is gone.
    pub fn remote(&self, peer: PeerId) -> Option<SocketAddr> {
        self.get(peer).map(|connection| connection.remote)
    }

    /// Packets sent to the peer and packets lost on the way, since it connected.
    pub fn sent_and_lost(&self, peer: PeerId) -> Option<(u64, u64)> {
        self.get(peer).map(Connection::sent_and_lost)
    }

    /// Acknowledgements received from the peer so far: one more means that it lives, and that QUIC
    /// gets through both ways. 0 when the peer is gone.
    pub fn acks_heard(&self, peer: PeerId) -> u64 {
        self.get(peer).map_or(0, Connection::acks_heard)
    }

    /// Asks the peer for a sign of life; [`Self::acks_heard`] tells of the answer. Does nothing
    /// when the peer is gone.
    pub fn ping(&mut self, peer: PeerId) {
        if let Some(connection) = find(&mut self.slots, peer) {
            connection.ping();
            self.mark_dirty(peer.index);
        }
    }

    /// Fills `key` with a secret that only this peer and we can know, bound to the handshake (TLS
    /// exporter, RFC 8446 section 7.5); the same for both sides that say the same `label` and
    /// `context`.
    ///
    /// # Errors
    /// The peer is gone, or `key` is longer than 255 hashes.
    pub fn export_keying_material(
        &self,
        peer: PeerId,
        key: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportError> {
        self.get(peer).ok_or(ExportError)?.export_keying_material(key, label, context)
    }

    /// All connected peers, by slot.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let connection = slot.connection.as_ref()?;
            let lives = connection.connected && connection.closed.is_none();
            lives.then_some(PeerId { index: index as u32, generation: slot.generation })
        })
    }

    /// Connections held, handshakes and closing ones included.
    pub fn open_connections(&self) -> usize {
        self.open
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Writes the next UDP datagram into `out`, whose content is replaced.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.now = now;
        out.clear();
        if let Some((to, response)) = self.responses.pop_front() {
            out.extend_from_slice(&response);
            return Some(self.count_out(to, out.len()));
        }
        while let Some(&index) = self.dirty.front() {
            let Some(connection) = self.connection_at(index as usize) else {
                self.dirty.pop_front();
                continue;
            };
            let to = connection.poll_transmit(now, out);
            let may_send = to.is_some_and(|to| connection.may_send(now, to, out.len()));
            if to.is_none() || connection.is_spent(now, out.len()) {
                connection.is_dirty = false;
                self.dirty.pop_front();
            }
            match to {
                Some(to) if may_send => return Some(self.count_out(to, out.len())),
                Some(_) => self.counters.amplification_held += 1,
                None => {}
            }
            out.clear();
        }
        None
    }

    /// Carries on after anything that may have changed a connection.
    fn settle(&mut self, index: usize) {
        let Some(connection) = self.slots[index].connection.as_mut() else { return };
        let was_unproven = connection.unproven;
        let handle = ConnectionHandle(index);
        let drained = connection.settle(&mut self.endpoint, handle, self.now, &mut self.counters);
        let is_over = drained || connection.closed.is_some();
        if was_unproven && (is_over || !connection.unproven) {
            connection.unproven = false;
            self.unproven -= 1;
        }
        if is_over {
            self.tell_last(index);
        } else if connection.has_something_to_say() && !connection.is_ready {
            connection.is_ready = true;
            self.ready.push_back(index as u32);
        }
        if drained {
            // The endpoint may give this handle away at its next call.
            let slot = &mut self.slots[index];
            slot.connection = None;
            slot.generation = slot.generation.wrapping_add(1);
            self.open -= 1;
        } else {
            self.mark_dirty(index as u32);
        }
    }

    /// Moves what a connection that is over still has to say, and its end, into the events. What
    /// remains is bounded by QUIC's receive windows, and happens once a connection.
    fn tell_last(&mut self, index: usize) {
        let Some(connection) = self.slots[index].connection.as_mut() else { return };
        if std::mem::replace(&mut connection.is_told, true) {
            return;
        }
        let reason = connection.closed.clone().unwrap_or(CloseReason::TimedOut);
        if !connection.connected {
            self.counters.handshakes_failed += 1;
            return;
        }
        self.counters.closed += 1;
        self.counters.timed_out += u64::from(reason == CloseReason::TimedOut);
        while let Some(event) = self.poll_slot(index) {
            self.last_events.push_back(event);
        }
        let peer = self.peer_at(index);
        self.last_events.push_back(ServerEvent::Closed { peer, reason });
    }

    fn poll_slot(&mut self, index: usize) -> Option<ServerEvent> {
        let peer = self.peer_at(index);
        let connection = self.slots[index].connection.as_mut()?;
        Some(match connection.poll_said(self.now, &mut self.counters)? {
            Said::Connected => ServerEvent::Connected { peer, remote: connection.remote },
            Said::Datagram(datagram) => ServerEvent::Datagram { peer, datagram },
            Said::Message(message) => ServerEvent::Message { peer, message },
        })
    }

    fn mark_dirty(&mut self, index: u32) {
        if let Some(connection) = self.connection_at(index as usize)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push_back(index);
        }
    }

    fn count_out(&mut self, to: SocketAddr, bytes: usize) -> Transmit {
        self.counters.packets_out += 1;
        self.counters.bytes_out += bytes as u64;
        Transmit { to }
    }

    fn peer_at(&self, index: usize) -> PeerId {
        PeerId { index: index as u32, generation: self.slots[index].generation }
    }

    fn connection_at(&mut self, index: usize) -> Option<&mut Connection> {
        self.slots.get_mut(index)?.connection.as_deref_mut()
    }

    fn get(&self, peer: PeerId) -> Option<&Connection> {
        let slot = self.slots.get(peer.index())?;
        let connection = slot.connection.as_deref()?;
        (slot.generation == peer.generation && connection.closed.is_none()).then_some(connection)
    }
}

/// The living connection of a peer. Apart from the server's other fields, which its methods need.
fn find(slots: &mut [Slot], peer: PeerId) -> Option<&mut Connection> {
    let slot = slots.get_mut(peer.index())?;
    let connection = slot.connection.as_deref_mut()?;
    (slot.generation == peer.generation && connection.closed.is_none()).then_some(connection)
}
