//! A battle server of one player without a battle: QUIC, sealed lanes and a session, on one path
//! with a client, both of which can be stopped.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use sortie_client::{
    GameClient, GameClientConfig, LanePolicy, LocalInput, Neighbour, Predict, State, UnusableRules,
};
use sortie_link_sim::{Link, LinkConfig};
use sortie_quic::{
    PeerId, SealedLanes, Secrets, Server, ServerConfig, ServerEvent, ServerLane, Shard, best_suite,
    is_sealed,
};
use sortie_session::{
    delta_cache::DeltaCache,
    history::FrameHistory,
    inputs::{InputCounters, Origin},
    peer::Peer,
    priority::Viewer,
    server::{ServerSession, SessionConfig, SnapshotSource},
    slots::Visible,
};
use sortie_wire::{
    input::InputDatagram,
    limits::{DATAGRAM_BYTES_MAX, PROTOCOL_VERSION},
    message::{Blob, ClientMessage, Hello, LoadStep, ServerMessage, Text, Welcome},
    resume::RESUME_TOKEN_BYTES,
    state::SelfState,
};

use crate::common::server_address;

const STEP: Duration = Duration::from_millis(2);
const SEALED_FOR: Duration = Duration::from_millis(500);
const CATCH_UP_TICKS: u32 = 2;

/// Nothing moves here.
pub(super) struct Still;

impl Predict for Still {
    fn prepare(&mut self, _: &str, _: &str, _: u16) -> Result<(), UnusableRules> {
        Ok(())
    }

    fn step(&mut self, _: &mut SelfState, _: &sortie_wire::input::InputCommand, _: &[Neighbour]) {}
}

/// What became of the input of a tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    /// When the tick was stepped, since the start.
    pub at: Duration,
    /// A copy of its input arrived before it.
    pub is_in_time: bool,
    /// It consumed that input.
    pub is_fresh: bool,
}

/// Which end is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Server,
    Client,
}

pub(super) struct Fixture {
    hz: u16,
    start: Instant,
    now: Instant,
    pub client: GameClient<Still>,
    client_at: SocketAddr,
    up: Link<Vec<u8>>,
    down: Link<Vec<u8>>,
    stopped_until: [Instant; 2],
    quic: Server,
    lanes: SealedLanes,
    sealed_out: VecDeque<Vec<u8>>,
    session: ServerSession,
    peer: Option<PeerId>,
    sealed_at: Option<Instant>,
    owes_sign: bool,
    resumed: bool,
    history: FrameHistory,
    cache: DeltaCache,
    tick: u32,
    due: Instant,
    fates: Vec<Fate>,
    scratch: Vec<u8>,
}

impl Fixture {
    pub(super) fn new(hz: u16, lane: LanePolicy, seed: u64) -> Self {
        let now = Instant::now();
        let identity = sortie_identity::ephemeral().unwrap();
        let seeded = |salt: u8| Some(std::array::from_fn(|at| seed.to_le_bytes()[at % 8] ^ salt));
        let mut config = ServerConfig::new(identity.clone(), Secrets::from_root([4; 32]));
        config.rng_seed = seeded(1);
        let mut quic = sortie_quic::ClientConfig::new(server_address(), identity.fingerprint());
        quic.rng_seed = seeded(2);
        let client = GameClientConfig { lane, ..GameClientConfig::new(quic, vec![7; 100]) };
        let (tick, session) = (1_000, SessionConfig { tick_hz: hz, ..SessionConfig::default() });
        Self {
            hz,
            start: now,
            now,
            client: GameClient::new(client, Still, now).unwrap(),
            client_at: SocketAddr::from(([198, 51, 100, 1], 20_000)),
            up: Link::new(LinkConfig::default(), seed),
            down: Link::new(LinkConfig::default(), !seed),
            stopped_until: [now; 2],
            quic: Server::new(config, now).unwrap(),
            lanes: SealedLanes::new(Shard { index: 0, count: 1 }, 64).unwrap(),
            sealed_out: VecDeque::new(),
            session: ServerSession::new(session, tick),
            peer: None,
            sealed_at: None,
            owes_sign: false,
            resumed: false,
            history: FrameHistory::new(),
            cache: DeltaCache::default(),
            tick,
            due: now,
            fates: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn set_links(&mut self, up: LinkConfig, down: LinkConfig) {
        self.up.set_config(up);
        self.down.set_config(down);
    }

    /// Stops an end: it takes nothing, does nothing, and what comes waits at its door.
    pub(super) fn stop(&mut self, end: End, length: Duration) {
        self.stopped_until[end as usize] = self.now + length;
    }

    pub(super) fn hz(&self) -> u16 {
        self.hz
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(super) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while self.now < end {
            self.now += STEP;
            if self.now >= self.stopped_until[End::Client as usize] {
                self.run_client();
            }
            if self.now >= self.stopped_until[End::Server as usize] {
                self.take_in();
                while self.now >= self.due {
                    self.serve();
                }
                self.send_out();
            }
        }
    }

    /// Runs until the client plays.
    pub(super) fn run_until_playing(&mut self, at_most: Duration) {
        let end = self.now + at_most;
        while self.client.state() != State::Playing && self.now < end {
            self.run(STEP);
        }
    }

    fn run_client(&mut self) {
        let now = self.now;
        if self.client.next_wake() <= now {
            self.client.handle_timeouts(now);
        }
        while let Some(mut datagram) = self.down.poll(now) {
            self.client.handle_datagram(now, server_address(), &mut datagram);
        }
        let wish = LocalInput { move_forward: 127, ..LocalInput::default() };
        while self.client.next_tick_at() <= now {
            self.client.tick(now, &wish);
            self.send_up();
        }
        self.send_up();
        while self.client.poll_event().is_some() {}
    }

    fn send_up(&mut self) {
        while self.client.poll_transmit(self.now, &mut self.scratch).is_some() {
            self.up.push(self.now, self.scratch.clone(), self.scratch.len());
        }
    }

    /// The battle server takes everything in when its tick begins, and QUIC's when it comes.
    fn take_in(&mut self) {
        if self.now < self.due {
            return;
        }
        while let Some(mut datagram) = self.up.poll(self.now) {
            if !is_sealed(&datagram) {
                let datagram = BytesMut::from(&*datagram);
                self.quic.handle_datagram(self.now, self.client_at, datagram);
                continue;
            }
            match self.lanes.handle(self.now, self.client_at, &mut datagram) {
                Some((peer, _)) if self.peer != Some(peer) => {}
                Some((_, [])) => self.owes_sign = true,
                Some((_, input)) => {
                    let input = input.to_vec();
                    self.take_input(&input, true);
                }
                None => {}
            }
        }
    }

    fn take_input(&mut self, input: &[u8], sealed: bool) {
        self.session.handle_input_datagram(input, self.tick);
        self.sealed_at = sealed.then_some(self.now);
        let Ok(read) = InputDatagram::decode(input) else { panic!("a client sent nonsense") };
        let now = self.tick;
        for command in read.commands().iter().filter(|input| input.tick > now) {
            self.fate(command.tick).is_in_time = true;
        }
    }

    fn fate(&mut self, tick: u32) -> &mut Fate {
        let tick = tick as usize;
        if self.fates.len() <= tick {
            self.fates.resize(tick + 1, Fate::default());
        }
        &mut self.fates[tick]
    }

    /// One tick.
    fn serve(&mut self) {
        let period = Duration::from_secs(1) / u32::from(self.hz);
        self.due += period;
        let behind = self.now.saturating_duration_since(self.due).as_nanos() / period.as_nanos();
        self.due += period * (behind as u32).saturating_sub(CATCH_UP_TICKS);
        self.quic.handle_timeouts(self.now);
        while let Some(event) = self.quic.poll_event() {
            self.handle_event(event);
        }
        self.tick += 1;
        let taken = self.session.take_input(self.tick);
        let at = self.elapsed();
        let fate = self.fate(self.tick);
        (fate.at, fate.is_fresh) = (at, taken.origin == Origin::Fresh);
        self.history.begin(self.tick).finish();
        if let Some(peer) = self.peer {
            self.send_snapshot(peer);
        }
    }

    fn handle_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Connected { .. } => {}
            ServerEvent::Message { peer, message } => {
                if let Ok(ClientMessage::Hello(hello)) = ClientMessage::decode(&message) {
                    self.admit(peer, &hello);
                }
            }
            ServerEvent::Datagram { peer, datagram } if self.peer == Some(peer) => {
                self.take_input(&datagram, false);
            }
            ServerEvent::Datagram { .. } => {}
            ServerEvent::Closed { peer, .. } => {
                self.lanes.close(peer);
                self.peer = self.peer.filter(|present| *present != peer);
            }
        }
    }

    fn admit(&mut self, peer: PeerId, hello: &Hello) {
        self.peer = Some(peer);
        self.sealed_at = None;
        self.session.resume(self.tick);
        let welcome = ServerMessage::Welcome(Box::new(Welcome {
            version: PROTOCOL_VERSION,
            battle_id: 1,
            incarnation: 1,
            slot: 0,
            team: 0,
            tick: self.tick,
            tick_hz: self.hz,
            snapshot_interval_ticks: 1,
            grace_s: 30,
            resumed: std::mem::replace(&mut self.resumed, true),
            load: LoadStep::Normal,
            resume_token: Blob::new(vec![1; RESUME_TOKEN_BYTES]).unwrap(),
            map: Text::default(),
            rules: Text::default(),
        }));
        self.quic.send_message(peer, &welcome.encode().unwrap()).unwrap();
        if let Some(suite) = best_suite(hello.lanes)
            && let Some(session) = self.lanes.open(self.now, &self.quic, peer, suite)
        {
            let opened = ServerMessage::SealedLane { session, suite: suite as u8 };
            self.quic.send_message(peer, &opened.encode().unwrap()).unwrap();
        }
    }

    fn send_snapshot(&mut self, peer: PeerId) {
        let own = SelfState { status: 1, ..SelfState::default() };
        let source = SnapshotSource {
            history: &self.history,
            visible: Visible { soldiers: &[], props: &[] },
            viewer: Viewer::default(),
            own: &own,
            sounds: &[],
            hits: &[],
            load: LoadStep::Normal,
        };
        let Self { session, cache, lanes, sealed_out, now, quic, .. } = self;
        let mut encode = |out: &mut [u8]| session.encode_snapshot(&source, cache, out);
        let mut packet = Vec::new();
        if std::mem::take(&mut self.owes_sign) && lanes.seal(*now, peer, &[], &mut packet).is_ok() {
            sealed_out.push_back(std::mem::take(&mut packet));
        }
        if self.sealed_at.is_some_and(|at| *now - at < SEALED_FOR) {
            let written = lanes.write(*now, peer, DATAGRAM_BYTES_MAX, encode, &mut packet);
            sealed_out.extend(written.map(|_| packet));
            return;
        }
        let mut lane = ServerLane { server: quic, peer };
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let room = lane.max_datagram().min(out.len());
        let bytes = encode(&mut out[..room]);
        if bytes > 0 {
            // A lane without room loses the snapshot; the next one replaces it.
            let _ = lane.send_datagram(&out[..bytes]);
        }
    }

    fn send_out(&mut self) {
        while let Some(packet) = self.sealed_out.pop_front() {
            let bytes = packet.len();
            self.down.push(self.now, packet, bytes);
        }
        while self.quic.poll_transmit(self.now, &mut self.scratch).is_some() {
            self.down.push(self.now, self.scratch.clone(), self.scratch.len());
        }
    }

    /// The ticks stepped in this time, since the start.
    pub(super) fn ticks(&self, from: Duration, to: Duration) -> Vec<Fate> {
        let stepped = |fate: &&Fate| fate.at >= from && fate.at < to;
        self.fates.iter().filter(stepped).copied().collect()
    }

    pub(super) fn counters(&self) -> (InputCounters, i8) {
        (self.session.input_counters(), self.session.input_margin())
    }

    pub(super) fn lane_is_sealed(&self) -> bool {
        self.client.stats().lane.is_sealed
    }
}
