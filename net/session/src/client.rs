//! A player's stay in a battle, as the client sees it: the mirror of the server's session.

use std::time::{Duration, Instant};

use sortie_wire::{
    DecodeError,
    input::{InputCommand, InputDatagram},
    limits::{INPUT_BYTES_MAX, INPUT_COMMANDS_MAX},
    snapshot::Snapshot,
};

use crate::{clock::ClientClock, record::RECORD_SNAPSHOTS};

/// Inputs remembered for replay: more than any round trip that is still playable.
pub const INPUTS_REMEMBERED: u32 = 128;

/// Totals of a client's session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Snapshots decoded, each tick once.
    pub snapshots: u64,
    /// Their bytes.
    pub snapshot_bytes: u64,
    /// Ticks between snapshots for which none arrived (or only after newer ones).
    pub missed: u64,
    /// Snapshots older than the newest, or seen before.
    pub stale: u64,
    /// Datagrams that could not be decoded.
    pub undecodable: u64,
    /// Input datagrams made.
    pub inputs: u64,
    /// Snapshots that say that the server had to do without this client's input in their tick.
    pub starved: u64,
}

/// What became of a snapshot datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotVerdict {
    /// It is the newest now.
    Newest,
    /// Older than the newest; acknowledged, otherwise of no use.
    Stale,
    /// It does not decode.
    Undecodable(DecodeError),
}

/// A decoded snapshot.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// What it says.
    pub snapshot: Snapshot,
    /// Parallel to its entities: the tick that each state is of. A snapshot without room for an
    /// entity leaves it at its baseline's state, which may be older than what came in between.
    pub since: Vec<u32>,
}

/// What a client remembers to talk to its [`ServerSession`](crate::server::ServerSession).
#[derive(Debug)]
pub struct ClientSession {
    clock: ClientClock,
    /// Index = tick modulo the ring's length.
    inputs: Vec<InputCommand>,
    /// The tick of the newest input; `None` before the first.
    newest_input: Option<u32>,
    snapshots: Vec<Received>,
    /// Decoded into, then swapped into the ring: a refused datagram spoils nothing.
    scratch: Received,
    newest: Option<u32>,
    /// Bit n: the snapshot of `newest - 1 - n` arrived.
    arrived_bits: u32,
    counters: ClientCounters,
}

impl ClientSession {
    /// A session with a server that was at `server_tick` when it sent its welcome.
    pub fn new(now: Instant, tick_hz: u16, server_tick: u32, rtt: Duration) -> Self {
        Self {
            clock: ClientClock::new(now, tick_hz, server_tick, rtt),
            inputs: vec![InputCommand::default(); INPUTS_REMEMBERED as usize],
            newest_input: None,
            snapshots: (0..RECORD_SNAPSHOTS).map(|_| Received::default()).collect(),
            scratch: Received::default(),
            newest: None,
            arrived_bits: 0,
            counters: ClientCounters::default(),
        }
    }

    /// The clock that says when to play the next tick.
    pub fn clock(&self) -> &ClientClock {
        &self.clock
    }

    /// The path's round trip, as measured lately.
    pub fn note_rtt(&mut self, rtt: Duration) {
        self.clock.note_rtt(rtt);
    }

    /// Begins the next tick and gives its number. The caller plays it with
    /// [`push_input`](Self::push_input).
    pub fn advance(&mut self, now: Instant) -> u32 {
        self.clock.advance(now)
    }

    /// Remembers the input of its tick and writes the datagram that carries it, with the inputs
    /// before it and the acks.
    pub fn push_input<'a>(
        &mut self,
        input: InputCommand,
        out: &'a mut [u8; INPUT_BYTES_MAX],
    ) -> &'a [u8] {
        let tick = input.tick;
        self.inputs[(tick % INPUTS_REMEMBERED) as usize] = input;
        self.newest_input = Some(tick);
        self.counters.inputs += 1;
        self.write_inputs(input, out)
    }

    /// Writes the newest input again, with the acks of now: for a client whose clock waits. Nothing
    /// before the first input.
    pub fn repeat_input<'a>(&self, out: &'a mut [u8; INPUT_BYTES_MAX]) -> &'a [u8] {
        match self.newest_input.and_then(|tick| self.input(tick)) {
            Some(input) => self.write_inputs(*input, out),
            None => &[],
        }
    }

    fn write_inputs<'a>(
        &self,
        newest: InputCommand,
        out: &'a mut [u8; INPUT_BYTES_MAX],
    ) -> &'a [u8] {
        let tick = newest.tick;
        let mut newest_first = [newest; INPUT_COMMANDS_MAX];
        let mut count = 1;
        // Behind ticks that the clock skipped stand older ones, which are of no use any more.
        for back in 1..INPUT_COMMANDS_MAX as u32 {
            let Some(before) = tick.checked_sub(back).and_then(|tick| self.input(tick)) else {
                break;
            };
            newest_first[count] = *before;
            count += 1;
        }
        let ack_tick = self.newest.unwrap_or(0);
        match InputDatagram::new(ack_tick, self.arrived_bits, &newest_first[..count]) {
            Some(datagram) => datagram.encode(out),
            None => &[],
        }
    }

    /// The input given in `tick`, if it is remembered.
    pub fn input(&self, tick: u32) -> Option<&InputCommand> {
        let input = &self.inputs[(tick % INPUTS_REMEMBERED) as usize];
        (input.tick == tick && tick != 0).then_some(input)
    }

    /// Reads one snapshot datagram.
    pub fn handle_snapshot(&mut self, now: Instant, datagram: &[u8]) -> SnapshotVerdict {
        let ring = &self.snapshots;
        let baseline = |tick: u32| {
            let snapshot = &ring[slot_of(tick)].snapshot;
            (snapshot.header.tick == tick && tick != 0).then_some(snapshot)
        };
        if let Err(error) = Snapshot::decode(datagram, baseline, &mut self.scratch.snapshot) {
            self.counters.undecodable += 1;
            return SnapshotVerdict::Undecodable(error);
        }
        let tick = self.scratch.snapshot.header.tick;
        if !self.note_arrival(tick) {
            self.counters.stale += 1;
            return SnapshotVerdict::Stale;
        }
        self.counters.snapshots += 1;
        self.counters.snapshot_bytes += datagram.len() as u64;
        self.date_states();
        let slot = slot_of(tick);
        std::mem::swap(&mut self.snapshots[slot], &mut self.scratch);
        if self.newest != Some(tick) {
            self.counters.stale += 1;
            return SnapshotVerdict::Stale;
        }
        let header = &self.snapshots[slot].snapshot.header;
        self.counters.starved += u64::from(header.input_tick < tick);
        self.clock.note_snapshot(now, tick, header.input_margin, header.input_tick);
        SnapshotVerdict::Newest
    }

    /// Tells of each state of the snapshot just decoded which tick it is of: the snapshot's own,
    /// or that of the baseline when it is the baseline's state.
    fn date_states(&mut self) {
        let Received { snapshot, since } = &mut self.scratch;
        since.clear();
        let tick = snapshot.header.tick;
        let Some(baseline) = snapshot.header.baseline else {
            since.resize(snapshot.entities.len(), tick);
            return;
        };
        let base = &self.snapshots[slot_of(baseline)];
        let mut known = base.snapshot.entities.iter().zip(&base.since).peekable();
        for (id, state) in &snapshot.entities {
            while known.next_if(|((known_id, _), _)| known_id < id).is_some() {}
            let same = known.next_if(|((known_id, _), _)| known_id == id);
            let kept = same.filter(|((_, before), _)| before == state);
            since.push(kept.map_or(tick, |(_, since)| *since));
        }
    }

    /// Whether the snapshot of `tick` is new here; keeps the acks.
    fn note_arrival(&mut self, tick: u32) -> bool {
        let Some(newest) = self.newest else {
            self.newest = Some(tick);
            return true;
        };
        if tick > newest {
            let ahead = tick - newest;
            self.counters.missed += u64::from(ahead - 1);
            // The old newest becomes bit `ahead - 1`.
            let shifted = (u64::from(self.arrived_bits) << 1 | 1).checked_shl(ahead - 1);
            self.arrived_bits = shifted.unwrap_or(0) as u32;
            self.newest = Some(tick);
            return true;
        }
        let back = newest - tick;
        if back == 0 || back > 32 {
            return false;
        }
        let bit = 1 << (back - 1);
        let new = self.arrived_bits & bit == 0;
        self.arrived_bits |= bit;
        new
    }

    /// The newest snapshot.
    pub fn newest(&self) -> Option<&Received> {
        self.newest.map(|tick| &self.snapshots[slot_of(tick)])
    }

    /// Totals so far.
    pub fn counters(&self) -> ClientCounters {
        self.counters
    }
}

fn slot_of(tick: u32) -> usize {
    (tick % RECORD_SNAPSHOTS) as usize
}
