//! The client's side: one connection, begun when it is made.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn_proto::{
    ClientConfig as QuicConfig, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig,
};

use crate::cid::NoCids;
use crate::config::ClientConfig;
use crate::connection::{Connection, Rules, Said};
use crate::counters::Counters;
use crate::error::{CloseReason, ExportError, SendDatagramError, SendMessageError, SetupError};
use crate::secrets::Secrets;
use crate::{Transmit, tls, transport};

/// What happened at a [`Client`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The handshake is complete and the server is the one pinned.
    Connected,
    /// A message arrived on the reliable stream.
    Message(Bytes),
    /// A datagram arrived.
    Datagram(Bytes),
    /// The connection is over; the last event.
    Closed(CloseReason),
}

/// One connection to a server, without sockets or clocks. It needs a socket of its own: its
/// connection ids are empty, so that the address is what tells connections apart.
pub struct Client {
    endpoint: Endpoint,
    handle: ConnectionHandle,
    connection: Connection,
    /// The state machine has ended; the endpoint knows the handle no more.
    drained: bool,
    last_events: VecDeque<ClientEvent>,
    responses: VecDeque<(SocketAddr, Vec<u8>)>,
    scratch: Vec<u8>,
    now: Instant,
    counters: Counters,
}

impl Client {
    /// Begins to connect: the first datagram waits in [`Self::poll_transmit`].
    pub fn new(config: ClientConfig, now: Instant) -> Result<Self, SetupError> {
        let mut endpoint = EndpointConfig::new(Secrets::ephemeral().reset_key());
        endpoint
            .cid_generator(|| Box::new(NoCids))
            .grease_quic_bit(false)
            .rng_seed(config.rng_seed);
        let mut endpoint = Endpoint::new(Arc::new(endpoint), None, true, None);
        let tls = tls::client(config.fingerprint, &config.alpn)?;
        let mut quic = QuicConfig::new(Arc::new(tls));
        let transport = transport::transport(config.idle_timeout, Some(config.keep_alive));
        quic.transport_config(Arc::new(transport));
        let (handle, quic) = endpoint.connect(now, quic, config.server, tls::SERVER_NAME)?;
        let rules = Rules {
            frame_bytes_max: config.frame_bytes_max,
            send_backlog_bytes_max: config.send_backlog_bytes_max,
            codes: config.codes,
        };
        Ok(Self {
            endpoint,
            handle,
            connection: Connection::new(quic, rules, true, 0, now),
            drained: false,
            last_events: VecDeque::new(),
            responses: VecDeque::new(),
            scratch: Vec::with_capacity(1_500),
            now,
            counters: Counters::default(),
        })
    }

    /// Takes one UDP datagram in. It may be anything, from anyone.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: BytesMut) {
        self.now = now;
        self.counters.packets_in += 1;
        let bytes = datagram.len();
        self.counters.bytes_in += bytes as u64;
        self.scratch.clear();
        match self.endpoint.handle(now, from, None, None, datagram, &mut self.scratch) {
            Some(DatagramEvent::ConnectionEvent(_, event)) if !self.drained => {
                self.connection.handle_event(event, from, bytes);
                self.settle();
            }
            Some(DatagramEvent::Response(transmit)) if self.responses.len() < 16 => {
                self.responses.push_back((transmit.destination, self.scratch.clone()));
            }
            // A client takes no connections: its endpoint gives no `NewConnection`.
            _ => self.counters.ignored += 1,
        }
    }

    /// Runs the timers that are due.
    pub fn handle_timeouts(&mut self, now: Instant) {
        self.now = now;
        if !self.drained && self.connection.handle_timeout(now) {
            self.settle();
        }
    }

    /// When [`Self::handle_timeouts`] has something to do; `None` once all is over.
    pub fn next_timeout(&mut self) -> Option<Instant> {
        if self.drained { None } else { self.connection.next_timeout() }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        if let Some(event) = self.last_events.pop_front() {
            return Some(event);
        }
        if self.connection.is_told {
            return None;
        }
        if let Some(event) = self.poll_said() {
            return Some(event);
        }
        // Reading may have ended the connection.
        self.settle();
        self.last_events.pop_front()
    }

    /// Queues a message on the reliable stream; allowed before the connection is up.
    pub fn send_message(&mut self, message: &[u8]) -> Result<(), SendMessageError> {
        self.connection.send_message(self.now, message, &mut self.counters)
    }

    /// Queues a datagram. When the path is blocked, the oldest queued ones make room.
    pub fn send_datagram(&mut self, datagram: Bytes) -> Result<(), SendDatagramError> {
        self.connection.send_datagram(datagram, &mut self.counters)
    }

    /// Closes the connection. The code leaves with the next transmit pass; keep polling transmits
    /// until [`Self::is_drained`] (three round trips) so that a lost close is repeated when the
    /// server asks.
    pub fn close(&mut self, code: u32, reason: &str) {
        self.connection.close(self.now, code, reason.as_bytes());
        self.settle();
    }

    /// The local address or network changed: tells the server from there at once, instead of with
    /// the next datagram.
    pub fn local_address_changed(&mut self) {
        if !self.drained {
            self.connection.local_address_changed();
        }
    }

    /// Whether the connection is up.
    pub fn is_connected(&self) -> bool {
        self.connection.connected && self.connection.closed.is_none()
    }

    /// Whether nothing more will be sent: the client can be dropped.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// Asks the server for a sign of life; [`Self::acks_heard`] tells of the answer, and a server
    /// that does not know the connection answers with a reset.
    pub fn ping(&mut self) {
        if !self.drained {
            self.connection.ping();
        }
    }

    /// Acknowledgements received so far: one more means that the server lives.
    pub fn acks_heard(&self) -> u64 {
        self.connection.acks_heard()
    }

    /// Fills `key` with a secret that only the server and we can know; see
    /// [`crate::Server::export_keying_material`].
    ///
    /// # Errors
    /// The connection is not up, or `key` is longer than 255 hashes.
    pub fn export_keying_material(
        &self,
        key: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportError> {
        self.connection.export_keying_material(key, label, context)
    }

    /// Smoothed round-trip time.
    pub fn rtt(&self) -> Duration {
        self.connection.rtt()
    }

    /// Largest datagram that the path carries now, in bytes; 0 while not connected.
    pub fn max_datagram(&self) -> usize {
        self.connection.max_datagram()
    }

    /// Packets sent and packets lost so far.
    pub fn sent_and_lost(&self) -> (u64, u64) {
        self.connection.sent_and_lost()
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Writes the next UDP datagram into `out`, whose content is replaced.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.now = now;
        out.clear();
        let to = match self.responses.pop_front() {
            Some((to, response)) => {
                out.extend_from_slice(&response);
                to
            }
            None => self.connection.poll_transmit(now, out)?,
        };
        self.counters.packets_out += 1;
        self.counters.bytes_out += out.len() as u64;
        Some(Transmit { to })
    }

    fn settle(&mut self) {
        if self.drained {
            return;
        }
        let counters = &mut self.counters;
        self.drained = self.connection.settle(&mut self.endpoint, self.handle, self.now, counters);
        if let Some(reason) = self.connection.closed.clone()
            && !self.connection.is_told
        {
            self.counters.closed += 1;
            self.counters.timed_out += u64::from(reason == CloseReason::TimedOut);
            while let Some(event) = self.poll_said() {
                self.last_events.push_back(event);
            }
            self.connection.is_told = true;
            self.last_events.push_back(ClientEvent::Closed(reason));
        }
    }

    fn poll_said(&mut self) -> Option<ClientEvent> {
        Some(match self.connection.poll_said(self.now, &mut self.counters)? {
            Said::Connected => ClientEvent::Connected,
            Said::Datagram(datagram) => ClientEvent::Datagram(datagram),
            Said::Message(message) => ClientEvent::Message(message),
        })
    }
}
