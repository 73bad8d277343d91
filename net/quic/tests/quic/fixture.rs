//! A server and its clients over a simulated network on a simulated clock.
//!
//! One seed decides the network; it is printed, and `SORTIE_SEED=…` takes it back. TLS draws its
//! own randomness, so that packet sizes may differ by a few bytes between runs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sortie_link_sim::{Link, LinkConfig, Nat, Probability, Rng};
use sortie_quic::{
    Client, ClientConfig, ClientEvent, CloseReason, Identity, PeerId, Secrets, Server,
    ServerConfig, ServerEvent,
};

/// One key pair for all tests of a binary.
pub(crate) static IDENTITY: LazyLock<Identity> =
    LazyLock::new(|| sortie_identity::ephemeral().unwrap());

/// The step of the simulated clock.
pub(crate) const STEP: Duration = Duration::from_millis(2);

/// A packet on its way to the server, with its source.
pub(crate) type Upward = (SocketAddr, Vec<u8>);

/// A client with its path.
pub(crate) struct Player {
    pub client: Client,
    pub nat: Nat,
    pub up: Link<Upward>,
    pub down: Link<Vec<u8>>,
    pub connected: bool,
    pub messages: Vec<Bytes>,
    pub datagrams: Vec<Bytes>,
    pub closed: Option<CloseReason>,
    /// Whether the game behind the client reads what arrives.
    pub reads: bool,
}

/// Bytes that an address sent and was sent.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Traffic {
    pub to_server: u64,
    pub from_server: u64,
}

pub(crate) struct Fixture {
    pub now: Instant,
    pub server: Server,
    pub server_address: SocketAddr,
    pub players: Vec<Player>,
    /// Server events not yet looked at by the test.
    pub events: Vec<ServerEvent>,
    pub traffic: HashMap<SocketAddr, Traffic>,
    rng: Rng,
    pub seed: u64,
}

/// The seed of this run.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("SORTIE_SEED") {
        Ok(text) => text.parse().expect("SORTIE_SEED is a number"),
        Err(_) => u64::from(std::process::id()) ^ 0x5eed,
    };
    println!("SORTIE_SEED={seed}");
    seed
}

pub(crate) fn server_config() -> ServerConfig {
    let mut config = ServerConfig::new(IDENTITY.clone(), Secrets::from_root([3; 32]));
    config.rng_seed = Some([1; 32]);
    config
}

pub(crate) fn lossy(percent: u32, delay_ms: u64) -> LinkConfig {
    LinkConfig::lossy(
        Duration::from_millis(delay_ms),
        Duration::from_millis(delay_ms / 5),
        Probability::percent(percent),
    )
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(server_config())
    }

    pub(crate) fn with(config: ServerConfig) -> Self {
        let now = Instant::now();
        let seed = seed();
        Self {
            now,
            server: Server::new(config, now).unwrap(),
            server_address: "203.0.113.1:4433".parse().unwrap(),
            players: Vec::new(),
            events: Vec::new(),
            traffic: HashMap::new(),
            rng: Rng::new(seed),
            seed,
        }
    }

    /// Adds a client that begins to connect; returns its index.
    pub(crate) fn join(&mut self, link: LinkConfig) -> usize {
        self.join_with(link, None, |_| {})
    }

    pub(crate) fn join_with(
        &mut self,
        link: LinkConfig,
        rebind_every: Option<Duration>,
        change: impl FnOnce(&mut ClientConfig),
    ) -> usize {
        let index = self.players.len();
        let mut config = ClientConfig::new(self.server_address, IDENTITY.fingerprint());
        change(&mut config);
        let inside = SocketAddr::from(([10, 0, 0, 1], 5_000));
        let outside = SocketAddr::from(([192, 0, (index >> 8) as u8, index as u8], 10_000));
        self.players.push(Player {
            client: Client::new(config, self.now).unwrap(),
            nat: Nat::new(inside, outside, rebind_every, self.now),
            up: Link::new(link, self.rng.next_u64()),
            down: Link::new(link, self.rng.next_u64()),
            connected: false,
            messages: Vec::new(),
            datagrams: Vec::new(),
            closed: None,
            reads: true,
        });
        index
    }

    /// Joins and waits until both sides are connected; returns the player and the peer.
    pub(crate) fn join_now(&mut self, link: LinkConfig) -> (usize, PeerId) {
        let player = self.join(link);
        self.run_until(Duration::from_secs(10), |w| w.players[player].connected);
        let peer = self.wait_for_peer();
        (player, peer)
    }

    /// Runs until the server reports one connection and takes that event out.
    pub(crate) fn wait_for_peer(&mut self) -> PeerId {
        let is_connected = |event: &ServerEvent| matches!(event, ServerEvent::Connected { .. });
        self.run_until(Duration::from_secs(10), |w| w.events.iter().any(is_connected));
        let at = self.events.iter().position(is_connected).unwrap();
        match self.events.remove(at) {
            ServerEvent::Connected { peer, .. } => peer,
            _ => unreachable!("just found"),
        }
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
        }
    }

    /// Runs until `done`; panics when that takes longer than `at_most`.
    #[track_caller]
    pub(crate) fn run_until(&mut self, at_most: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + at_most;
        while !done(self) {
            assert!(self.now < end, "not done after {at_most:?}; seed {}", self.seed);
            self.step();
        }
    }

    /// Hands the server a datagram from anywhere.
    pub(crate) fn inject(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.traffic.entry(from).or_default().to_server += datagram.len() as u64;
        self.server.handle_datagram(self.now, from, BytesMut::from(datagram));
    }

    pub(crate) fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        for index in 0..self.players.len() {
            while let Some((from, datagram)) = self.players[index].up.poll(now) {
                self.inject(from, &datagram);
            }
        }
        self.server.handle_timeouts(now);
        while let Some(event) = self.server.poll_event() {
            self.events.push(event);
        }
        self.transmit();
        let server_address = self.server_address;
        for player in &mut self.players {
            player.step(now, server_address);
        }
    }

    /// Moves the server's packets onto the links.
    pub(crate) fn transmit(&mut self) {
        let mut packet = Vec::new();
        while let Some(transmit) = self.server.poll_transmit(self.now, &mut packet) {
            let to = transmit.to;
            self.traffic.entry(to).or_default().from_server += packet.len() as u64;
            if let Some(player) = self.players.iter_mut().find(|p| p.nat.inbound(to).is_some()) {
                player.down.push(self.now, packet.clone(), packet.len());
            }
        }
    }

    /// Takes the events of one kind out.
    pub(crate) fn take<T>(&mut self, pick: impl Fn(&ServerEvent) -> Option<T>) -> Vec<T> {
        let taken = self.events.iter().filter_map(&pick).collect();
        self.events.retain(|event| pick(event).is_none());
        taken
    }

    pub(crate) fn take_messages(&mut self) -> Vec<Bytes> {
        self.take(|event| match event {
            ServerEvent::Message { message, .. } => Some(message.clone()),
            _ => None,
        })
    }

    pub(crate) fn take_datagrams(&mut self) -> Vec<Bytes> {
        self.take(|event| match event {
            ServerEvent::Datagram { datagram, .. } => Some(datagram.clone()),
            _ => None,
        })
    }

    pub(crate) fn take_closed(&mut self) -> Vec<(PeerId, CloseReason)> {
        self.take(|event| match event {
            ServerEvent::Closed { peer, reason } => Some((*peer, reason.clone())),
            _ => None,
        })
    }
}

impl Player {
    fn step(&mut self, now: Instant, server: SocketAddr) {
        while let Some(datagram) = self.down.poll(now) {
            self.client.handle_datagram(now, server, BytesMut::from(&datagram[..]));
        }
        self.client.handle_timeouts(now);
        while self.reads
            && let Some(event) = self.client.poll_event()
        {
            match event {
                ClientEvent::Connected => self.connected = true,
                ClientEvent::Message(message) => self.messages.push(message),
                ClientEvent::Datagram(datagram) => self.datagrams.push(datagram),
                ClientEvent::Closed(reason) => self.closed = Some(reason),
            }
        }
        let mut packet = Vec::new();
        while self.client.poll_transmit(now, &mut packet).is_some() {
            let from = self.nat.outbound(now);
            self.up.push(now, (from, packet.clone()), packet.len());
        }
    }
}
