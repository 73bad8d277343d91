//! A light client's connection: a real handshake, then datagrams over the lane under measurement.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use sortie_quic::{Client, ClientConfig, ClientEvent, Fingerprint};

use crate::swarm::Target;

/// What a link has to tell.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The handshake is complete.
    Connected,
    /// A message on the reliable stream.
    Message(Bytes),
    /// A datagram.
    Datagram(&'a [u8]),
    /// It is over.
    Closed(String),
}

/// A socket and a connection.
pub struct Link {
    socket: UdpSocket,
    server: SocketAddr,
    quic: Client,
    out: Vec<u8>,
    /// UDP datagrams and bytes that came, and that were sent.
    pub traffic: Traffic,
}

/// UDP datagrams and their payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams from the server.
    pub packets_down: u64,
    /// Their bytes.
    pub bytes_down: u64,
    /// Datagrams to the server.
    pub packets_up: u64,
    /// Their bytes.
    pub bytes_up: u64,
}

impl Traffic {
    /// What came after `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            packets_down: self.packets_down - before.packets_down,
            bytes_down: self.bytes_down - before.bytes_down,
            packets_up: self.packets_up - before.packets_up,
            bytes_up: self.bytes_up - before.bytes_up,
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            packets_down: self.packets_down + other.packets_down,
            bytes_down: self.bytes_down + other.bytes_down,
            packets_up: self.packets_up + other.packets_up,
            bytes_up: self.bytes_up + other.bytes_up,
        }
    }
}

impl Link {
    /// Begins to connect.
    ///
    /// # Errors
    /// No socket, or QUIC cannot be set up.
    pub fn new(target: &Target, now: Instant) -> io::Result<Self> {
        let local: SocketAddr = match target.addr {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        socket.connect(target.addr)?;
        let config = ClientConfig::new(target.addr, Fingerprint(target.fingerprint));
        Ok(Self {
            socket,
            server: target.addr,
            quic: Client::new(config, now).map_err(io::Error::other)?,
            out: Vec::with_capacity(1_500),
            traffic: Traffic::default(),
        })
    }

    /// Takes in what waits at the socket and tells of it; gives how many datagrams that were.
    pub fn take(
        &mut self,
        now: Instant,
        scratch: &mut [u8],
        hear: &mut dyn FnMut(Heard<'_>),
    ) -> usize {
        let mut took = 0;
        while let Ok(length) = self.socket.recv(scratch) {
            took += 1;
            self.traffic.packets_down += 1;
            self.traffic.bytes_down += length as u64;
            self.quic.handle_datagram(now, self.server, BytesMut::from(&scratch[..length]));
        }
        if took > 0 {
            self.settle(hear);
        }
        took
    }

    /// Queues a message on the reliable stream.
    pub fn send_message(&mut self, message: &[u8]) {
        // A backlog means a dead connection, which `Closed` will tell.
        let _ = self.quic.send_message(message);
    }

    /// Sends a datagram, and whatever else waits.
    pub fn send_datagram(
        &mut self,
        now: Instant,
        datagram: &[u8],
        hear: &mut dyn FnMut(Heard<'_>),
    ) {
        let _ = self.quic.send_datagram(Bytes::copy_from_slice(datagram));
        self.pump(now, hear);
    }

    /// Runs timers and sends what waits.
    pub fn pump(&mut self, now: Instant, hear: &mut dyn FnMut(Heard<'_>)) {
        self.quic.handle_timeouts(now);
        self.settle(hear);
        while self.quic.poll_transmit(now, &mut self.out).is_some() {
            self.traffic.packets_up += 1;
            self.traffic.bytes_up += self.out.len() as u64;
            // What the socket does not take is lost, as on any network.
            drop(self.socket.send(&self.out));
        }
    }

    /// Leaves without waiting for an answer.
    pub fn close(&mut self, now: Instant, code: u32) {
        self.quic.close(code, "");
        self.pump(now, &mut |_| {});
    }

    fn settle(&mut self, hear: &mut dyn FnMut(Heard<'_>)) {
        while let Some(event) = self.quic.poll_event() {
            match event {
                ClientEvent::Connected => hear(Heard::Connected),
                ClientEvent::Message(message) => hear(Heard::Message(message)),
                ClientEvent::Datagram(datagram) => hear(Heard::Datagram(&datagram)),
                ClientEvent::Closed(reason) => hear(Heard::Closed(reason.to_string())),
            }
        }
    }
}
