//! A whole battle in memory: QUIC server, sessions, bridge and simulation on one side, clients on
//! the other, simulated links and NATs between them, one fake clock.

pub(crate) mod host;
pub(crate) mod walker;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use host::Host;
use sortie_bridge::predict::{Fields, Predictor};
use sortie_client::{Event, GameClient, GameClientConfig, LanePolicy, State};
use sortie_link_sim::{Link, LinkConfig, Nat, Probability};
use sortie_quic::is_sealed;
use sortie_sim::config::SimConfig;
use walker::Walker;

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

pub(crate) const HZ: u32 = 60;
const STEP: Duration = Duration::from_millis(2);

pub(crate) fn server_address() -> SocketAddr {
    "10.0.0.1:4000".parse().unwrap()
}

/// The seed of this run: `SIM_SEED`, or a fixed one; printed so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(11);
    println!("SIM_SEED={seed}");
    seed
}

/// 5 % loss, 100 ms and up to 40 more, which is 100 ± 20 around 120.
pub(crate) fn bad_link() -> LinkConfig {
    LinkConfig::lossy(Duration::from_millis(80), Duration::from_millis(40), Probability::percent(5))
}

/// One client with its path to the server.
pub(crate) struct Seat {
    pub client: GameClient<Predictor>,
    pub walker: Walker,
    pub nat: Nat,
    pub up: Link<(SocketAddr, Vec<u8>)>,
    pub down: Link<(SocketAddr, Vec<u8>)>,
    pub muted: bool,
    /// The path drops sealed packets, on the way up and on the way down.
    pub blocks: (bool, bool),
    /// The client's process stands still until then.
    pub stands_until: Instant,
    pub events: Vec<Event>,
}

pub(crate) struct Net {
    pub now: Instant,
    pub host: Host,
    pub seats: Vec<Seat>,
    pub seed: u64,
    link: LinkConfig,
    rebind_every: Option<Duration>,
    pub lane: LanePolicy,
    /// Sealed packets that clients sent, once they are wanted.
    pub overheard: Option<Vec<Vec<u8>>>,
    /// Packets that the server sent to nobody's address.
    pub astray: u32,
    fields: Fields,
    next_tick_at: Instant,
    /// The server's process stands still until then.
    pub host_stands_until: Instant,
    scratch: Vec<u8>,
}

impl Net {
    pub(crate) fn new(
        config: SimConfig,
        size_m: f32,
        link: LinkConfig,
        rebind_every: Option<Duration>,
        lane: LanePolicy,
    ) -> Self {
        Self::with_seed(config, size_m, link, rebind_every, lane, seed())
    }

    pub(crate) fn with_seed(
        config: SimConfig,
        size_m: f32,
        link: LinkConfig,
        rebind_every: Option<Duration>,
        lane: LanePolicy,
        seed: u64,
    ) -> Self {
        let now = Instant::now();
        Self {
            now,
            host: Host::new(config, size_m, seed, now),
            seats: Vec::new(),
            seed,
            link,
            rebind_every,
            lane,
            overheard: None,
            astray: 0,
            fields: Fields::default(),
            next_tick_at: now,
            host_stands_until: now,
            scratch: Vec::new(),
        }
    }

    /// A client of the player with this key joins.
    pub(crate) fn join(&mut self, player_key: u128) {
        let index = self.seats.len() as u16;
        let mut quic = sortie_quic::ClientConfig::new(server_address(), self.host.fingerprint);
        quic.rng_seed = Some([index as u8; 32]);
        let ticket = player_key.to_le_bytes().to_vec();
        let predictor = Predictor::new(self.fields.clone());
        let config = GameClientConfig { lane: self.lane, ..GameClientConfig::new(quic, ticket) };
        let client = GameClient::new(config, predictor, self.now).unwrap();
        let inside = SocketAddr::from(([192, 168, 0, 2], 5_000));
        let outside = SocketAddr::from(([198, 51, 100, index as u8], 20_000));
        let link_seed = self.seed ^ u64::from(index) << 16;
        self.seats.push(Seat {
            client,
            walker: Walker::new(self.seed ^ u64::from(index) << 32),
            nat: Nat::new(inside, outside, self.rebind_every, self.now),
            up: Link::new(self.link, link_seed),
            down: Link::new(self.link, link_seed ^ 1),
            muted: false,
            blocks: (false, false),
            stands_until: self.now,
            events: Vec::new(),
        });
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            for index in 0..self.seats.len() {
                self.run_seat(index);
            }
            if self.now >= self.next_tick_at.max(self.host_stands_until) {
                let period = Duration::from_secs(1) / HZ;
                // Two ticks are made up for; a stall's others are left out.
                self.next_tick_at = (self.next_tick_at + period).max(self.now - 2 * period);
                self.host.tick(self.now);
            }
            self.deliver_from_host();
        }
    }

    fn run_seat(&mut self, index: usize) {
        let now = self.now;
        let seat = &mut self.seats[index];
        if seat.stands_until <= now {
            self.run_client(index);
        }
        let seat = &mut self.seats[index];
        while self.host_stands_until <= now
            && let Some((from, mut datagram)) = seat.up.poll(now)
        {
            self.host.handle_datagram(now, from, &mut datagram);
        }
    }

    fn run_client(&mut self, index: usize) {
        let now = self.now;
        let seat = &mut self.seats[index];
        while let Some((to, mut datagram)) = seat.down.poll(now) {
            let is_blocked = seat.blocks.1 && is_sealed(&datagram);
            if seat.nat.inbound(to).is_some() && !seat.muted && !is_blocked {
                seat.client.handle_datagram(now, server_address(), &mut datagram);
            }
        }
        if seat.client.next_wake() <= now {
            seat.client.handle_timeouts(now);
            while seat.client.next_tick_at() <= now {
                let wish = seat.walker.wish(seat.client.view());
                seat.client.tick(seat.client.next_tick_at(), &wish);
            }
        }
        while seat.client.poll_transmit(now, &mut self.scratch).is_some() {
            let from = seat.nat.outbound(now);
            let is_blocked = seat.blocks.0 && is_sealed(&self.scratch);
            if let Some(overheard) = self.overheard.as_mut().filter(|_| is_sealed(&self.scratch)) {
                overheard.push(self.scratch.clone());
            }
            if !seat.muted && !is_blocked {
                seat.up.push(now, (from, self.scratch.clone()), self.scratch.len());
            }
        }
        while let Some(event) = seat.client.poll_event() {
            seat.events.push(event);
        }
    }

    fn deliver_from_host(&mut self) {
        while let Some(to) = self.host.poll_transmit(self.now, &mut self.scratch) {
            // The last part of the outside address is the seat's number, whatever the port.
            let std::net::IpAddr::V4(ip) = to.ip() else { continue };
            let seat = self.seats.get_mut(usize::from(ip.octets()[3]));
            self.astray += u32::from(seat.is_none());
            if let Some(seat) = seat {
                seat.down.push(self.now, (to, self.scratch.clone()), self.scratch.len());
            }
        }
    }

    /// Everybody plays, over the lane that was asked for.
    pub(crate) fn assert_all_playing(&self) {
        for (index, seat) in self.seats.iter().enumerate() {
            assert_eq!(seat.client.state(), State::Playing, "client {index}");
            let lane = seat.client.stats().lane;
            assert_eq!(lane.is_sealed, self.lane != LanePolicy::Quic, "client {index}: {lane:?}");
        }
    }
}
