//! Deltas coded once for all clients that need the same.
//!
//! What changed of an entity since some tick is the same for everyone who holds its state of that
//! tick, expects it at the same place and sees the same team view of it. So a delta is coded when
//! the first client needs it and copied for the others: on a quiet network nearly all clients hold
//! the same few baselines.

use sortie_wire::{
    limits::BASELINE_TICKS,
    snapshot::{DeltaCode, Motion, Scale, Tuning, folded, is_carried_on, scale_for},
    state::{ANGLE_STEP, EntityState},
};

use crate::{changes::Changes, history::FrameHistory, plan::Planner, slots::Ones};

/// Ages of a baseline that have a tuning of their own; older ones share the last.
const AGES: usize = 16;
/// The first guess of a folded residual's mean: moving, resting, turning.
const MEANS_AT_FIRST: [f32; 3] = [4.0, 24.0, 12.0];
/// Weight of a tick in the moving means.
const LEARNING: f32 = 0.125;

/// Which codes a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// Whose view.
    pub(crate) team_view: usize,
    /// The tick of the state that the client holds.
    pub(crate) tick: u32,
    /// For entities whose motion the client has seen: the tick at which that began.
    pub(crate) before: Option<u32>,
    /// What the codes are made with.
    pub(crate) scale: Scale,
}

/// Codes of one base, as far as anybody asked.
#[derive(Clone, Debug, Default)]
struct Row {
    /// By slot; nothing for those that were not asked for or have none.
    codes: Vec<[DeltaCode; 64]>,
    /// The slots whose code was asked for.
    asked: Vec<u64>,
    /// Of these, those that have none.
    none: Vec<u64>,
}

/// What is known of the sizes of residuals against baselines of one age.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    means: [f32; 3],
    sums: [u32; 3],
    counts: [u32; 3],
}

impl Default for Sizes {
    fn default() -> Self {
        Self { means: MEANS_AT_FIRST, sums: [0; 3], counts: [0; 3] }
    }
}

/// The codes of one tick, and what was learnt from those of earlier ones. One for each thread that
/// encodes: nothing is locked.
#[derive(Clone, Debug, Default)]
pub struct DeltaCache {
    tick: u32,
    bases: Vec<Base>,
    /// At least as many as bases.
    rows: Vec<Row>,
    /// Who changed since the ticks that were asked about.
    pub(crate) changes: Changes,
    /// Where the row of a base is likely to be found.
    hints: Vec<u16>,
    sizes: [Sizes; AGES],
    /// The plan of the snapshot that is being made.
    pub(crate) planner: Planner,
}

impl DeltaCache {
    /// Makes room for the codes of the history's newest tick, if that has not happened yet.
    pub(crate) fn begin(&mut self, history: &FrameHistory) {
        if self.tick == history.newest() {
            return;
        }
        self.tick = history.newest();
        self.bases.clear();
        self.changes.clear();
        for sizes in &mut self.sizes {
            for of in 0..3 {
                let count = std::mem::take(&mut sizes.counts[of]);
                let sum = std::mem::take(&mut sizes.sums[of]);
                if count > 0 {
                    let mean = sum as f32 / count as f32;
                    sizes.means[of] += (mean - sizes.means[of]) * LEARNING;
                }
            }
        }
    }

    /// What snapshots against a baseline of this age are coded with in this tick.
    pub(crate) fn tuning(&self, age: u32, skip_bits: u8) -> Tuning {
        let [moving, resting, turn] = self.sizes[age_class(age)].means.map(scale_for);
        Tuning { skip_bits, moving, resting, turn }
    }

    /// The row of a base, to be asked with [`code`](Self::code) until the tick ends.
    pub(crate) fn row(&mut self, history: &FrameHistory, base: Base) -> usize {
        let hint = 4 * (base.tick % BASELINE_TICKS) as usize
            + 2 * base.team_view
            + usize::from(base.before.is_some());
        self.hints.resize(4 * BASELINE_TICKS as usize, 0);
        let hinted = usize::from(self.hints[hint]);
        if self.bases.get(hinted) == Some(&base) {
            return hinted;
        }
        // A handful of bases on a good network, a few dozen on a bad one.
        let known = self.bases.iter().position(|known| *known == base);
        let at = known.unwrap_or(self.bases.len());
        self.hints[hint] = at.min(usize::from(u16::MAX)) as u16;
        if known.is_some() {
            return at;
        }
        self.bases.push(base);
        if self.rows.len() == at {
            self.rows.push(Row::default());
        }
        let row = &mut self.rows[at];
        let words = history.rows().div_ceil(64);
        for set in [&mut row.asked, &mut row.none] {
            set.clear();
            set.resize(words, 0);
        }
        row.codes.resize(words, [DeltaCode::default(); 64]);
        at
    }

    /// Makes sure that there are codes for the soldiers in `set`, the slots from 64 x `index` on:
    /// all of them in the field now. Gives those that have none, because it would be too long for
    /// a word or because their past is forgotten.
    #[inline(always)]
    pub(crate) fn prepare(
        &mut self,
        history: &FrameHistory,
        row: usize,
        index: usize,
        set: u64,
        age: u32,
    ) -> u64 {
        let missing = set & !self.rows[row].asked[index];
        if missing != 0 {
            self.make(history, row, index, missing, age);
        }
        set & self.rows[row].none[index]
    }

    /// The codes of the slots from 64 x `index` on, as far as [`prepare`](Self::prepare) made
    /// them.
    #[inline(always)]
    pub(crate) fn codes(&self, row: usize, index: usize) -> &[DeltaCode; 64] {
        &self.rows[row].codes[index]
    }

    #[inline(never)]
    fn make(&mut self, history: &FrameHistory, row: usize, index: usize, missing: u64, age: u32) {
        let (base, codes) = (self.bases[row], &mut self.rows[row]);
        let sizes = &mut self.sizes[age_class(age)];
        for bit in Ones(missing) {
            let slot = 64 * index as u32 + bit;
            let code = expectation(history, &base, slot).and_then(|(expected, to)| {
                sizes.note(&expected, to, base.before.is_some());
                DeltaCode::new(&expected, to, base.scale)
            });
            codes.codes[index][bit as usize] = code.unwrap_or_default();
            codes.none[index] |= u64::from(code.is_none()) << bit;
        }
        codes.asked[index] |= missing;
    }
}

/// Where whoever holds this base expects an entity, and where it is; `None` when the past that
/// this takes is forgotten.
pub(crate) fn expectation<'a>(
    history: &'a FrameHistory,
    base: &Base,
    id: u32,
) -> Option<(EntityState, &'a EntityState)> {
    let to = history.current(id, base.team_view)?.state;
    let held = history.at(base.tick, id, base.team_view)?;
    let Some(before) = base.before else { return Some((*held, to)) };
    let motion = Motion::between(
        history.at(before, id, base.team_view)?,
        held,
        base.tick.wrapping_sub(before),
    );
    Some((motion.predict(held, history.newest().wrapping_sub(base.tick)), to))
}

/// Since when the client has seen those move that moved in the snapshot of `tick`, coded against
/// that of `baseline`, if that still counts `now`.
pub(crate) fn motion_began(now: u32, tick: u32, baseline: Option<u32>) -> Option<u32> {
    baseline.filter(|before| is_carried_on(now.wrapping_sub(tick), tick.wrapping_sub(*before)))
}

impl Sizes {
    fn note(&mut self, expected: &EntityState, to: &EntityState, is_moving: bool) {
        let place = |to: u32, from: u32| folded(to as i32 - from as i32).min(1 << 12);
        let of = usize::from(!is_moving);
        self.sums[of] += place(to.x, expected.x) + place(to.z, expected.z);
        self.counts[of] += 2;
        let turned = to.yaw.wrapping_sub(expected.yaw) as i16 / ANGLE_STEP as i16;
        self.sums[2] += folded(i32::from(turned));
        self.counts[2] += 1;
    }
}

fn age_class(age: u32) -> usize {
    debug_assert!(age < BASELINE_TICKS);
    (age as usize).min(AGES - 1)
}
