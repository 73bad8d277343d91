//! A battle server without sockets, files or threads: what the real one composes, in a page.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use sortie_bridge::{
    feed::Feed,
    frame::publish,
    input::{action, input_command},
    lens::Lens,
    noise::Noises,
};
use sortie_field::{Field, Map};
use sortie_quic::{
    Fingerprint, Identity, LaneChoice, PeerId, SealedLanes, Secrets, Server, ServerConfig,
    ServerEvent, ServerLane, Shard, best_suite, is_sealed,
};
use sortie_sealed::PAYLOAD_BYTES_MAX;
use sortie_session::{
    delta_cache::DeltaCache,
    history::FrameHistory,
    peer::{LossCounters, Peer, SendError},
    server::{InputVerdict, ServerSession, SessionConfig},
};
use sortie_sim::{
    Battle, BattleSetup,
    command::{Action, Command, SpawnAt},
    config::SimConfig,
    id::{Class, PlayerKey, PlayerSlot},
    interest::Visibility,
    view::Status,
};
use sortie_wire::{
    close::CloseCode,
    limits::{DATAGRAM_BYTES_MAX, PROTOCOL_VERSION},
    message::{Blob, ClientMessage, Credential, LoadStep, ServerMessage, Text, Welcome},
    resume::{ResumeClaims, ResumeKey},
};

pub(crate) struct Player {
    pub session: ServerSession,
    pub lens: Lens,
    pub peer: Option<PeerId>,
    pub lane: LaneChoice,
    owes_sign: bool,
    pub key: u128,
    /// Ticks in which the soldier was alive.
    pub alive_ticks: u32,
}

pub(crate) struct Host {
    pub fingerprint: Fingerprint,
    pub battle: Battle,
    pub players: Vec<Player>,
    pub incarnation: u64,
    pub replaced: u32,
    pub peers_lost: u32,
    /// How far snapshots are thinned out.
    pub load: LoadStep,
    quic: Server,
    pub lanes: SealedLanes,
    sealed_out: VecDeque<(SocketAddr, Vec<u8>)>,
    now: Instant,
    history: FrameHistory,
    cache: DeltaCache,
    visibility: Visibility,
    /// Checkpoints of the last ticks: what a journal would have.
    saved: VecDeque<Vec<u8>>,
    identity: Identity,
    setup: BattleSetup,
    noises: Noises,
    feed: Feed,
    slots: BTreeMap<PeerId, usize>,
    pending: Vec<Command>,
    tokens: ResumeKey,
    config: SimConfig,
}

impl Host {
    pub(crate) fn new(config: SimConfig, size_m: f32, seed: u64, now: Instant) -> Self {
        let identity = sortie_identity::ephemeral().unwrap();
        let fingerprint = identity.fingerprint();
        let field = Arc::new(Field::new(Map::plain(size_m)));
        let setup = BattleSetup { config: config.clone(), field, seed, threads: 1 };
        Self {
            fingerprint,
            battle: Battle::new(setup.clone()),
            players: Vec::new(),
            incarnation: 1,
            replaced: 0,
            peers_lost: 0,
            load: LoadStep::Normal,
            quic: server(&identity, now),
            lanes: lanes(),
            sealed_out: VecDeque::new(),
            now,
            history: FrameHistory::new(),
            cache: DeltaCache::default(),
            visibility: Visibility::new(&config),
            saved: VecDeque::new(),
            identity,
            setup,
            noises: Noises::default(),
            feed: Feed::new(config.tick_hz),
            slots: BTreeMap::new(),
            pending: Vec::new(),
            tokens: ResumeKey::new(&[5; 32]),
            config,
        }
    }

    /// The process is killed and started again: what it knew of connections, acks and inputs is
    /// gone, and the battle goes back by the last six ticks.
    pub(crate) fn restart(&mut self, now: Instant) {
        let saved = self.saved.front().expect("the battle has run for a while");
        self.battle = Battle::restore(self.setup.clone(), saved).unwrap();
        self.saved.clear();
        self.quic = server(&self.identity, now);
        self.lanes = lanes();
        self.sealed_out.clear();
        self.history = FrameHistory::new();
        self.cache = DeltaCache::default();
        self.visibility = Visibility::new(&self.config);
        self.feed = Feed::new(self.config.tick_hz);
        self.slots.clear();
        self.pending.clear();
        self.incarnation += 1;
        for player in &mut self.players {
            player.session = session(self.battle.tick().0);
            player.lens = Lens::new(self.config.tick_hz);
            player.peer = None;
            player.lane = LaneChoice::new(now);
        }
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.now = now;
        if !is_sealed(datagram) {
            return self.quic.handle_datagram(now, from, BytesMut::from(&*datagram));
        }
        let Some((peer, payload)) = self.lanes.handle(now, from, datagram) else { return };
        let Some(&slot) = self.slots.get(&peer) else { return };
        match payload {
            [] => self.players[slot].owes_sign = true,
            input => self.take_input(slot, input, true),
        }
    }

    fn take_input(&mut self, slot: usize, input: &[u8], sealed: bool) {
        let tick = self.battle.tick().0;
        let player = &mut self.players[slot];
        let verdict = player.session.handle_input_datagram(input, tick);
        assert!(matches!(verdict, InputVerdict::Taken | InputVerdict::Flooded));
        player.lane.note_input(self.now, sealed);
    }

    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<SocketAddr> {
        if let Some((to, packet)) = self.sealed_out.pop_front() {
            out.clone_from(&packet);
            return Some(to);
        }
        self.quic.poll_transmit(now, out).map(|transmit| transmit.to)
    }

    /// One tick: what arrived, the step, what leaves.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.now = now;
        self.quic.handle_timeouts(now);
        while let Some(event) = self.quic.poll_event() {
            self.handle_event(event);
        }
        self.step();
        self.send_snapshots();
        self.send_feed();
    }

    fn handle_event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Connected { .. } => {}
            ServerEvent::Message { peer, message } => match ClientMessage::decode(&message) {
                Ok(message) => self.handle_message(peer, message),
                Err(error) => panic!("a client sent a broken message: {error}"),
            },
            ServerEvent::Datagram { peer, datagram } => {
                let Some(&slot) = self.slots.get(&peer) else { return };
                self.take_input(slot, &datagram, false);
            }
            ServerEvent::Closed { peer, .. } => {
                self.peers_lost += 1;
                self.lanes.close(peer);
                if let Some(slot) = self.slots.remove(&peer)
                    && self.players[slot].peer == Some(peer)
                {
                    self.players[slot].peer = None;
                }
            }
        }
    }

    fn handle_message(&mut self, peer: PeerId, message: ClientMessage) {
        let Some(&slot) = self.slots.get(&peer) else {
            let ClientMessage::Hello(hello) = message else { panic!("no hello came first") };
            assert_eq!(hello.version, PROTOCOL_VERSION);
            self.admit(peer, &hello.credential, hello.lanes);
            return;
        };
        if let Some(action) = action(&message) {
            self.pending.push(Command { player: PlayerSlot(slot as u16), action });
        }
    }

    fn admit(&mut self, peer: PeerId, credential: &Credential, lanes: u8) {
        let tick = self.battle.tick().0;
        let (slot, resumed) = match credential {
            Credential::Ticket(ticket) => {
                // Tests sign nothing: the ticket is the player's key.
                let key = u128::from_le_bytes(ticket[..16].try_into().unwrap());
                match self.players.iter().position(|player| player.key == key) {
                    Some(slot) => (slot, true),
                    None => (self.add_player(key, tick), false),
                }
            }
            Credential::Resume(token) => match self.tokens.verify(token) {
                Some(claims) => (usize::from(claims.slot), true),
                None => {
                    let code = CloseCode::ResumeUnknown;
                    self.quic.close(peer, u32::from(code.number()), code.text());
                    return;
                }
            },
        };
        if let Some(older) = self.players[slot].peer.replace(peer) {
            let code = CloseCode::Replaced;
            self.quic.close(older, u32::from(code.number()), code.text());
            self.slots.remove(&older);
            self.replaced += 1;
        }
        if resumed {
            self.players[slot].session.resume(tick);
        }
        self.slots.insert(peer, slot);
        let welcome = self.welcome(slot, tick, resumed);
        self.quic.send_message(peer, &welcome.encode().unwrap()).unwrap();
        self.players[slot].lane = LaneChoice::new(self.now);
        if let Some(suite) = best_suite(lanes)
            && let Some(session) = self.lanes.open(self.now, &self.quic, peer, suite)
        {
            let opened = ServerMessage::SealedLane { session, suite: suite as u8 };
            self.quic.send_message(peer, &opened.encode().unwrap()).unwrap();
        }
        for message in self.feed.everything(self.battle.view()) {
            self.quic.send_message(peer, &message.encode().unwrap()).unwrap();
        }
    }

    fn add_player(&mut self, key: u128, tick: u32) -> usize {
        let slot = self.players.len();
        self.players.push(Player {
            session: session(tick),
            lens: Lens::new(self.config.tick_hz),
            peer: None,
            lane: LaneChoice::new(self.now),
            owes_sign: false,
            key,
            alive_ticks: 0,
        });
        let player = PlayerSlot(slot as u16);
        self.feed.set_person(player, &format!("player {slot}"), true);
        let join = Action::Join { key: PlayerKey(key), team: None, class: Class::Assault };
        self.pending.push(Command { player, action: join });
        slot
    }

    fn welcome(&self, slot: usize, tick: u32, resumed: bool) -> ServerMessage {
        let claims =
            ResumeClaims { battle_id: 1, slot: slot as u16, player_key: self.players[slot].key };
        let team = self.battle.view().soldiers.get(slot).map_or(0, |row| row.team as u8);
        ServerMessage::Welcome(Box::new(Welcome {
            version: PROTOCOL_VERSION,
            battle_id: 1,
            incarnation: self.incarnation,
            slot: slot as u16,
            team,
            tick,
            tick_hz: self.config.tick_hz,
            snapshot_interval_ticks: 1,
            grace_s: 30,
            resumed,
            load: LoadStep::Normal,
            resume_token: Blob::new(self.tokens.issue(&claims).to_vec()).unwrap(),
            map: Text::new(self.battle.field().map().document()).unwrap(),
            rules: Text::new(self.config.to_toml()).unwrap(),
        }))
    }

    fn step(&mut self) {
        let tick = self.battle.tick().0 + 1;
        let mut commands = std::mem::take(&mut self.pending);
        for (slot, player) in self.players.iter_mut().enumerate() {
            let slot = PlayerSlot(slot as u16);
            match player.peer {
                Some(peer) if player.lane.is_sealed(self.now) => {
                    let lane = self.lanes.lane(peer).expect("inputs came over it");
                    let rtt = lane.rtt().or_else(|| self.quic.rtt(peer)).unwrap_or_default();
                    player.session.note_path(&SealedPath(rtt, lane.sent_and_lost()));
                }
                Some(peer) => {
                    player.session.note_path(&ServerLane { server: &mut self.quic, peer });
                }
                None => {}
            }
            let taken = player.session.take_input(tick);
            commands.push(input_command(slot, &taken.command));
            let row = self.battle.view().soldiers.get(usize::from(slot.0));
            if row.is_some_and(|row| row.status == Status::Waiting && row.spawns_at.is_none()) {
                let spawn = Action::Spawn { at: SpawnAt::Base, class: Class::Assault };
                commands.push(Command { player: slot, action: spawn });
            }
        }
        commands.sort_by_key(|command| command.player);
        self.battle.step(&commands);
        let view = self.battle.view();
        for row in view.soldiers.iter().filter(|row| row.status == Status::Alive) {
            self.players[usize::from(row.slot.0)].alive_ticks += 1;
        }
        publish(view, &self.config.movement, &mut self.history);
        self.visibility.update(view, self.battle.field(), None);
        let mut checkpoint = Vec::new();
        self.battle.checkpoint(&mut checkpoint);
        self.saved.push_back(checkpoint);
        if self.saved.len() > 6 {
            self.saved.pop_front();
        }
        self.noises.gather(&self.battle.output().events, self.config.interest.hearing_m);
        self.feed.note_tick(self.battle.output(), view);
    }

    fn send_snapshots(&mut self) {
        let view = self.battle.view();
        for (slot, player) in self.players.iter_mut().enumerate() {
            let Some(peer) = player.peer else { continue };
            let slot = PlayerSlot(slot as u16);
            if !player.session.snapshot_due(view.tick.0, self.load, slot.0) {
                continue;
            }
            let seen = self.visibility.visible(slot);
            player.lens.look(view, slot, seen, &self.noises);
            let source = player.lens.source(seen, &self.history, self.load);
            let takes_sealed = player.lane.is_sealed(self.now);
            if player.lane.is_in_doubt(self.now)
                && player.lane.note_quic(self.now, self.quic.acks_heard(peer))
            {
                self.quic.ping(peer);
            }
            let session = &mut player.session;
            let mut encode =
                |out: &mut [u8]| session.encode_snapshot(&source, &mut self.cache, out);
            let Self { lanes, sealed_out, now, .. } = self;
            let mut packet = Vec::new();
            if std::mem::take(&mut player.owes_sign)
                && let Ok(sealed) = lanes.seal(*now, peer, &[], &mut packet)
            {
                sealed_out.push_back((sealed.to, std::mem::take(&mut packet)));
            }
            if takes_sealed {
                let written = lanes.write(*now, peer, DATAGRAM_BYTES_MAX, encode, &mut packet);
                sealed_out.extend(written.map(|(to, _)| (to, packet)));
                continue;
            }
            let mut lane = ServerLane { server: &mut self.quic, peer };
            let mut out = [0; DATAGRAM_BYTES_MAX];
            let room = lane.max_datagram().min(out.len());
            let bytes = encode(&mut out[..room]);
            if bytes > 0 {
                // A lane without room loses the snapshot; the next one replaces it.
                let _ = lane.send_datagram(&out[..bytes]);
            }
        }
    }

    fn send_feed(&mut self) {
        for message in self.feed.take() {
            let bytes = message.encode().unwrap();
            for peer in self.players.iter().filter_map(|player| player.peer) {
                let _ = self.quic.send_message(peer, &bytes);
            }
        }
    }
}

/// A server as after a start: its identity and secrets outlive the process.
fn server(identity: &Identity, now: Instant) -> Server {
    let mut config = ServerConfig::new(identity.clone(), Secrets::from_root([4; 32]));
    config.rng_seed = Some([9; 32]);
    Server::new(config, now).unwrap()
}

fn lanes() -> SealedLanes {
    SealedLanes::new(Shard { index: 0, count: 1 }, 64).unwrap()
}

/// What a sealed lane says of its path.
struct SealedPath(Duration, (u64, u64));

impl Peer for SealedPath {
    fn send_datagram(&mut self, _: &[u8]) -> Result<(), SendError> {
        Err(SendError::Closed)
    }

    fn max_datagram(&self) -> usize {
        PAYLOAD_BYTES_MAX
    }

    fn rtt(&self) -> Duration {
        self.0
    }

    fn loss(&self) -> LossCounters {
        LossCounters { sent: self.1.0, lost: self.1.1 }
    }
}

fn session(tick: u32) -> ServerSession {
    ServerSession::new(SessionConfig::default(), tick)
}
