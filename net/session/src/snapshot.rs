//! One player's snapshot: plan, records, and what the client then holds, in one pass over words
//! of 64 slots.

use sortie_wire::{
    limits::{BASELINE_TICKS, ENTITIES_MAX, FIRST_PROP_ID},
    message::LoadStep,
    snapshot::{Full, HitMarker, SnapshotEncoder, SnapshotHeader, Sound, Tuning, gap_bits_for},
    state::SelfState,
};

use crate::{
    delta_cache::{Base, DeltaCache, expectation, motion_began},
    history::FrameHistory,
    plan::{Counts, Pace, Planner, PropAction, Task},
    priority::Viewer,
    record::{HeldProp, Hold, Sent, SentRecord},
    slots::{Ones, Visible},
};

/// Bits that a snapshot takes before its first record: header, own soldier, counts; with the few
/// that the last byte wastes.
const FIXED_BITS: usize = 86 + 380 + 9;
const SOUND_BITS: usize = 16;
const HIT_BITS: usize = 9;
/// Kept free for each removal that still has to follow: on average they take less.
const REMOVE_BITS_MAX: usize = 14;
/// Kept free for each entity that is to enter.
const ENTER_BITS_MAX: usize = 136;
/// Kept free for each prop of the baseline.
const PROP_BITS_MAX: usize = 100;

/// What a snapshot of the newest frame is made from.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotSource<'a> {
    /// The battle's recent past.
    pub history: &'a FrameHistory,
    /// What this player may know of, without its own soldier.
    pub visible: Visible<'a>,
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

/// A snapshot that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// Its length.
    pub(crate) bytes: usize,
    /// Coded without a baseline.
    pub(crate) is_full: bool,
    /// Entity states in it.
    pub(crate) updates: u64,
    /// Entity states that have to wait for a later one.
    pub(crate) postponed: u64,
}

/// What of a session its snapshots go by.
pub(crate) struct Recipient<'a> {
    /// What it was sent and has acknowledged.
    pub(crate) record: &'a mut SentRecord,
    /// What its plans go by.
    pub(crate) pace: &'a mut Pace,
    /// Ticks that its newest input is ahead of the one consumed.
    pub(crate) input_margin: i8,
    /// The tick of its newest fresh input consumed; 0 before the first.
    pub(crate) input_tick: u32,
}

impl Recipient<'_> {
    /// Writes a snapshot of the history's newest frame into `out`. `None`: not even the removals
    /// fit; the record is as it was.
    pub(crate) fn encode(
        &mut self,
        source: &SnapshotSource<'_>,
        cache: &mut DeltaCache,
        has_baseline: bool,
        out: &mut [u8],
    ) -> Option<Written> {
        let tick = source.history.newest();
        let baseline = self.record.baseline(tick).map(|base| base.tick);
        let baseline = baseline.filter(|_| has_baseline);
        let mut sent = self.record.open(tick, baseline);
        let base = self.record.baseline(tick).filter(|_| has_baseline);
        let fixed_bits =
            FIXED_BITS + SOUND_BITS * source.sounds.len() + HIT_BITS * source.hits.len();
        let mut planner = std::mem::take(&mut cache.planner);
        let counts = planner.plan(
            &Task {
                history: source.history,
                base,
                visible: source.visible,
                viewer: source.viewer,
                thin_far: source.load >= LoadStep::ThinFar,
                budget_bits: (out.len() * 8).saturating_sub(fixed_bits),
            },
            self.pace,
            &mut cache.changes,
        );
        let skip_bits = gap_bits_for(counts.records as usize, counts.held);
        let age = baseline.map_or(0, |baseline| tick - baseline);
        let header = SnapshotHeader {
            tick,
            baseline,
            input_margin: self.input_margin,
            input_tick: self.input_tick,
            gap_bits: gap_bits_for(counts.enters as usize, source.history.rows() as u32),
            tuning: baseline.map_or(Tuning::default(), |_| cache.tuning(age, skip_bits)),
        };
        let encoder = SnapshotEncoder::new(out, &header, source.own, source.sounds, source.hits);
        let written = encoder.ok_or(Full).and_then(|mut encoder| {
            let mut writer = Writer {
                source,
                cache,
                planner: &planner,
                tuning: header.tuning,
                tick,
                passed: 0,
                told: 0,
                all_fit: true,
                row_of_tick: [u16::MAX; BASELINE_TICKS as usize],
            };
            let bits_before = encoder.bit_len();
            if let Some(base) = base {
                writer.write_records(base, counts, &mut encoder, &mut sent)?;
            }
            let (told, bits) = (writer.told, encoder.bit_len() - bits_before);
            writer.write_enters(&mut encoder, &mut sent);
            let (updates, all_fit) = (writer.told as u64, writer.all_fit);
            self.pace.note_bits(told, bits, all_fit);
            let (postponed, is_full) = (planner.postponed(&sent), baseline.is_none());
            Ok(Written { bytes: encoder.finish(), is_full, updates, postponed })
        });
        cache.planner = planner;
        match written {
            Ok(written) => {
                self.record.seal(sent);
                Some(written)
            }
            Err(Full) => {
                self.record.discard(sent);
                None
            }
        }
    }
}

/// Where the codes of a client's soldiers are found.
struct Rows {
    resting: Base,
    resting_row: usize,
    moving: Base,
    moving_row: usize,
    /// Of the baseline.
    age: u32,
}

impl Rows {
    /// Those whose motion the client has seen and carries on.
    #[inline(always)]
    fn in_motion(&self, hold: Hold) -> u64 {
        if self.moving.before.is_some() { hold.moving } else { 0 }
    }
}

/// Writes what is planned, and what the client then holds.
struct Writer<'a, 'b> {
    source: &'a SnapshotSource<'b>,
    cache: &'a mut DeltaCache,
    planner: &'a Planner,
    tuning: Tuning,
    tick: u32,
    /// Entities of the baseline passed over since the last record.
    passed: u32,
    /// Entities that the snapshot has a state of.
    told: usize,
    /// All that was planned found room.
    all_fit: bool,
    /// Rows of resting codes against ticks older than the baseline, by tick; `u16::MAX`: not asked
    /// for yet.
    row_of_tick: [u16; BASELINE_TICKS as usize],
}

impl Writer<'_, '_> {
    /// Writes the records of the baseline's entities. [`Full`] when a removal does not fit; a
    /// state that does not fit waits.
    fn write_records(
        &mut self,
        base: &Sent,
        counts: Counts,
        encoder: &mut SnapshotEncoder<'_>,
        sent: &mut Sent,
    ) -> Result<(), Full> {
        let (history, team_view) = (self.source.history, self.source.viewer.team_view);
        let age = self.tick - base.tick;
        let resting =
            Base { team_view, tick: base.tick, before: None, scale: self.tuning.scale(false) };
        let resting_row = self.cache.row(history, resting);
        let before = motion_began(self.tick, base.tick, base.baseline);
        let moving = Base { before, scale: self.tuning.scale(true), ..resting };
        let moving_row = if before.is_some() { self.cache.row(history, moving) } else { 0 };
        let rows = Rows { resting, resting_row, moving, moving_row, age };
        let mut kept_free = counts.removals as usize * REMOVE_BITS_MAX
            + base.props.len() * PROP_BITS_MAX
            + counts.enters as usize * ENTER_BITS_MAX;
        encoder.keep_free(kept_free);
        let words = self.planner.gone.len();
        sent.soldiers.resize(words, Hold::default());
        for index in 0..words {
            let hold = base.hold(index);
            let held = hold.held;
            if held == 0 {
                continue;
            }
            let gone = self.planner.gone[index];
            let (mut told, mut whole) = (self.run(hold, index, &rows, encoder), 0);
            if told != held {
                (told, whole) = self.one_by_one(base, index, told, &rows, encoder)?;
                if gone != 0 {
                    kept_free -= gone.count_ones() as usize * REMOVE_BITS_MAX;
                    encoder.keep_free(kept_free);
                }
            }
            self.told += told.count_ones() as usize;
            sent.soldiers[index] = Hold {
                held: held & !gone,
                told,
                moving: told & !whole & hold.told,
                stale: self.planner.news[index] & !told,
            };
        }
        date(base, sent, history.rows());
        kept_free = counts.enters as usize * ENTER_BITS_MAX;
        encoder.keep_free(kept_free);
        self.write_props(base, encoder, sent)
    }

    /// Writes the records of the slots from 64 x `index` on if all that the client holds of these
    /// changed, and all of it moves or none. Gives those that were told.
    #[inline(always)]
    fn run(
        &mut self,
        hold: Hold,
        index: usize,
        rows: &Rows,
        encoder: &mut SnapshotEncoder<'_>,
    ) -> u64 {
        let send = self.planner.send()[index];
        let moving = send & rows.in_motion(hold);
        let is_plain = (hold.held ^ send) | hold.stale == 0;
        if !is_plain || self.passed != 0 || (moving != send && moving != 0) {
            return 0;
        }
        let row = if moving != 0 { rows.moving_row } else { rows.resting_row };
        if self.cache.prepare(self.source.history, row, index, send, rows.age) != 0 {
            return 0;
        }
        send & !encoder.coded_run(send, self.cache.codes(row, index))
    }

    /// Writes the records of the slots from 64 x `index` on, behind those that were told already.
    /// Gives all that were told, and of these those that were told as a whole.
    fn one_by_one(
        &mut self,
        base: &Sent,
        index: usize,
        mut told: u64,
        rows: &Rows,
        encoder: &mut SnapshotEncoder<'_>,
    ) -> Result<(u64, u64), Full> {
        let history = self.source.history;
        let (gone, send) = (self.planner.gone[index], self.planner.send()[index]);
        let hold = base.hold(index);
        let (stale, in_motion) = (hold.stale, rows.in_motion(hold));
        let mut whole = 0;
        let mut over = hold.held & !(gone | send);
        for bit in Ones((gone | send) & !told) {
            let below = over & ((1 << bit) - 1);
            over ^= below;
            let skipped = self.passed + below.count_ones();
            self.passed = 0;
            let mask = 1 << bit;
            let slot = 64 * index as u32 + bit;
            if gone & mask != 0 {
                encoder.remove(skipped)?;
                continue;
            }
            let (of, row) = if stale & mask != 0 {
                self.older(rows, base.tick_of(slot))
            } else if in_motion & mask != 0 {
                (rows.moving, rows.moving_row)
            } else {
                (rows.resting, rows.resting_row)
            };
            let result = if self.cache.prepare(history, row, index, mask, rows.age) == 0 {
                encoder.coded(skipped, self.cache.codes(row, index)[bit as usize])
            } else {
                self.long(encoder, skipped, slot, &of, &mut whole)
            };
            if result.is_ok() {
                told |= mask;
            } else {
                self.passed = skipped + 1;
                self.all_fit = false;
            }
        }
        self.passed += over.count_ones();
        Ok((told, whole & told))
    }

    /// Where the codes of those are found whose state the client holds of an earlier tick.
    #[inline(always)]
    fn older(&mut self, rows: &Rows, tick: u32) -> (Base, usize) {
        let older = Base { tick, ..rows.resting };
        let known = &mut self.row_of_tick[(tick % BASELINE_TICKS) as usize];
        if self.tick - tick >= BASELINE_TICKS {
            return (older, self.cache.row(self.source.history, older));
        }
        if *known == u16::MAX {
            let row = self.cache.row(self.source.history, older);
            debug_assert!(row < usize::from(u16::MAX));
            *known = row as u16;
        }
        (older, usize::from(*known))
    }

    /// A soldier that has no code: told by a long delta, or anew.
    #[cold]
    fn long(
        &mut self,
        encoder: &mut SnapshotEncoder<'_>,
        skipped: u32,
        slot: u32,
        base: &Base,
        whole: &mut u64,
    ) -> Result<(), Full> {
        if let Some((expected, to)) = expectation(self.source.history, base, slot) {
            return encoder.delta(skipped, &expected, to, base.scale);
        }
        let current = self.source.history.current(slot, base.team_view).ok_or(Full)?;
        *whole |= 1 << (slot % 64);
        encoder.full(skipped, current.state)
    }

    fn write_props(
        &mut self,
        base: &Sent,
        encoder: &mut SnapshotEncoder<'_>,
        sent: &mut Sent,
    ) -> Result<(), Full> {
        let (history, team_view) = (self.source.history, self.source.viewer.team_view);
        for at in 0..base.props.len() {
            let prop = base.props[at];
            let kept = HeldProp { told: false, moving: false, ..prop };
            let skipped = std::mem::replace(&mut self.passed, 0);
            match self.planner.props[at] {
                PropAction::Remove => {
                    encoder.remove(skipped)?;
                    continue;
                }
                PropAction::Keep => {
                    // Unchanged, it is as it is now, and never too old to start from.
                    sent.props.push(HeldProp { tick: self.tick, ..kept });
                    self.passed = skipped + 1;
                    continue;
                }
                PropAction::Tell => {}
            }
            let before = motion_began(self.tick, base.tick, base.baseline);
            let before = before.filter(|_| prop.moving && prop.tick == base.tick);
            let scale = self.tuning.scale(before.is_some());
            let expected =
                expectation(history, &Base { team_view, tick: prop.tick, before, scale }, prop.id);
            let (result, is_delta) = match (expected, history.current(prop.id, team_view)) {
                (Some((expected, to)), _) => (encoder.delta(skipped, &expected, to, scale), true),
                (None, Some(now)) => (encoder.full(skipped, now.state), false),
                (None, None) => (Err(Full), false),
            };
            if result.is_ok() {
                let moving = is_delta && prop.told;
                sent.props.push(HeldProp { id: prop.id, tick: self.tick, told: true, moving });
                self.told += 1;
            } else {
                sent.props.push(kept);
                self.passed = skipped + 1;
            }
        }
        Ok(())
    }

    /// Writes who enters, as far as there is room.
    fn write_enters(&mut self, encoder: &mut SnapshotEncoder<'_>, sent: &mut Sent) {
        let (history, team_view) = (self.source.history, self.source.viewer.team_view);
        let words = self.planner.enter().len();
        sent.soldiers.resize(words, Hold::default());
        if self.planner.nobody_enters() {
            return;
        }
        let held = sent.soldier_count() as usize + sent.props.len();
        let mut room = ENTITIES_MAX.saturating_sub(held);
        for index in 0..words {
            for bit in Ones(self.planner.enter()[index]) {
                let slot = 64 * index as u32 + bit;
                let Some(now) = history.current(slot, team_view) else { continue };
                if room == 0 || encoder.enter(slot, now.state).is_err() {
                    self.all_fit = false;
                    return;
                }
                room -= 1;
                sent.soldiers[index].held |= 1 << bit;
                sent.soldiers[index].told |= 1 << bit;
                if let Some(tick) = sent.ticks.get_mut(slot as usize) {
                    *tick = self.tick as u16;
                }
                self.told += 1;
            }
        }
        for at in 0..self.planner.enter_props.len() {
            let id = self.planner.enter_props[at];
            debug_assert!(id >= FIRST_PROP_ID);
            let Some(now) = history.current(id, team_view) else { continue };
            if room == 0 || encoder.enter(id, now.state).is_err() {
                return;
            }
            room -= 1;
            let prop = HeldProp { id, tick: self.tick, told: true, moving: false };
            let place = sent.props.partition_point(|other| other.id < id);
            sent.props.insert(place, prop);
            self.told += 1;
        }
    }
}

/// Notes of which tick the client's states are, if some are older than others.
fn date(base: &Sent, sent: &mut Sent, rows: usize) {
    if sent.soldiers.iter().all(|hold| hold.stale == 0) {
        return;
    }
    if base.ticks.is_empty() {
        sent.ticks.resize(rows, base.tick as u16);
    } else {
        sent.ticks.extend_from_slice(&base.ticks);
        sent.ticks.resize(rows, 0);
    }
    // Whoever is not stale is as of now: told, or unchanged.
    for (index, hold) in sent.soldiers.iter().enumerate() {
        for bit in Ones(hold.held & !hold.stale) {
            sent.ticks[64 * index + bit as usize] = sent.tick as u16;
        }
    }
}
