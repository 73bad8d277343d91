//! A player's stay in a battle, as the server sees it. It outlives connections.

use std::time::Duration;

use sortie_wire::{
    input::{InputCommand, InputDatagram},
    limits::FIRST_PROP_ID,
    message::LoadStep,
};

pub use crate::snapshot::SnapshotSource;
use crate::{
    budget::ByteBudget,
    delta_cache::DeltaCache,
    inputs::{InputCounters, InputQueue, TakenInput},
    peer::{LossCounters, Peer},
    plan::Pace,
    record::{Held, SentRecord},
    rewind::{oldest_shown, rewind_ticks},
    snapshot::{Recipient, Written},
};

/// Malformed datagrams after which a player is to be closed.
pub const STRIKES_MAX: u32 = 32;
/// Input datagrams looked at per tick in the long run; the rest of a flood is dropped unread.
pub const DATAGRAMS_PER_TICK_MAX: u32 = 8;
/// And at once: what a path or this server held up comes together, and the newest of it counts.
pub const DATAGRAMS_AT_ONCE_MAX: u32 = 256;

/// What a session is made with.
#[derive(Clone, Copy, Debug)]
pub struct SessionConfig {
    /// Ticks a second, 20 to 128.
    pub tick_hz: u16,
    /// Snapshot bytes a second for one player.
    pub bytes_per_s: u32,
    /// Ticks that a shot may be rewound at most, whatever the path.
    pub rewind_ticks_max: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { tick_hz: 60, bytes_per_s: 64 * 1_024, rewind_ticks_max: 12 }
    }
}

/// What became of one input datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputVerdict {
    /// Its acknowledgements and inputs were taken.
    Taken,
    /// More came than any honest client sends; not read.
    Flooded,
    /// Not an input datagram; counted.
    Malformed,
    /// The [`STRIKES_MAX`]th malformed one: close the player.
    Close,
}

/// Totals of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Snapshots encoded.
    pub snapshots: u64,
    /// Of these, coded without a baseline.
    pub full_snapshots: u64,
    /// Their bytes.
    pub snapshot_bytes: u64,
    /// Entity states sent.
    pub updates: u64,
    /// Entity states that had to wait for a later snapshot.
    pub postponed: u64,
    /// Snapshots known to have arrived.
    pub acknowledged: u64,
    /// Datagrams that were none of ours.
    pub malformed: u64,
    /// Datagrams beyond what is read per tick.
    pub flooded: u64,
    /// Connections that the session outlived.
    pub resumes: u64,
}

impl SessionCounters {
    /// Counts a snapshot.
    fn note(&mut self, written: &Written) {
        self.snapshots += 1;
        self.full_snapshots += u64::from(written.is_full);
        self.snapshot_bytes += written.bytes as u64;
        self.updates += written.updates;
        self.postponed += written.postponed;
    }
}

/// Why an entity was or was not in the newest snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// It was sent.
    Sent,
    /// The client holds its present state already, or news is not due in its band.
    Unchanged {
        /// The tick of the state that the client holds.
        held: u32,
    },
    /// It has news that found no room, and has waited for so many ticks.
    Waiting {
        /// For a soldier that the client does not know, since it came into sight.
        ticks: u32,
    },
    /// This player may not know of it, or it is not in the field.
    NotVisible,
}

/// A player's stay in a battle: what it sends, what it holds, what it is sent next.
///
/// The session outlives connections: [`resume`](Self::resume) continues it over another peer.
#[derive(Clone, Debug)]
pub struct ServerSession {
    config: SessionConfig,
    inputs: InputQueue,
    record: SentRecord,
    /// The newest tick that a snapshot was sent of.
    told_tick: Option<u32>,
    pace: Pace,
    budget: ByteBudget,
    /// Snapshots that arrived, bit n: the newest acknowledged minus n.
    newest_ack: u32,
    strikes: u32,
    /// The last tick seen here, and how many datagrams may still be read.
    datagrams: (u32, u32),
    rtt: Duration,
    counters: SessionCounters,
}

impl ServerSession {
    /// A session whose first input may be for the tick after `tick`.
    pub fn new(config: SessionConfig, tick: u32) -> Self {
        Self {
            config,
            inputs: InputQueue::new(tick),
            record: SentRecord::default(),
            told_tick: None,
            pace: Pace::default(),
            budget: ByteBudget::new(config.bytes_per_s, config.tick_hz),
            newest_ack: 0,
            strikes: 0,
            datagrams: (tick, DATAGRAMS_AT_ONCE_MAX),
            rtt: Duration::ZERO,
            counters: SessionCounters::default(),
        }
    }

    /// Continues over a new connection: inputs and score stay, the next snapshot is full.
    pub fn resume(&mut self, tick: u32) {
        self.record.reset(tick);
        self.pace.reset();
        self.inputs.reset_arrivals();
        self.newest_ack = 0;
        self.strikes = 0;
        self.budget.note_loss(LossCounters::default());
        self.counters.resumes += 1;
        self.change_lane();
    }

    /// From now on another lane carries the datagrams: [`note_path`](Self::note_path) hears of its
    /// totals, which have nothing to do with those before.
    pub fn change_lane(&mut self) {
        self.budget.change_lane();
    }

    /// Learns what the path is like. Once per tick is plenty.
    pub fn note_path(&mut self, peer: &impl Peer) {
        self.rtt = peer.rtt();
        self.budget.note_loss(peer.loss());
    }

    /// Reads one input datagram that arrived while `tick` was the last one stepped.
    pub fn handle_input_datagram(&mut self, datagram: &[u8], tick: u32) -> InputVerdict {
        let (last, credit) = self.datagrams;
        let earned = tick.saturating_sub(last).saturating_mul(DATAGRAMS_PER_TICK_MAX);
        let credit = credit.saturating_add(earned).min(DATAGRAMS_AT_ONCE_MAX);
        self.datagrams = (tick, credit.saturating_sub(1));
        if credit == 0 {
            self.counters.flooded += 1;
            return InputVerdict::Flooded;
        }
        let Ok(input) = InputDatagram::decode(datagram) else {
            self.counters.malformed += 1;
            self.strikes += 1;
            return if self.strikes >= STRIKES_MAX {
                InputVerdict::Close
            } else {
                InputVerdict::Malformed
            };
        };
        self.handle_acks(input.ack_tick, input.ack_bits);
        for command in input.commands() {
            let shown = oldest_shown(command.tick, input.ack_tick);
            let view_tick = command.view_tick.max(shown);
            self.inputs.insert(InputCommand { view_tick, ..*command });
        }
        InputVerdict::Taken
    }

    fn handle_acks(&mut self, newest: u32, bits: u32) {
        // The 32 before the newest only matter when that one is unknown here (it was sent to
        // this player before its resume, or is a lie): then the newest known of them counts.
        let older = (1..=32).filter(|back| bits & (1 << (back - 1)) != 0);
        let claimed = std::iter::once(0).chain(older).filter_map(|back| newest.checked_sub(back));
        for tick in claimed {
            if self.record.acknowledge(tick) {
                self.counters.acknowledged += 1;
                self.newest_ack = tick;
            }
            if tick <= self.newest_ack {
                break;
            }
        }
    }

    /// The input that `tick` consumes. Ticks rise from call to call.
    ///
    /// The tick that a shot is judged by is bounded here by what the client can have seen; the
    /// simulation bounds it again by its own cap.
    pub fn take_input(&mut self, tick: u32) -> TakenInput {
        let mut taken = self.inputs.take(tick);
        let SessionConfig { tick_hz, rewind_ticks_max, .. } = self.config;
        let oldest = tick.saturating_sub(rewind_ticks(self.rtt, tick_hz, rewind_ticks_max));
        taken.command.view_tick = taken.command.view_tick.clamp(oldest, tick);
        taken
    }

    /// Whether a snapshot of `tick` is due under `load`. Half the players get theirs in even
    /// ticks, half in odd ones.
    pub fn snapshot_due(&self, tick: u32, load: LoadStep, slot: u16) -> bool {
        let turn = load < LoadStep::HalfRate || (tick + u32::from(slot)).is_multiple_of(2);
        turn && !self.is_told(tick)
    }

    /// Writes the snapshot of the history's newest frame into `out` and gives its length; 0 when
    /// the byte budget is used up, or this player was told of the tick before. `out` is as long as
    /// the path's datagram limit. `cache` is shared by all sessions that one thread serves.
    pub fn encode_snapshot(
        &mut self,
        source: &SnapshotSource<'_>,
        cache: &mut DeltaCache,
        out: &mut [u8],
    ) -> usize {
        let tick = source.history.newest();
        let bytes_max = self.budget.available(tick, self.config.tick_hz).min(out.len());
        let out = &mut out[..bytes_max];
        if self.is_told(tick) {
            return 0;
        }
        cache.begin(source.history);
        let has_baseline = self.record.baseline(tick).is_some();
        let mut recipient = Recipient {
            record: &mut self.record,
            pace: &mut self.pace,
            input_margin: self.inputs.margin(),
            input_tick: self.inputs.newest_fresh(),
        };
        let mut written = recipient.encode(source, cache, has_baseline, out);
        if written.is_none() && has_baseline {
            // Not even the removals fit: a full snapshot needs none.
            written = recipient.encode(source, cache, false, out);
        }
        let Some(written) = written else { return 0 };
        self.told_tick = Some(tick);
        self.budget.spend(written.bytes);
        self.counters.note(&written);
        written.bytes
    }

    /// Whether a snapshot of this tick or a later one was sent.
    fn is_told(&self, tick: u32) -> bool {
        self.told_tick.is_some_and(|told| told >= tick)
    }

    /// Why an entity was or was not in the newest snapshot.
    pub fn why(&self, id: u32) -> Why {
        let Some(sent) = self.record.newest() else { return Why::NotVisible };
        if id >= FIRST_PROP_ID {
            let prop = sent.props.iter().find(|prop| prop.id == id);
            return prop.map_or(Why::NotVisible, |prop| match prop.told {
                true => Why::Sent,
                false => Why::Unchanged { held: prop.tick },
            });
        }
        let hold = sent.hold(id as usize / 64);
        let has = |set: u64| set >> (id % 64) & 1 != 0;
        if has(hold.told) {
            return Why::Sent;
        }
        let held = has(hold.held).then(|| sent.tick_of(id));
        match (held, self.pace.waits_since(id)) {
            (Some(held), _) if has(hold.stale) => Why::Waiting { ticks: sent.tick - held },
            (Some(held), _) => Why::Unchanged { held },
            (None, Some(since)) => Why::Waiting { ticks: sent.tick - since },
            (None, None) => Why::NotVisible,
        }
    }

    /// What the client holds once it has the snapshot of `tick`, in id order; `None` when that
    /// one was never sent, or is older than the newest acknowledged one.
    pub fn held_after(&self, tick: u32) -> Option<Vec<Held>> {
        self.record.held_after(tick)
    }

    /// The newest snapshot that the client is known to have, since it (re)joined.
    pub fn acknowledged(&self) -> Option<u32> {
        (self.newest_ack != 0).then_some(self.newest_ack)
    }

    /// Totals of this player's inputs.
    pub fn input_counters(&self) -> InputCounters {
        self.inputs.counters()
    }

    /// How far the newest input is ahead of the tick consumed.
    pub fn input_margin(&self) -> i8 {
        self.inputs.margin()
    }

    /// Totals so far.
    pub fn counters(&self) -> SessionCounters {
        self.counters
    }

    /// Share of the byte rate that the path bears, 0.125 to 1.
    pub fn budget_share(&self) -> f32 {
        self.budget.share()
    }
}
