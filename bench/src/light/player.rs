//! One light client: a real player's datagrams, and hardly a thought.
//!
//! It walks, acknowledges what arrives and repeats its last inputs as every client does. Of a
//! snapshot it reads the header and its own soldier; only [watched](Watch) ones decode the rest.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::{Duration, Instant};

use sortie_field::Vec3;
use sortie_wire::close::CloseCode;
use sortie_wire::input::{InputCommand, InputDatagram};
use sortie_wire::limits::{INPUT_BYTES_MAX, INPUT_COMMANDS_MAX, PROTOCOL_VERSION};
use sortie_wire::message::{
    Blob, ClientMessage, Credential, Hello, ServerMessage, SpawnAt, Welcome,
};
use sortie_wire::snapshot::{Snapshot, SnapshotReader};
use sortie_wire::state::status;

use super::age::Ages;
use super::link::{ClientLink, LaneKind, LinkEvent, Traffic};
use super::pace::Guest;
use super::watch::Watch;
use sortie_players::swarm::Target;
use sortie_players::ticket::{self, TicketRequest};
use sortie_players::walker::Walker;

/// An input is for this many ticks after the newest snapshot, least: it arrives before its tick.
const LEAD_TICKS: u32 = 2;

/// Between two requests to be put into the field.
const ASK_AGAIN_TICKS: u32 = 30;

/// Player keys of light clients begin here.
const FIRST_KEY: u128 = 0x119 << 64;

/// What all clients of a crowd share.
#[derive(Debug)]
pub struct Board {
    /// Newest tick that anyone saw.
    pub newest: Cell<u32>,
    /// Snapshots of these ticks count: the first, and the one after the last.
    pub window: Cell<(u32, u32)>,
    /// Watched clients keep what they are told of these ticks.
    pub kept: Cell<(u32, u32)>,
    /// How old snapshots were.
    pub ages: RefCell<Ages>,
    /// Scratch for reading headers.
    header: RefCell<Snapshot>,
}

impl Board {
    /// Nothing counts yet.
    pub fn new(period: Duration) -> Self {
        Self {
            newest: Cell::new(0),
            window: Cell::new((u32::MAX, u32::MAX)),
            kept: Cell::new((u32::MAX, u32::MAX)),
            ages: RefCell::new(Ages::new(period)),
            header: RefCell::new(Snapshot::default()),
        }
    }
}

/// What a client counted in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Snapshots, each tick once.
    pub snapshots: u64,
    /// Their bytes.
    pub snapshot_bytes: u64,
    /// Snapshots that say that the server had to do without this client's input.
    pub starved: u64,
    /// Datagrams that were no snapshots.
    pub malformed: u64,
}

/// Where a client stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Its time has not come.
    #[default]
    Waiting,
    /// Not welcomed yet.
    Joining,
    /// In the battle.
    Playing,
    /// Put out, or lost.
    Over(String),
}

/// One light client.
pub struct Player<'b> {
    number: usize,
    arrival: Instant,
    target: &'b Target,
    lane: LaneKind,
    link: Option<ClientLink>,
    mind: Mind<'b>,
}

/// All of a client but its connection.
struct Mind<'b> {
    board: &'b Board,
    stage: Stage,
    slot: u16,
    tick_hz: u16,
    class: u8,
    walker: Option<Walker>,
    own_status: u8,
    own_pos: [f32; 3],
    newest: u32,
    /// Bit n: the snapshot of `newest - 1 - n` arrived.
    arrived_bits: u32,
    inputs: [InputCommand; INPUT_COMMANDS_MAX],
    inputs_count: usize,
    watch: Option<Box<Watch>>,
    watches: bool,
    tally: Tally,
    /// To be said when the link is free again.
    hello_due: bool,
    /// The server opened the sealed lane: its session and suite.
    lane_due: Option<(u32, u8)>,
}

impl<'b> Player<'b> {
    /// Client `number`, which arrives then.
    pub fn new(
        number: usize,
        arrival: Instant,
        target: &'b Target,
        board: &'b Board,
        lane: LaneKind,
        watches: bool,
    ) -> Self {
        let mind = Mind {
            board,
            stage: Stage::Waiting,
            slot: 0,
            tick_hz: 60,
            class: (number % 4) as u8,
            walker: None,
            own_status: status::WAITING,
            own_pos: [0.0; 3],
            newest: 0,
            arrived_bits: 0,
            inputs: Default::default(),
            inputs_count: 0,
            watch: None,
            watches,
            tally: Tally::default(),
            hello_due: false,
            lane_due: None,
        };
        Self { number, arrival, target, lane, link: None, mind }
    }

    /// Where it stands.
    pub fn stage(&self) -> &Stage {
        &self.mind.stage
    }

    /// Whether it is in the field, over the lane that it wants.
    pub fn is_in_field(&self) -> bool {
        let has_lane = self.link.as_ref().is_some_and(|link| link.lane() == self.lane);
        self.mind.stage == Stage::Playing && self.mind.own_status == status::ALIVE && has_lane
    }

    /// What it counted.
    pub fn tally(&self) -> Tally {
        self.mind.tally
    }

    /// UDP datagrams and bytes since its start.
    pub fn traffic(&self) -> Traffic {
        self.link.as_ref().map(|link| link.traffic).unwrap_or_default()
    }

    /// What a watched client kept.
    pub fn watch(&mut self) -> Option<&mut Watch> {
        self.mind.watch.as_deref_mut()
    }

    /// Leaves without waiting for an answer.
    pub fn leave(&mut self, now: Instant) {
        if let Some(link) = &mut self.link {
            link.close(now, u32::from(CloseCode::Left.number()));
        }
    }

    fn arrive(&mut self, now: Instant) -> io::Result<()> {
        if now >= self.arrival && self.mind.stage == Stage::Waiting {
            self.link = Some(ClientLink::new(self.target, now)?);
            self.mind.stage = Stage::Joining;
        }
        Ok(())
    }

    fn hello(&self) -> io::Result<Vec<u8>> {
        let request = TicketRequest {
            battle_id: self.target.battle_id,
            player_key: FIRST_KEY + self.number as u128,
            name: format!("light-{}", self.number),
            team: None,
            class: self.mind.class,
            valid: Duration::from_secs(30),
        };
        let ticket = ticket::issue(&self.target.ticket_seed, &request).map_err(io::Error::other)?;
        let ticket = Blob::new(ticket).ok_or_else(|| io::Error::other("the ticket is too long"))?;
        let credential = Credential::Ticket(ticket);
        let lanes = self.lane.offer();
        let hello = ClientMessage::Hello(Hello { version: PROTOCOL_VERSION, lanes, credential });
        hello.encode().map_err(io::Error::other)
    }
}

impl Guest for Player<'_> {
    fn take(&mut self, now: Instant, scratch: &mut [u8]) -> io::Result<usize> {
        let Some(link) = &mut self.link else { return Ok(0) };
        let mind = &mut self.mind;
        let took = link.take(now, scratch, &mut |heard| mind.hear(now, &heard));
        if self.mind.stage == Stage::Joining && took > 0 {
            self.settle(now)?;
        }
        if let (Some((session, suite)), Some(link)) = (self.mind.lane_due.take(), &mut self.link) {
            link.seal(now, session, suite)?;
        }
        Ok(took)
    }

    fn say(&mut self, now: Instant, _scratch: &mut [u8]) -> io::Result<()> {
        self.arrive(now)?;
        let Some(link) = &mut self.link else { return Ok(()) };
        if self.mind.stage != Stage::Playing {
            return self.settle(now);
        }
        if let Some(message) = self.mind.request() {
            link.send_message(&message);
        }
        let mut buffer = [0; INPUT_BYTES_MAX];
        let datagram = self.mind.input(&mut buffer);
        let mind = &mut self.mind;
        link.send_datagram(now, datagram, &mut |heard| mind.hear(now, &heard));
        Ok(())
    }
}

impl Player<'_> {
    /// Carries on with the handshake.
    fn settle(&mut self, now: Instant) -> io::Result<()> {
        if std::mem::take(&mut self.mind.hello_due) {
            let hello = self.hello()?;
            if let Some(link) = &mut self.link {
                link.send_message(&hello);
            }
        }
        if let Some(link) = &mut self.link {
            let mind = &mut self.mind;
            link.pump(now, &mut |heard| mind.hear(now, &heard));
        }
        Ok(())
    }
}

impl Mind<'_> {
    fn hear(&mut self, now: Instant, heard: &LinkEvent<'_>) {
        match heard {
            LinkEvent::Connected => self.hello_due = true,
            LinkEvent::Message(message) => match ServerMessage::decode(message) {
                Ok(ServerMessage::Welcome(welcome)) => self.welcome(now, &welcome),
                Ok(ServerMessage::SealedLane { session, suite }) => {
                    self.lane_due = Some((session, suite));
                }
                // The round, the scoreboard, the others' names: nothing that a walker asks for.
                Ok(_) => {}
                Err(_) => self.tally.malformed += 1,
            },
            LinkEvent::Datagram(datagram) => self.take_snapshot(now, datagram),
            LinkEvent::Closed(reason) => self.stage = Stage::Over(reason.clone()),
        }
    }

    fn welcome(&mut self, now: Instant, welcome: &Welcome) {
        self.stage = Stage::Playing;
        (self.slot, self.tick_hz) = (welcome.slot, welcome.tick_hz);
        let side_m = side_of(welcome.map.as_str());
        let hz = u32::from(welcome.tick_hz);
        self.walker = Some(Walker::new(1, usize::from(welcome.slot), side_m, hz));
        self.board.newest.set(self.board.newest.get().max(welcome.tick));
        if self.watches {
            let watch = Watch::new(now, welcome.tick_hz, welcome.tick, welcome.slot);
            self.watch = Some(Box::new(watch));
        }
    }

    fn take_snapshot(&mut self, now: Instant, datagram: &[u8]) {
        // What overtook the welcome is lost to us: nobody knows yet what it would be for.
        if self.stage != Stage::Playing {
            return;
        }
        let mut snapshot = self.board.header.borrow_mut();
        if SnapshotReader::new(datagram, &mut snapshot).is_err() {
            self.tally.malformed += 1;
            return;
        }
        let tick = snapshot.header.tick;
        if let Some(watch) = &mut self.watch {
            let (from, to) = self.board.kept.get();
            if !watch.take(now, datagram, |tick| (from..to).contains(&tick)) {
                return;
            }
        }
        if !self.note_arrival(tick) {
            return;
        }
        let (from, to) = self.board.window.get();
        if (from..to).contains(&tick) {
            self.tally.snapshots += 1;
            self.tally.snapshot_bytes += datagram.len() as u64;
            self.tally.starved += u64::from(snapshot.header.input_tick < tick);
        }
        self.board.ages.borrow_mut().note(now, tick);
        if tick == self.newest {
            (self.own_status, self.own_pos) = (snapshot.own.status, snapshot.own.pos);
            self.board.newest.set(self.board.newest.get().max(tick));
        }
    }

    /// Whether the snapshot of `tick` is new here; keeps the acks.
    fn note_arrival(&mut self, tick: u32) -> bool {
        if tick > self.newest {
            let ahead = tick - self.newest;
            let held = if self.newest == 0 { 0 } else { u64::from(self.arrived_bits) << 1 | 1 };
            self.arrived_bits = held.checked_shl(ahead - 1).unwrap_or(0) as u32;
            self.newest = tick;
            return true;
        }
        let back = self.newest - tick;
        let bit = 1_u32.checked_shl(back.wrapping_sub(1)).unwrap_or(0);
        let is_new = bit != 0 && self.arrived_bits & bit == 0;
        self.arrived_bits |= bit;
        is_new
    }

    /// A wish to be put into the field, now and then until it is granted.
    fn request(&self) -> Option<Vec<u8>> {
        let turn = (self.newest + u32::from(self.slot)).is_multiple_of(ASK_AGAIN_TICKS);
        let waits = self.own_status == status::WAITING && turn && self.newest > 0;
        let spawn = ClientMessage::Spawn { at: SpawnAt::Base, class: self.class };
        spawn.encode().ok().filter(|_| waits)
    }

    /// The input of the next tick, with the ones before it and the acks.
    fn input<'a>(&mut self, buffer: &'a mut [u8; INPUT_BYTES_MAX]) -> &'a [u8] {
        let newest = self.board.newest.get();
        let last = self.inputs[0].tick;
        let tick = (last + 1).clamp(newest + LEAD_TICKS, newest + LEAD_TICKS + 1);
        // A server that is late gets the last one again.
        if tick > last {
            let command = self.step(tick);
            self.inputs.rotate_right(1);
            self.inputs[0] = command;
            self.inputs_count = (self.inputs_count + 1).min(INPUT_COMMANDS_MAX);
        }
        let inputs = &self.inputs[..self.inputs_count];
        match InputDatagram::new(self.newest, self.arrived_bits, inputs) {
            Some(datagram) => datagram.encode(buffer),
            None => &[],
        }
    }

    fn step(&mut self, tick: u32) -> InputCommand {
        let input = InputCommand { tick, view_tick: self.newest, ..InputCommand::default() };
        match &mut self.walker {
            Some(walker) if self.own_status == status::ALIVE => {
                let step = walker.step(Vec3::from_array(self.own_pos));
                InputCommand {
                    move_right: step.right,
                    move_forward: step.forward,
                    yaw: step.yaw.0,
                    ..input
                }
            }
            _ => input,
        }
    }
}

/// The side of a map that was sent as a document, metres.
fn side_of(map: &str) -> f32 {
    sortie_field::map::Map::parse(map).map_or(0.0, |map| map.size_m)
}
