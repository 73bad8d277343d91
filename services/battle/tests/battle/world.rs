//! A server and its clients on real sockets, driven by one loop on one thread.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use sortie_battle::server::BattleServer;
use sortie_battle::ticket_clock::TicketClock;
use sortie_battle::{BattleServerConfig, Ready};
use sortie_bridge::predict::Predictor;
use sortie_client::{Event, GameClient, GameClientConfig, LanePolicy, LocalInput, State};
use sortie_field::Map;
use sortie_sim::config::{Mode, SimConfig};
use sortie_udp::{RecvBatch, Socket, SocketOptions};
use sortie_wire::ticket::{Ticket, TicketSigner};

/// Whatever a test waits for happens within this time, or never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server for tests, on free ports.
pub(crate) fn config(dir: &Path) -> BattleServerConfig {
    BattleServerConfig {
        ops: None,
        rules: SimConfig { mode: Mode::Walk, players_max: 16, ..SimConfig::default() },
        map: Map::plain(96.0),
        seed: Some(5),
        grace: Duration::from_secs(5),
        ..BattleServerConfig::new(dir.to_owned())
    }
}

/// [`config`] of a server that offers sealed packets, or does not.
pub(crate) fn config_for(dir: &Path, lane: LanePolicy) -> BattleServerConfig {
    BattleServerConfig { sealed_lane: lane != LanePolicy::Quic, ..config(dir) }
}

/// Runs each of these functions as a test over QUIC alone, and as one that may use sealed packets.
#[macro_export]
macro_rules! on_both_lanes {
    ($($name:ident),* $(,)?) => {
        mod over_quic {
            $(#[test] fn $name() { super::$name(sortie_client::LanePolicy::Quic) })*
        }
        mod over_sealed_packets {
            $(#[test] fn $name() { super::$name(sortie_client::LanePolicy::Auto) })*
        }
    };
}

/// A ticket of the development key for this server.
pub(crate) fn ticket(ready: &Ready, ticket_id: u128, player_key: u128) -> Vec<u8> {
    let seed = ready.dev_ticket_key.as_deref().expect("development tickets");
    let key: [u8; 32] = HEXLOWER.decode(seed.as_bytes()).unwrap().try_into().unwrap();
    let ticket = Ticket {
        ticket_id,
        player_key,
        battle_id: u128::from_str_radix(&ready.battle_id, 16).unwrap(),
        team: None,
        class: 0,
        expires_at_ms: TicketClock::by_wall().now_ms() + 20_000,
        name: format!("player {player_key}"),
        audience: String::new(),
    };
    TicketSigner::from_seed(key).sign(&ticket).unwrap()
}

/// A client with a socket of its own, and what it was told.
pub(crate) struct Player {
    pub client: GameClient<Predictor>,
    pub events: Vec<Event>,
    pub wish: LocalInput,
    socket: Socket,
    batch: RecvBatch,
}

impl Player {
    pub(crate) fn new(ready: &Ready, ticket: Vec<u8>) -> Self {
        let quic = sortie_quic::ClientConfig::new(ready.listen, ready.fingerprint.parse().unwrap());
        let config = GameClientConfig::new(quic, ticket);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            client: GameClient::new(config, Predictor::default(), Instant::now()).unwrap(),
            events: Vec::new(),
            wish: LocalInput::default(),
            socket: Socket::bind(any, SocketOptions::client()).unwrap(),
            batch: RecvBatch::new(),
        }
    }

    pub(crate) fn is_playing(&self) -> bool {
        self.client.state() == State::Playing && self.client.view().snapshot_tick > 0
    }

    /// The close code that it read, if it is closed for good.
    pub(crate) fn closed_by(&self) -> Option<u16> {
        match self.client.state() {
            State::Closed { code, .. } => code,
            _ => None,
        }
    }

    fn drive(&mut self) {
        let now = Instant::now();
        while self.batch.receive(&self.socket).unwrap() > 0 {
            for (from, datagram) in self.batch.iter_mut() {
                self.client.handle_datagram(now, from, datagram);
            }
        }
        if self.client.next_tick_at() <= now {
            self.client.tick(now, &self.wish);
        }
        self.client.handle_timeouts(now);
        self.send(now);
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
    }

    fn send(&mut self, now: Instant) {
        let mut batch = sortie_udp::SendBatch::new();
        while let Some(to) = self.client.poll_transmit(now, batch.slot(&self.socket)) {
            batch.commit(to);
        }
        batch.flush(&self.socket);
    }
}

/// Runs server and players until `done` says so.
///
/// # Panics
/// It takes too long; `what` says what was waited for.
pub(crate) fn run_until(
    server: &mut BattleServer,
    players: &mut [Player],
    what: &str,
    mut done: impl FnMut(&BattleServer, &mut [Player]) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !done(server, players) {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        step(server, players);
    }
}

/// Runs server and players for so many ticks.
pub(crate) fn run_ticks(server: &mut BattleServer, players: &mut [Player], ticks: u32) {
    let last = server.battle().tick().0 + ticks;
    run_until(server, players, "ticks", |server, _| server.battle().tick().0 >= last);
}

fn step(server: &mut BattleServer, players: &mut [Player]) {
    let now = Instant::now();
    if server.due() <= now {
        server.tick(now);
    }
    players.iter_mut().for_each(Player::drive);
    // Wakes for the first player's packets or a millisecond later.
    match players.first() {
        Some(player) => {
            let soon = Instant::now() + Duration::from_millis(1);
            player.socket.wait_readable_until(soon).unwrap();
        }
        None => std::thread::yield_now(),
    }
}

/// Drives players without a server, as while it restarts or after it ended.
pub(crate) fn run_alone(
    players: &mut [Player],
    what: &str,
    mut done: impl FnMut(&[Player]) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !done(players) {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        players.iter_mut().for_each(Player::drive);
        let soon = Instant::now() + Duration::from_millis(1);
        players[0].socket.wait_readable_until(soon).unwrap();
    }
}
