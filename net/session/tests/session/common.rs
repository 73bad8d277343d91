//! A small world of walkers, a server and clients over simulated links, on a fake clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sortie_link_sim::{Link, LinkConfig, Rng};
use sortie_session::{
    client::{ClientSession, SnapshotVerdict},
    delta_cache::DeltaCache,
    history::{FrameHistory, TeamViews},
    priority::{Viewer, Viewpoint},
    server::{InputVerdict, ServerSession, SessionConfig, SnapshotSource},
    slots::Visible,
};
use sortie_wire::{
    input::InputCommand,
    limits::{DATAGRAM_BYTES_MAX, FIRST_PROP_ID, INPUT_BYTES_MAX},
    message::LoadStep,
    state::{EntityState, SelfState, quantise_yaw},
};

pub(crate) const HZ: u16 = 60;

/// The seed of this run: `SIM_SEED`, or a fixed one; printed so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    println!("SIM_SEED={seed}");
    seed
}

/// Walkers and flying props on a plain.
pub(crate) struct World {
    pub tick: u32,
    rng: Rng,
    places: Vec<(f32, f32, u16)>,
    size_m: f32,
    pub history: FrameHistory,
    /// What every entity was at every tick, as each team may know it.
    pub archive: Vec<BTreeMap<u32, TeamViews>>,
}

impl World {
    pub(crate) fn new(soldiers: usize, size_m: f32, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut place = || rng.below(size_m as u64 * 100) as f32 / 100.0;
        let places = (0..soldiers).map(|_| (place(), place(), 0)).collect();
        let history = FrameHistory::new();
        Self { tick: 0, rng, places, size_m, history, archive: vec![BTreeMap::new()] }
    }

    pub(crate) fn step(&mut self) {
        self.tick += 1;
        let mut now = BTreeMap::new();
        for slot in 0..self.places.len() {
            let chance = self.rng.below(1_000);
            let (x, z, yaw) = &mut self.places[slot];
            // A third stands still for a while.
            if !(slot + self.tick as usize / 200).is_multiple_of(3) {
                let (sin, cos) = (f32::from(*yaw) * std::f32::consts::TAU / 65_536.0).sin_cos();
                *x = (*x + sin / 12.0).clamp(0.0, self.size_m);
                *z = (*z - cos / 12.0).clamp(0.0, self.size_m);
                *yaw = yaw.wrapping_add(chance as u16 * 2);
            }
            // Some are not in the field for a while.
            if (slot as u32 + self.tick / 64).is_multiple_of(11) {
                continue;
            }
            let mut state = EntityState {
                team: (slot % 2) as u8,
                yaw: quantise_yaw(*yaw),
                ..EntityState::default()
            };
            state.set_position_m([*x, 1.0, *z]);
            let health = (chance % 16) as u8;
            let team_views = [0, 1].map(|team_view| EntityState {
                health: if team_view == slot % 2 { health } else { 0 },
                ..state
            });
            now.insert(slot as u32, team_views);
        }
        for prop in self.tick / 20..self.tick / 20 + 4 {
            let mut state = EntityState { kind: 2, radius_dm: 20, ..EntityState::default() };
            let east = (self.tick % 400) as f32 / 4.0;
            state.set_position_m([east, 3.0, prop as f32 % self.size_m]);
            now.insert(FIRST_PROP_ID + prop, [state; 2]);
        }
        let mut frame = self.history.begin(self.tick);
        for slot in 0..self.places.len() as u32 {
            frame.soldier(now.get(&slot).copied());
        }
        for (id, team_views) in now.range(FIRST_PROP_ID..) {
            frame.prop(*id, *team_views);
        }
        frame.finish();
        self.archive.push(now);
    }

    /// Who a soldier can see: everyone within the radius, itself excepted.
    pub(crate) fn visible(&self, slot: u32, radius_m: f32) -> Vec<u32> {
        let (x, z, _) = self.places[slot as usize];
        let near = |(id, team_views): (&u32, &TeamViews)| {
            let [east, _, south] = team_views[0].position_m();
            let is_near = (east - x).hypot(south - z) < radius_m;
            (is_near && *id != slot).then_some(*id)
        };
        self.archive[self.tick as usize].iter().filter_map(near).collect()
    }

    pub(crate) fn viewpoint(&self, slot: u32) -> Viewpoint {
        let (x, z, _) = self.places[slot as usize];
        Viewpoint { x: (x * 100.0) as u32, z: (z * 100.0) as u32, east: 0.0, south: -1.0 }
    }
}

/// One player: both sessions and the links between them.
pub(crate) struct Player {
    pub slot: u32,
    pub server: ServerSession,
    pub client: ClientSession,
    pub cache: DeltaCache,
    pub up: Link<Vec<u8>>,
    pub down: Link<Vec<u8>>,
    /// Nothing goes up (acks are lost), nothing goes down.
    pub mute_up: bool,
    pub mute_down: bool,
    pub load: LoadStep,
    pub radius_m: f32,
    pub full_received: u32,
    pub checked: u32,
    pub visible: BTreeMap<u32, Vec<u32>>,
}

impl Player {
    pub(crate) fn new(
        slot: u32,
        now: Instant,
        tick: u32,
        config: SessionConfig,
        link: LinkConfig,
        seed: u64,
    ) -> Self {
        let rtt = (link.delay + link.jitter / 2) * 2;
        Self {
            slot,
            server: ServerSession::new(config, tick),
            client: ClientSession::new(now, HZ, tick, rtt),
            cache: DeltaCache::default(),
            up: Link::new(link, seed ^ u64::from(slot) << 8),
            down: Link::new(link, seed ^ u64::from(slot) << 8 ^ 1),
            mute_up: false,
            mute_down: false,
            load: LoadStep::Normal,
            radius_m: 40.0,
            full_received: 0,
            checked: 0,
            visible: BTreeMap::new(),
        }
    }

    /// The client plays what is due and sends it; both ends take what has arrived.
    pub(crate) fn run_until(&mut self, now: Instant, world: &World) {
        while let Some(datagram) = self.down.poll(now) {
            let verdict = self.client.handle_snapshot(now, &datagram);
            assert!(!matches!(verdict, SnapshotVerdict::Undecodable(_)), "{verdict:?}");
            if verdict == SnapshotVerdict::Newest {
                self.check_newest(world);
            }
        }
        while self.client.clock().next_tick_at() <= now {
            let at = self.client.clock().next_tick_at();
            let tick = self.client.advance(at);
            let input = InputCommand {
                tick,
                move_forward: 127,
                view_tick: tick.saturating_sub(9),
                ..InputCommand::default()
            };
            let mut out = [0; INPUT_BYTES_MAX];
            let datagram = self.client.push_input(input, &mut out).to_vec();
            if !self.mute_up {
                let bytes = datagram.len();
                self.up.push(now, datagram, bytes);
            }
        }
        while let Some(datagram) = self.up.poll(now) {
            let verdict = self.server.handle_input_datagram(&datagram, world.tick);
            assert!(matches!(verdict, InputVerdict::Taken | InputVerdict::Flooded));
        }
    }

    /// The server's part of a tick.
    pub(crate) fn serve(&mut self, now: Instant, world: &World) {
        self.server.take_input(world.tick);
        if !self.server.snapshot_due(world.tick, self.load, self.slot as u16) {
            return;
        }
        let visible = world.visible(self.slot, self.radius_m);
        let own =
            SelfState { status: 1, pos: [1.5, 2.5, world.tick as f32], ..SelfState::default() };
        let (soldiers, props) = as_sets(&visible);
        let source = SnapshotSource {
            history: &world.history,
            visible: Visible { soldiers: &soldiers, props: &props },
            viewer: Viewer {
                team_view: self.slot as usize % 2,
                from: world.viewpoint(self.slot),
                ..Viewer::default()
            },
            own: &own,
            sounds: &[],
            hits: &[],
            load: self.load,
        };
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let bytes = self.server.encode_snapshot(&source, &mut self.cache, &mut out);
        self.visible.insert(world.tick, visible);
        if bytes > 0 && !self.mute_down {
            self.down.push(now, out[..bytes].to_vec(), bytes);
        }
    }

    /// The client's newest set is, bit for bit, what the server's record says it is.
    fn check_newest(&mut self, world: &World) {
        let received = self.client.newest().unwrap();
        let snapshot = &received.snapshot;
        let tick = snapshot.header.tick;
        let held = self.server.held_after(tick).expect("the server remembers what it sent");
        let team_view = self.slot as usize % 2;
        let recorded: Vec<(u32, EntityState)> = held
            .iter()
            .map(|held| (held.id, world.archive[held.tick as usize][&held.id][team_view]))
            .collect();
        assert_eq!(snapshot.entities, recorded, "tick {tick}, slot {}", self.slot);
        assert_eq!(snapshot.own.pos[2], tick as f32);
        let visible = &self.visible[&tick];
        assert!(recorded.iter().all(|(id, _)| visible.contains(id)), "only what is visible");
        self.full_received += u32::from(snapshot.header.baseline.is_none());
        self.checked += 1;
    }

    /// Whether the client holds everything visible as it is now.
    pub(crate) fn is_up_to_date(&self, world: &World) -> bool {
        let snapshot = &self.client.newest().unwrap().snapshot;
        let tick = snapshot.header.tick;
        let team_view = self.slot as usize % 2;
        let archive = &world.archive[tick as usize];
        let now: Vec<(u32, EntityState)> =
            self.visible[&tick].iter().map(|id| (*id, archive[id][team_view])).collect();
        snapshot.entities == now
    }
}

/// Ids as sessions take them.
pub(crate) fn as_sets(ids: &[u32]) -> (Vec<u64>, Vec<u32>) {
    let (mut soldiers, mut props) = (Vec::new(), Vec::new());
    for &id in ids {
        if id >= FIRST_PROP_ID {
            props.push(id);
            continue;
        }
        let index = id as usize / 64;
        soldiers.resize(soldiers.len().max(index + 1), 0);
        soldiers[index] |= 1 << (id % 64);
    }
    (soldiers, props)
}

/// A world with its players on a fake clock.
pub(crate) struct Game {
    pub world: World,
    pub players: Vec<Player>,
    pub now: Instant,
}

impl Game {
    pub(crate) fn new(
        soldiers: usize,
        size_m: f32,
        players: u32,
        config: SessionConfig,
        link: LinkConfig,
    ) -> Self {
        let seed = seed();
        let now = Instant::now();
        let world = World::new(soldiers, size_m, seed);
        let player = |slot| Player::new(slot, now, 0, config, link, seed);
        Self { world, players: (0..players).map(player).collect(), now }
    }

    /// Plays `ticks` ticks, four steps of network each.
    pub(crate) fn run(&mut self, ticks: u32) {
        let quarter = Duration::from_secs(1) / u32::from(HZ) / 4;
        for _ in 0..ticks {
            for _ in 0..4 {
                self.now += quarter;
                for player in &mut self.players {
                    player.run_until(self.now, &self.world);
                }
            }
            self.world.step();
            for player in &mut self.players {
                player.serve(self.now, &self.world);
            }
        }
    }
}

/// 5 % loss, 100 ms and up to 20 more, with overtaking, reordering and duplicates.
pub(crate) fn bad_link() -> LinkConfig {
    use sortie_link_sim::Probability;
    LinkConfig {
        delay: Duration::from_millis(100),
        jitter: Duration::from_millis(20),
        jitter_reorders: true,
        loss: Probability::percent(5),
        reorder: Probability::percent(1),
        duplicate: Probability::percent(1),
        ..LinkConfig::default()
    }
}
