//! A light client's connection: a real handshake, then datagrams over the lane under measurement.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use sortie_quic::{Client, ClientConfig, ClientEvent, Fingerprint};
use sortie_sealed::{
    ClientLane, EXPORTER_BYTES, EXPORTER_LABEL, LaneConfig, LaneSecrets, Suite, exporter_context,
    session_of,
};
use sortie_wire::limits::LANE_AES_128_GCM;

use sortie_players::swarm::Target;

/// QUIC's timers are looked at in every so many ticks while the sealed lane carries the game.
const QUIC_TICKS: u32 = 8;

/// What carries inputs and snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaneKind {
    /// DATAGRAM frames of the QUIC connection.
    Quic,
    /// Sealed UDP packets under keys of the QUIC connection.
    #[default]
    Sealed,
}

impl LaneKind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Quic, Self::Sealed];

    /// As users type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Sealed => "sealed",
        }
    }

    /// What a client that wants it offers in its hello.
    pub fn offer(self) -> u8 {
        match self {
            Self::Quic => 0,
            Self::Sealed => LANE_AES_128_GCM,
        }
    }
}

/// What a link has to tell.
#[derive(Debug)]
pub enum LinkEvent<'a> {
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
pub struct ClientLink {
    socket: UdpSocket,
    server: SocketAddr,
    quic: Client,
    sealed: Option<ClientLane>,
    /// QUIC has something to do before its turn.
    quic_due: bool,
    ticks: u32,
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
    /// Sealed packets that did not open.
    pub unopened: u64,
}

impl Traffic {
    /// What came after `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            packets_down: self.packets_down - before.packets_down,
            bytes_down: self.bytes_down - before.bytes_down,
            packets_up: self.packets_up - before.packets_up,
            bytes_up: self.bytes_up - before.bytes_up,
            unopened: self.unopened - before.unopened,
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            packets_down: self.packets_down + other.packets_down,
            bytes_down: self.bytes_down + other.bytes_down,
            packets_up: self.packets_up + other.packets_up,
            bytes_up: self.bytes_up + other.bytes_up,
            unopened: self.unopened + other.unopened,
        }
    }
}

impl ClientLink {
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
            sealed: None,
            quic_due: false,
            ticks: 0,
            out: Vec::with_capacity(1_500),
            traffic: Traffic::default(),
        })
    }

    /// Takes in what waits at the socket and tells of it; gives how many datagrams that were.
    pub fn take(
        &mut self,
        now: Instant,
        scratch: &mut [u8],
        hear: &mut dyn FnMut(LinkEvent<'_>),
    ) -> usize {
        let mut took = 0;
        while let Ok(length) = self.socket.recv(scratch) {
            took += 1;
            self.traffic.packets_down += 1;
            self.traffic.bytes_down += length as u64;
            let packet = &mut scratch[..length];
            match &mut self.sealed {
                Some(lane) if session_of(packet).is_some() => match lane.open(now, packet) {
                    Ok([]) => {}
                    Ok(payload) => hear(LinkEvent::Datagram(payload)),
                    Err(_) => self.traffic.unopened += 1,
                },
                _ => {
                    self.quic.handle_datagram(now, self.server, BytesMut::from(&*packet));
                    self.quic_due = true;
                }
            }
        }
        if self.quic_due {
            self.settle(hear);
        }
        took
    }

    /// The server opened the sealed lane: from now on it carries the datagrams.
    ///
    /// # Errors
    /// It is sealed with something unknown, or there is no connection.
    pub fn seal(&mut self, now: Instant, session: u32, suite: u8) -> io::Result<()> {
        let suite = Suite::from_number(suite).ok_or_else(|| io::Error::other("unknown suite"))?;
        let (mut exported, context) = ([0; EXPORTER_BYTES], exporter_context(session, suite));
        self.quic
            .export_keying_material(&mut exported, EXPORTER_LABEL, &context)
            .map_err(io::Error::other)?;
        let secrets = LaneSecrets::from_exporter(exported);
        let config = LaneConfig::default();
        self.sealed = Some(ClientLane::new(suite, &secrets, session, now, config));
        Ok(())
    }

    /// Which lane carries the datagrams.
    pub fn lane(&self) -> LaneKind {
        if self.sealed.is_some() { LaneKind::Sealed } else { LaneKind::Quic }
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
        hear: &mut dyn FnMut(LinkEvent<'_>),
    ) {
        self.ticks += 1;
        let Some(lane) = &mut self.sealed else {
            let _ = self.quic.send_datagram(Bytes::copy_from_slice(datagram));
            return self.pump(now, hear);
        };
        self.out.clear();
        if lane.seal(now, |out| out.extend_from_slice(datagram), &mut self.out).is_ok() {
            self.traffic.packets_up += 1;
            self.traffic.bytes_up += self.out.len() as u64;
            // What the socket does not take is lost, as on any network.
            drop(self.socket.send(&self.out));
        }
        if self.quic_due || self.ticks.is_multiple_of(QUIC_TICKS) {
            self.pump(now, hear);
        }
    }

    /// Runs timers and sends what waits.
    pub fn pump(&mut self, now: Instant, hear: &mut dyn FnMut(LinkEvent<'_>)) {
        self.quic_due = false;
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

    fn settle(&mut self, hear: &mut dyn FnMut(LinkEvent<'_>)) {
        while let Some(event) = self.quic.poll_event() {
            match event {
                ClientEvent::Connected => hear(LinkEvent::Connected),
                ClientEvent::Message(message) => hear(LinkEvent::Message(message)),
                ClientEvent::Datagram(datagram) => hear(LinkEvent::Datagram(&datagram)),
                ClientEvent::Closed(reason) => hear(LinkEvent::Closed(reason.to_string())),
            }
        }
    }
}
