//! One player's two sessions on a simulated path, with ends that stop and clocks that drift.
//!
//! No world, no cryptography: what is under test is when inputs come, and everything else would
//! only make ten thousand cases dear. Joining and coming back are two packets, as QUIC would carry
//! them; a client that heard nothing for two seconds comes back, as the real one does.

use std::time::{Duration, Instant};

use sortie_link_sim::{Link, LinkConfig};
use sortie_session::{
    client::ClientSession,
    delta_cache::DeltaCache,
    history::FrameHistory,
    inputs::Origin,
    priority::Viewer,
    server::{ServerSession, SessionConfig, SnapshotSource},
    slots::Visible,
};
use sortie_wire::{
    input::{InputCommand, InputDatagram},
    limits::{DATAGRAM_BYTES_MAX, INPUT_BYTES_MAX},
    message::LoadStep,
    state::SelfState,
};

/// Time goes in steps of this.
const STEP: Duration = Duration::from_millis(1);
/// A client that hears nothing for so long comes back over a new connection.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// Between two attempts to be let in.
const HELLO_EVERY: Duration = Duration::from_millis(250);
/// A server that fell behind makes up for so many ticks.
const CATCH_UP_TICKS: u32 = 2;

/// What goes up, with the number of the client's connection, and when a hello was said.
#[derive(Clone)]
enum Up {
    Hello(u32, Instant),
    Input(u32, Vec<u8>),
}

/// What comes down.
#[derive(Clone)]
enum Down {
    Welcome(u32, u32, Instant),
    Snapshot(u32, Vec<u8>),
}

/// What became of the input of a tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    /// When the server stepped the tick, since the start.
    pub at: Duration,
    /// The client made an input for it.
    pub is_played: bool,
    /// The datagram that was the first to carry it was lost on the way.
    pub is_first_lost: bool,
    /// A copy of it arrived before its tick.
    pub is_in_time: bool,
    /// The tick consumed it.
    pub is_fresh: bool,
}

/// Which end is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Server,
    Client,
}

enum Client {
    Away { hello_at: Instant },
    Here(Box<ClientSession>),
}

/// One player, its path and its server.
pub(super) struct Fixture {
    pub hz: u16,
    start: Instant,
    pub now: Instant,
    /// The client's clock runs faster by this share.
    drift: f64,
    /// What the handshake says of the round trip, instead of what it took.
    pub first_rtt: Option<Duration>,
    up: Link<Up>,
    down: Link<Down>,
    stopped_until: [Instant; 2],
    connection: u32,
    client: Client,
    heard_at: Instant,
    server: ServerSession,
    /// The connection that the server knows, and the tick that its welcome says.
    welcomed: (u32, u32),
    history: FrameHistory,
    cache: DeltaCache,
    tick: u32,
    due: Instant,
    /// What became of the input for each tick, indexed by tick.
    pub fates: Vec<Fate>,
    pub jumps: u64,
}

impl Fixture {
    pub(super) fn new(hz: u16, drift: f64, first_rtt: Option<Duration>, seed: u64) -> Self {
        let now = Instant::now();
        let config = SessionConfig { tick_hz: hz, ..SessionConfig::default() };
        // A battle that has been going for a while.
        let tick = 1_000;
        Self {
            hz,
            start: now,
            now,
            drift,
            first_rtt,
            up: Link::new(LinkConfig::default(), seed),
            down: Link::new(LinkConfig::default(), !seed),
            stopped_until: [now; 2],
            connection: 1,
            client: Client::Away { hello_at: now },
            heard_at: now,
            server: ServerSession::new(config, tick),
            welcomed: (0, 0),
            history: FrameHistory::new(),
            cache: DeltaCache::default(),
            tick,
            due: now + Duration::from_secs(1) / u32::from(hz),
            fates: Vec::new(),
            jumps: 0,
        }
    }

    /// Changes the path. Packets on their way keep their time.
    pub(super) fn set_links(&mut self, up: LinkConfig, down: LinkConfig) {
        self.up.set_config(up);
        self.down.set_config(down);
    }

    /// Stops an end: it takes nothing, does nothing, and what comes waits at its door.
    pub(super) fn stop(&mut self, end: End, length: Duration) {
        self.stopped_until[end as usize] = self.now + length;
    }

    /// Since the start.
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
            while self.now >= self.due && self.now >= self.stopped_until[End::Server as usize] {
                self.run_server();
            }
        }
    }

    /// What the client's clock shows.
    fn local(&self) -> Instant {
        self.start + self.elapsed().mul_f64(1.0 + self.drift)
    }

    fn run_client(&mut self) {
        let now = self.now;
        // As the real client: silence is noticed before what waits at the socket is read.
        if matches!(self.client, Client::Here(_)) && now - self.heard_at > SILENCE_MAX {
            self.leave();
        }
        while let Some(packet) = self.down.poll(now) {
            self.heard_at = now;
            let local = self.local();
            match (packet, &mut self.client) {
                (Down::Welcome(connection, tick, said_at), Client::Away { .. })
                    if connection == self.connection =>
                {
                    let rtt = self.first_rtt.unwrap_or(now - said_at);
                    let session = ClientSession::new(local, self.hz, tick, rtt);
                    self.client = Client::Here(Box::new(session));
                }
                (Down::Snapshot(connection, bytes), Client::Here(session))
                    if connection == self.connection =>
                {
                    session.handle_snapshot(local, &bytes);
                }
                _ => {}
            }
        }
        self.send_inputs();
        if let Client::Away { hello_at } = &mut self.client
            && *hello_at <= now
        {
            *hello_at = now + HELLO_EVERY;
            self.up.push(now, Up::Hello(self.connection, now), 1_200);
        }
    }

    fn leave(&mut self) {
        if let Client::Here(session) = &self.client {
            self.jumps += session.clock().jumps();
        }
        self.connection += 1;
        self.client = Client::Away { hello_at: self.now };
        self.heard_at = self.now;
    }

    fn send_inputs(&mut self) {
        let (now, local) = (self.now, self.local());
        let Client::Here(session) = &mut self.client else { return };
        while session.clock().next_tick_at() <= local {
            let tick = session.advance(local);
            let input = InputCommand {
                tick,
                move_forward: 127,
                view_tick: tick.saturating_sub(9),
                ..InputCommand::default()
            };
            let mut out = [0; INPUT_BYTES_MAX];
            let datagram = session.push_input(input, &mut out).to_vec();
            let lost = self.up.counters().lost;
            let bytes = datagram.len();
            self.up.push(now, Up::Input(self.connection, datagram), bytes);
            let is_lost = self.up.counters().lost > lost;
            let fate = fate(&mut self.fates, tick);
            (fate.is_played, fate.is_first_lost) = (true, is_lost);
        }
    }

    /// One tick of the server, as the battle server does it.
    fn run_server(&mut self) {
        let period = Duration::from_secs(1) / u32::from(self.hz);
        self.due += period;
        let behind =
            (self.now.saturating_duration_since(self.due).as_nanos() / period.as_nanos()) as u32;
        self.due += period * behind.saturating_sub(CATCH_UP_TICKS);
        while let Some(packet) = self.up.poll(self.now) {
            self.take(packet);
        }
        self.tick += 1;
        let taken = self.server.take_input(self.tick);
        let at = self.elapsed();
        let fate = fate(&mut self.fates, self.tick);
        (fate.at, fate.is_fresh) = (at, taken.origin == Origin::Fresh);
        self.history.begin(self.tick).finish();
        if self.welcomed.0 > 0 {
            self.send_snapshot();
        }
    }

    fn take(&mut self, packet: Up) {
        match packet {
            Up::Hello(connection, said_at) => {
                if connection > self.welcomed.0 {
                    self.welcomed = (connection, self.tick);
                    self.server.resume(self.tick);
                }
                if connection == self.welcomed.0 {
                    let welcome = Down::Welcome(connection, self.welcomed.1, said_at);
                    self.down.push(self.now, welcome, 1_200);
                }
            }
            Up::Input(connection, datagram) if connection == self.welcomed.0 => {
                self.server.handle_input_datagram(&datagram, self.tick);
                let read = InputDatagram::decode(&datagram).unwrap();
                for command in read.commands().iter().filter(|input| input.tick > self.tick) {
                    fate(&mut self.fates, command.tick).is_in_time = true;
                }
            }
            Up::Input(..) => {}
        }
    }

    fn send_snapshot(&mut self) {
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
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let bytes = self.server.encode_snapshot(&source, &mut self.cache, &mut out);
        if bytes > 0 {
            let snapshot = Down::Snapshot(self.welcomed.0, out[..bytes].to_vec());
            self.down.push(self.now, snapshot, bytes);
        }
    }

    /// The ticks stepped in this time, since the start.
    pub(super) fn ticks(&self, from: Duration, to: Duration) -> Vec<(u32, Fate)> {
        let ticks = self.fates.iter().enumerate().map(|(tick, fate)| (tick as u32, *fate));
        ticks.filter(|(_, fate)| fate.at >= from && fate.at < to).collect()
    }

    /// How far the newest input is ahead of the tick consumed.
    pub(super) fn margin(&self) -> i8 {
        self.server.input_margin()
    }

    /// What the server counted.
    pub(super) fn counters(&self) -> sortie_session::inputs::InputCounters {
        self.server.input_counters()
    }
}

/// A tick stepped in no time at all was not stepped.
fn fate(fates: &mut Vec<Fate>, tick: u32) -> &mut Fate {
    let tick = tick as usize;
    if fates.len() <= tick {
        fates.resize(tick + 1, Fate::default());
    }
    &mut fates[tick]
}
