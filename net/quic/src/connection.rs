//! One connection, the same for server and client: quinn-proto's state machine, the message
//! stream on top of it, and what is known to wait.
//!
//! Received data stays in quinn-proto, under its flow control, until somebody polls for events:
//! nothing queues here but unsent messages, and those are bounded.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use quinn_proto::{
    Connection as Quic, ConnectionEvent, ConnectionHandle, Dir, Endpoint, Event, ReadError,
    SendDatagramError as QuicDatagramError, StreamEvent, StreamId, VarInt, WriteError,
};

use crate::config::CloseCodes;
use crate::counters::Counters;
use crate::error::{CloseReason, ExportError, SendDatagramError, SendMessageError};
use crate::frame::{FrameReader, PREFIX_BYTES, write_frame};
use crate::path_guard::PathGuard;

/// Path MTU discovery and the exchange of ids are over by then; see [`Connection::is_spent`].
const SETTLING: Duration = Duration::from_secs(3);
/// Room below the MTU that shows that nothing more waited to be written into a packet.
const SPARE_BYTES: usize = 64;

/// Bounds and codes of one connection.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) frame_bytes_max: usize,
    pub(crate) send_backlog_bytes_max: usize,
    pub(crate) codes: CloseCodes,
}

/// What a connection has to say, apart from which one it is.
pub(crate) enum Said {
    Connected,
    Datagram(Bytes),
    Message(Bytes),
}

pub(crate) struct Connection {
    quic: Quic,
    rules: Rules,
    opened_at: Instant,
    /// The one stream that carries messages; the client opens it.
    stream: Option<StreamId>,
    reader: FrameReader,
    /// Framed messages that QUIC's send window has no room for yet.
    backlog: BytesMut,
    /// Handshake done; told to the driver.
    pub(crate) connected: bool,
    announced: bool,
    has_datagrams: bool,
    has_messages: bool,
    /// `send_buffer_space` of an empty datagram queue.
    datagram_room: usize,
    /// Largest datagram as of the last packet or timer; asking takes `&mut`.
    datagram_bytes_max: usize,
    visits: u32,
    pub(crate) remote: SocketAddr,
    /// Set when the connection is over; the state machine lives on for three PTOs.
    pub(crate) closed: Option<CloseReason>,
    guard: PathGuard,
    /// Accepted without a proven address, and not proven since.
    pub(crate) unproven: bool,
    /// The driver has been told of its end.
    pub(crate) is_told: bool,
    /// Waits in the driver's list of connections to transmit for.
    pub(crate) is_dirty: bool,
    /// Waits in the driver's list of connections with something to say.
    pub(crate) is_ready: bool,
}

impl Connection {
    /// Wraps a state machine that an endpoint has just made, from a first datagram of so many bytes
    /// and an address that is proven or not.
    pub(crate) fn new(
        mut quic: Quic,
        rules: Rules,
        proven: bool,
        first_bytes: usize,
        now: Instant,
    ) -> Self {
        let datagram_room = quic.datagrams().send_buffer_space();
        let remote = quic.remote_address();
        let guard = PathGuard::new(remote, proven, first_bytes, now);
        Self {
            quic,
            rules,
            opened_at: now,
            stream: None,
            reader: FrameReader::new(rules.frame_bytes_max),
            backlog: BytesMut::new(),
            connected: false,
            announced: false,
            has_datagrams: false,
            has_messages: false,
            datagram_room,
            datagram_bytes_max: 0,
            visits: 0,
            remote,
            closed: None,
            guard,
            unproven: !proven,
            is_told: false,
            is_dirty: false,
            is_ready: false,
        }
    }

    /// Takes in what the endpoint made of a datagram of so many bytes.
    pub(crate) fn handle_event(&mut self, event: ConnectionEvent, from: SocketAddr, bytes: usize) {
        self.guard.on_received(from, bytes);
        if !self.connected || self.guard.is_home(from) {
            return self.quic.handle_event(event);
        }
        // A move in progress: the answer to a challenge proves the new address. That quinn-proto
        // counts them is the only trace that it leaves outside.
        let answers = |quic: &Quic| quic.stats().frame_rx.path_response;
        let before = answers(&self.quic);
        self.quic.handle_event(event);
        if answers(&self.quic) > before && self.quic.remote_address() == from {
            self.guard.on_proven(from);
        }
    }

    /// Whether a packet just written may leave; see [`PathGuard`].
    pub(crate) fn may_send(&mut self, now: Instant, to: SocketAddr, bytes: usize) -> bool {
        self.guard.may_send(now, to, bytes)
    }

    /// Runs the timers that are due; false when none was.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let due = self.quic.poll_timeout().is_some_and(|at| at <= now);
        if due {
            self.quic.handle_timeout(now);
        }
        due
    }

    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        self.quic.poll_timeout()
    }

    /// Carries events between the state machine and its endpoint, and notes what happened. True
    /// when the connection is drained: its slot must be freed before the endpoint's next call,
    /// which may give the same handle to another connection.
    pub(crate) fn settle(
        &mut self,
        endpoint: &mut Endpoint,
        handle: ConnectionHandle,
        now: Instant,
        counters: &mut Counters,
    ) -> bool {
        let mut drained = false;
        while let Some(event) = self.quic.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(answer) = endpoint.handle_event(handle, event) {
                self.quic.handle_event(answer);
            }
        }
        while let Some(event) = self.quic.poll() {
            self.note(event, now, counters);
        }
        let remote = self.quic.remote_address();
        if remote != self.remote {
            self.remote = remote;
            counters.migrations += 1;
        }
        self.datagram_bytes_max = match self.connected && self.closed.is_none() {
            true => self.quic.datagrams().max_size().unwrap_or(0),
            false => 0,
        };
        drained
    }

    fn note(&mut self, event: Event, now: Instant, counters: &mut Counters) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.unproven = false;
                self.guard.on_proven(self.quic.remote_address());
                counters.connected += 1;
                if self.quic.side().is_client() {
                    self.stream = self.quic.streams().open(Dir::Bi);
                    self.write_backlog(now);
                }
            }
            Event::ConnectionLost { reason } => {
                // A close of our own has already been noted.
                self.closed.get_or_insert(CloseReason::from_quinn(reason));
            }
            Event::DatagramReceived => self.has_datagrams = true,
            Event::Stream(StreamEvent::Opened { dir }) => self.accept_streams(dir, now, counters),
            Event::Stream(StreamEvent::Readable { id }) if Some(id) == self.stream => {
                self.has_messages = true;
            }
            Event::Stream(StreamEvent::Writable { id }) if Some(id) == self.stream => {
                self.write_backlog(now);
            }
            Event::Stream(StreamEvent::Stopped { id, .. }) if Some(id) == self.stream => {
                self.close(now, self.rules.codes.stream_misuse, b"message stream stopped");
            }
            Event::HandshakeDataReady | Event::DatagramsUnblocked | Event::Stream(_) => {}
        }
    }

    /// The client's first bidirectional stream carries messages; any other ends the connection.
    fn accept_streams(&mut self, dir: Dir, now: Instant, counters: &mut Counters) {
        while let Some(id) = self.quic.streams().accept(dir) {
            if dir == Dir::Bi && self.quic.side().is_server() && self.stream.is_none() {
                self.stream = Some(id);
                self.has_messages = true;
                self.write_backlog(now);
                continue;
            }
            counters.streams_refused += 1;
            self.close(now, self.rules.codes.stream_misuse, b"a second stream");
        }
    }

    /// Whether [`Self::poll_said`] may have something.
    pub(crate) fn has_something_to_say(&self) -> bool {
        self.connected && (!self.announced || self.has_datagrams || self.has_messages)
    }

    /// The next thing received.
    pub(crate) fn poll_said(&mut self, now: Instant, counters: &mut Counters) -> Option<Said> {
        if !self.connected {
            return None;
        }
        if !self.announced {
            self.announced = true;
            return Some(Said::Connected);
        }
        if self.has_datagrams {
            if let Some(datagram) = self.quic.datagrams().recv() {
                counters.datagrams_in += 1;
                return Some(Said::Datagram(datagram));
            }
            self.has_datagrams = false;
        }
        if self.has_messages {
            if let Some(message) = self.read_message(now, counters) {
                counters.messages_in += 1;
                return Some(Said::Message(message));
            }
            self.has_messages = false;
        }
        None
    }

    fn read_message(&mut self, now: Instant, counters: &mut Counters) -> Option<Bytes> {
        /// Why reading stopped.
        enum End {
            Frame(Bytes),
            Blocked,
            Malformed,
            StreamOver,
        }
        let id = self.stream?;
        let mut recv = self.quic.recv_stream(id);
        let Ok(mut chunks) = recv.read(true) else { return None };
        let end = loop {
            match chunks.next(self.reader.wanted()) {
                Ok(Some(chunk)) => match self.reader.feed(&chunk.bytes) {
                    Ok(None) => {}
                    Ok(Some(frame)) => break End::Frame(frame),
                    Err(_) => break End::Malformed,
                },
                Err(ReadError::Blocked) => break End::Blocked,
                Ok(None) | Err(ReadError::Reset(_)) => break End::StreamOver,
            }
        };
        // Reading frees flow control credit; the next packet tells the peer.
        let _ = chunks.finalize();
        let codes = self.rules.codes;
        match end {
            End::Frame(frame) => return Some(frame),
            End::Blocked => {}
            End::Malformed => {
                counters.malformed_frames += 1;
                self.close(now, codes.malformed_frame, b"empty or over-long frame");
            }
            End::StreamOver => self.close(now, codes.stream_misuse, b"message stream ended"),
        }
        None
    }

    pub(crate) fn send_message(
        &mut self,
        now: Instant,
        message: &[u8],
        counters: &mut Counters,
    ) -> Result<(), SendMessageError> {
        if self.closed.is_some() {
            return Err(SendMessageError::Closed);
        }
        let framed_bytes = PREFIX_BYTES + message.len();
        if self.backlog.len() + framed_bytes > self.rules.send_backlog_bytes_max {
            counters.backlog_full += 1;
            return Err(SendMessageError::Backlog);
        }
        write_frame(&mut self.backlog, message).ok_or(SendMessageError::Length)?;
        counters.messages_out += 1;
        self.write_backlog(now);
        Ok(())
    }

    fn write_backlog(&mut self, now: Instant) {
        let Some(id) = self.stream else { return };
        while !self.backlog.is_empty() {
            match self.quic.send_stream(id).write(&self.backlog) {
                Ok(written) => self.backlog.advance(written),
                Err(WriteError::Blocked) => return,
                Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                    self.close(now, self.rules.codes.stream_misuse, b"message stream stopped");
                    self.backlog = BytesMut::new();
                }
            }
        }
        // Nothing waits: a burst's memory is not kept for the rest of the battle.
        self.backlog = BytesMut::new();
    }

    pub(crate) fn send_datagram(
        &mut self,
        datagram: Bytes,
        counters: &mut Counters,
    ) -> Result<(), SendDatagramError> {
        if self.closed.is_some() || !self.connected {
            return Err(SendDatagramError::Closed);
        }
        let mut datagrams = self.quic.datagrams();
        if datagrams.send_buffer_space() < datagram.len() {
            counters.datagrams_replaced += 1;
        }
        match datagrams.send(datagram, true) {
            Ok(()) => {
                counters.datagrams_out += 1;
                Ok(())
            }
            Err(QuicDatagramError::TooLarge) => {
                counters.datagrams_too_large += 1;
                Err(SendDatagramError::TooLarge)
            }
            // A peer that takes no datagrams, which no client of ours is, is a path of size 0.
            Err(_) => Err(SendDatagramError::TooLarge),
        }
    }

    /// Closes the connection; a second close changes nothing.
    pub(crate) fn close(&mut self, now: Instant, code: u32, reason: &[u8]) {
        if self.closed.is_none() {
            self.closed = Some(CloseReason::Local { code });
            self.quic.close(now, VarInt::from_u32(code), Bytes::copy_from_slice(reason));
        }
    }

    /// Writes the next packet into `out`, which must be empty.
    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.visits = self.visits.wrapping_add(1);
        self.quic.poll_transmit(now, 1, out).map(|transmit| transmit.destination)
    }

    /// Whether the packet of `packet_bytes` just written was surely the last one for now, so that
    /// the question whose answer is "nothing", a walk over the whole state machine, is spared.
    ///
    /// A packet with room left took all stream data and acknowledgements; the datagram queue is
    /// asked. Path checks are padded to 1,200 bytes and do not count as a packet with room. What
    /// is left is path MTU discovery, which answers that question: in the first seconds, and at
    /// every 64th packet later, it is asked.
    pub(crate) fn is_spent(&mut self, now: Instant, packet_bytes: usize) -> bool {
        let has_room = packet_bytes + SPARE_BYTES < 1_200;
        let is_settled = now.saturating_duration_since(self.opened_at) > SETTLING;
        has_room
            && is_settled
            && self.connected
            && self.closed.is_none()
            && !self.visits.is_multiple_of(64)
            && self.quic.datagrams().send_buffer_space() == self.datagram_room
    }

    /// Tells the peer of a new local address.
    pub(crate) fn local_address_changed(&mut self) {
        self.quic.local_address_changed();
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn ping(&mut self) {
        self.quic.ping();
    }

    /// ACK frames received: each is a sign of life of the peer.
    pub(crate) fn acks_heard(&self) -> u64 {
        self.quic.stats().frame_rx.acks
    }

    /// Fills `key` with what the TLS exporter (RFC 8446, 7.5) gives for `label` and `context`.
    pub(crate) fn export_keying_material(
        &self,
        key: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportError> {
        if !self.connected || self.closed.is_some() {
            return Err(ExportError);
        }
        let session = self.quic.crypto_session();
        session.export_keying_material(key, label, context).map_err(|_| ExportError)
    }

    pub(crate) fn rtt(&self) -> Duration {
        self.quic.rtt()
    }

    pub(crate) fn max_datagram(&self) -> usize {
        self.datagram_bytes_max
    }

    /// Packets sent and packets lost so far.
    pub(crate) fn sent_and_lost(&self) -> (u64, u64) {
        let path = self.quic.stats().path;
        (path.sent_packets, path.lost_packets)
    }
}
