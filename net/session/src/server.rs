//! A player's stay in a battle, as the server sees it. It outlives connections.

use std::time::Duration;

use sortie_wire::{
    input::InputDatagram,
    message::LoadStep,
    snapshot::{Full, HitMarker, SnapshotEncoder, SnapshotHeader, Sound, gap_bits_for},
    state::SelfState,
};

use crate::{
    budget::ByteBudget,
    gain::Viewer,
    history::FrameHistory,
    inputs::{InputCounters, InputQueue, TakenInput},
    peer::{LossCounters, Peer},
    plan::{Action, Planner, Task},
    record::{Held, SentRecord},
};

/// Malformed datagrams after which a player is to be closed.
pub const STRIKES_MAX: u32 = 32;
/// Input datagrams looked at per tick; the rest of a flood is dropped unread.
pub const DATAGRAMS_PER_TICK_MAX: u32 = 8;
/// Ticks that a client may show others behind its newest snapshot.
pub const INTERPOLATION_TICKS_MAX: u32 = 8;
/// Bits that a snapshot takes before its first record: header, own soldier, counts; with the few
/// that the last byte wastes.
const FIXED_BITS: usize = 74 + 380 + 8;
const SOUND_BITS: usize = 16;
const HIT_BITS: usize = 9;
/// An update takes no more than this while removals still have to follow; a removal takes no more
/// than that on average.
const UPDATE_BITS_MAX: usize = 190;
const REMOVE_BITS_MAX: usize = 14;

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
    /// Read.
    Taken,
    /// More came in this tick than any honest client sends; not read.
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

/// What a snapshot of the newest frame is made from.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotSource<'a> {
    /// The battle's recent past.
    pub history: &'a FrameHistory,
    /// What this player may know of, in id order, without its own soldier.
    pub visible: &'a [u32],
    /// Who it is for.
    pub viewer: Viewer<'a>,
    /// Its own soldier, exact.
    pub own: &'a SelfState,
    /// What it hears.
    pub sounds: &'a [Sound],
    /// Whom it hit.
    pub hits: &'a [HitMarker],
    /// How far snapshots are thinned out.
    pub load: LoadStep,
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
    /// It has news that found no room.
    Waiting {
        /// Priority gathered so far.
        priority: f32,
        /// Entities waiting with a higher one.
        ahead: usize,
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
    planner: Planner,
    budget: ByteBudget,
    /// Snapshots that arrived, bit n: the newest acknowledged minus n.
    newest_ack: u32,
    strikes: u32,
    datagrams: (u32, u32),
    rtt: Duration,
    snapshot_tick: u32,
    counters: SessionCounters,
}

impl ServerSession {
    /// A session whose first input may be for the tick after `tick`.
    pub fn new(config: SessionConfig, tick: u32) -> Self {
        Self {
            config,
            inputs: InputQueue::new(tick),
            record: SentRecord::default(),
            planner: Planner::default(),
            budget: ByteBudget::new(config.bytes_per_s, config.tick_hz),
            newest_ack: 0,
            strikes: 0,
            datagrams: (tick, 0),
            rtt: Duration::ZERO,
            snapshot_tick: 0,
            counters: SessionCounters::default(),
        }
    }

    /// Continues over a new connection: inputs and score stay, the next snapshot is full.
    pub fn resume(&mut self, tick: u32) {
        self.record.reset(tick);
        self.planner.reset();
        self.inputs.reset_arrivals();
        self.newest_ack = 0;
        self.strikes = 0;
        self.budget.note_loss(LossCounters::default());
        self.counters.resumes += 1;
    }

    /// Learns what the path is like. Once per tick is plenty.
    pub fn note_path(&mut self, peer: &impl Peer) {
        self.rtt = peer.rtt();
        self.budget.note_loss(peer.loss());
    }

    /// Reads one input datagram that arrived while `tick` was the last one stepped.
    pub fn handle_input_datagram(&mut self, datagram: &[u8], tick: u32) -> InputVerdict {
        if self.datagrams.0 != tick {
            self.datagrams = (tick, 0);
        }
        self.datagrams.1 += 1;
        if self.datagrams.1 > DATAGRAMS_PER_TICK_MAX {
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
            self.inputs.insert(*command);
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
    /// The tick that a shot is judged by is bounded here by what the path explains; the
    /// simulation bounds it again by its own cap.
    pub fn take_input(&mut self, tick: u32) -> TakenInput {
        let mut taken = self.inputs.take(tick);
        let rtt_ticks = self.rtt.as_secs_f32() * f32::from(self.config.tick_hz);
        // A round trip, the inputs in hand, and what interpolation lies behind.
        let explained = rtt_ticks.ceil() as u32 + INTERPOLATION_TICKS_MAX + 4;
        let oldest = tick.saturating_sub(explained.min(self.config.rewind_ticks_max));
        taken.command.view_tick = taken.command.view_tick.clamp(oldest, tick);
        taken
    }

    /// Whether a snapshot of `tick` is due under `load`. Half the players get theirs in even
    /// ticks, half in odd ones.
    pub fn snapshot_due(&self, tick: u32, load: LoadStep, slot: u16) -> bool {
        load < LoadStep::HalfRate || (tick + u32::from(slot)).is_multiple_of(2)
    }

    /// Writes the snapshot of the history's newest frame into `out` and gives its length; 0 when
    /// the byte budget is used up. `out` is as long as the path's datagram limit.
    pub fn encode_snapshot(&mut self, source: &SnapshotSource<'_>, out: &mut [u8]) -> usize {
        let tick = source.history.newest();
        let bytes_max = self.budget.available(tick, self.config.tick_hz).min(out.len());
        let out = &mut out[..bytes_max];
        let baseline = self.record.baseline(tick);
        let bytes = self
            .try_encode(source, baseline, out)
            // Not even the removals fit: a full snapshot needs none.
            .or_else(|| baseline.and_then(|_| self.try_encode(source, None, out)));
        let Some(bytes) = bytes else { return 0 };
        self.budget.spend(bytes);
        self.snapshot_tick = tick;
        self.counters.snapshots += 1;
        self.counters.snapshot_bytes += bytes as u64;
        bytes
    }

    fn try_encode(
        &mut self,
        source: &SnapshotSource<'_>,
        baseline: Option<u32>,
        out: &mut [u8],
    ) -> Option<usize> {
        let tick = source.history.newest();
        let bits_max = out.len() * 8;
        let fixed_bits =
            FIXED_BITS + SOUND_BITS * source.sounds.len() + HIT_BITS * source.hits.len();
        self.planner.plan(&Task {
            history: source.history,
            baseline: baseline.and_then(|tick| self.record.held_after(tick)).unwrap_or(&[]),
            visible: source.visible,
            viewer: source.viewer,
            thin_far: source.load >= LoadStep::ThinFar,
            budget_bits: bits_max.saturating_sub(fixed_bits),
        });
        let header = SnapshotHeader {
            tick,
            baseline,
            input_margin: self.inputs.margin(),
            input_tick: self.inputs.newest_fresh(),
            gap_bits: self.gap_bits(source.visible),
        };
        let mut encoder =
            SnapshotEncoder::new(out, &header, source.own, source.sounds, source.hits)?;
        let mut held = self.record.open(tick);
        self.write_records(source, bits_max, &mut encoder, &mut held).ok()?;
        self.record.seal(tick, held);
        self.counters.full_snapshots += u64::from(baseline.is_none());
        Some(encoder.finish())
    }

    /// Writes what is planned, and what the client then holds. [`Full`] when a removal does not
    /// fit; an update that does not fit waits.
    fn write_records(
        &mut self,
        source: &SnapshotSource<'_>,
        bits_max: usize,
        encoder: &mut SnapshotEncoder<'_>,
        held: &mut Vec<Held>,
    ) -> Result<(), Full> {
        let (history, face) = (source.history, source.viewer.face);
        let tick = history.newest();
        let bits_before = encoder.bit_len();
        let (mut updates, mut enters) = (0, 0);
        let mut removes_left = self.planner.remove_count();
        for index in 0..self.planner.entries().len() {
            let entry = self.planner.entries()[index];
            let id = entry.id;
            let sent = match entry.action {
                Action::Remove => {
                    encoder.remove(id)?;
                    removes_left -= 1;
                    continue;
                }
                Action::Keep(tick) => {
                    held.push(Held { id, tick });
                    continue;
                }
                Action::Wait => continue,
                // Removals must not be crowded out: without them the rest means nothing.
                _ if removes_left > 0
                    && encoder.bit_len() + UPDATE_BITS_MAX + removes_left * REMOVE_BITS_MAX
                        > bits_max =>
                {
                    Err(Full)
                }
                Action::Delta(from) => {
                    updates += 1;
                    match (history.at(from, id, face), history.current(id, face)) {
                        (Some(from), Some(to)) => encoder.delta(id, from, to.state),
                        _ => Err(Full),
                    }
                }
                Action::Full(_) => {
                    enters += 1;
                    let to = history.current(id, face).ok_or(Full);
                    to.and_then(|to| encoder.full(id, to.state))
                }
            };
            if sent.is_ok() {
                held.push(Held { id, tick });
            } else if let Action::Keep(tick) = self.planner.note_unsent(index) {
                held.push(Held { id, tick });
            }
        }
        self.planner.note_bits(updates, enters, encoder.bit_len() - bits_before);
        self.counters.updates += u64::from(encoder.records());
        self.counters.postponed += self.planner.waiting_count() as u64;
        Ok(())
    }

    /// Soldiers' ids lie close together and make most of the records; props take the long form.
    fn gap_bits(&self, visible: &[u32]) -> u8 {
        let soldiers = visible.partition_point(|&id| id < sortie_wire::limits::FIRST_PROP_ID);
        let records = self.planner.news_count().min(soldiers);
        let id_end = visible[..soldiers].last().map_or(1, |id| id + 1);
        gap_bits_for(records, id_end)
    }

    /// Why an entity was or was not in the newest snapshot.
    pub fn why(&self, id: u32) -> Why {
        if let Some((priority, ahead)) = self.planner.waiting(id) {
            return Why::Waiting { priority, ahead };
        }
        let held = self.record.held_after(self.snapshot_tick).unwrap_or(&[]);
        let Ok(at) = held.binary_search_by_key(&id, |held| held.id) else {
            return Why::NotVisible;
        };
        match self.planner.action(id) {
            Some(Action::Delta(_) | Action::Full(_)) => Why::Sent,
            _ => Why::Unchanged { held: held[at].tick },
        }
    }

    /// What the client holds once it has the snapshot of `tick`, in id order; `None` when that
    /// one is forgotten or was never sent.
    pub fn held_after(&self, tick: u32) -> Option<&[Held]> {
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
