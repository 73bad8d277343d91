//! Which entities go into a snapshot: what changed for this player, and when that is more than
//! the datagram bears, the most urgent of it.
//!
//! Soldiers are planned as sets: who enters, who is gone and who has news fall out of a few
//! operations on words of 64 slots. Props are few and planned one by one.

use crate::{
    changes::Changes,
    history::{FrameHistory, HISTORY_TICKS},
    priority::{CLASSES, CLASSES_PER_DOUBLING, Viewer},
    record::{HeldProp, Hold, Sent},
    slots::{Ones, Visible, count, slots, word},
};

/// Bits that one update is expected to take until the session has seen its own.
const UPDATE_BITS_START: f32 = 32.0;
/// Bits that an entity takes which is told for the first time.
const ENTER_BITS: f32 = 112.0;
/// Removing takes little more than naming.
const REMOVE_BITS: f32 = 4.0;
/// Waiting weighs so much more for an entity that the client does not know.
const ENTER_BOOST: f32 = 4.0;
/// A held state older than this comes before others of its band.
const AGEING_TICKS: u16 = (HISTORY_TICKS / 2) as u16;
const AGEING_BOOST: u16 = 2;
/// Under load, far entities are told in one of so many snapshots.
const FAR_PERIOD: u32 = 4;

/// What is to be done about a prop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PropAction {
    /// The client's state is still true.
    Keep,
    /// No longer visible.
    Remove,
    /// It changed.
    Tell,
}

/// A soldier that the client does not know, and since when it has waited to be told.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    slot: u32,
    since: u32,
}

/// What one player's plans go by from snapshot to snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// While not all news fits: who waits to enter, in slot order.
    waiting: Vec<Waiting>,
    /// Moving mean of an update's bits.
    update_bits: f32,
    /// Share of the bits that rationing hands out. Records stand in the order of ids, so if too
    /// many were planned, it would always be the same ones that find no room.
    trust: f32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { waiting: Vec::new(), update_bits: UPDATE_BITS_START, trust: 1.0 }
    }
}

impl Pace {
    /// Learns what updates really take, and whether all that was planned found room.
    pub(crate) fn note_bits(&mut self, updates: usize, bits: usize, all_fit: bool) {
        self.trust = if all_fit { self.trust + 0.002 } else { self.trust * 0.98 };
        self.trust = self.trust.clamp(0.5, 1.0);
        if updates > 0 {
            let mean = (bits as f32 / updates as f32).clamp(8.0, 160.0);
            self.update_bits += (mean - self.update_bits) * 0.1;
        }
    }

    /// Since when a soldier has waited to enter.
    pub(crate) fn waits_since(&self, slot: u32) -> Option<u32> {
        let at = self.waiting.binary_search_by_key(&slot, |waiting| waiting.slot).ok()?;
        Some(self.waiting[at].since)
    }

    /// Forgets who waits: the client's next snapshot is a full one.
    pub(crate) fn reset(&mut self) {
        self.waiting.clear();
    }
}

/// The plan of one snapshot. One serves all sessions of a thread in turn, so that it stays in the
/// caches; it remembers nothing from one to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planner {
    /// Held soldiers that are not to be known any more.
    pub(crate) gone: Vec<u64>,
    /// Held soldiers of whom the client's state is not the present one.
    pub(crate) news: Vec<u64>,
    /// Soldiers that the client does not hold and may know.
    unknown: Vec<u64>,
    /// Of those with news, those whose news is to be sent now; only when not all of it is.
    send: Vec<u64>,
    /// Of the unknown, those that are to enter now; only when not all are.
    enter: Vec<u64>,
    /// Not all news is to be sent.
    is_chosen: bool,
    enter_count: u32,
    /// The baseline's props, in its order.
    pub(crate) props: Vec<PropAction>,
    /// Props that are to enter.
    pub(crate) enter_props: Vec<u32>,
    /// Scratch of rationing: what the pace's list was; by slot, ticks waited and classes.
    waiting_before: Vec<Waiting>,
    waited: Vec<f32>,
    classes: Vec<u8>,
}

/// What a plan starts from.
pub(crate) struct Task<'a> {
    pub(crate) history: &'a FrameHistory,
    /// What the client holds; `None`: nothing.
    pub(crate) base: Option<&'a Sent>,
    pub(crate) visible: Visible<'a>,
    pub(crate) viewer: Viewer<'a>,
    /// Far entities are told in one of [`FAR_PERIOD`] snapshots.
    pub(crate) thin_far: bool,
    pub(crate) budget_bits: usize,
}

/// How many of each kind a plan has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Entities of the baseline.
    pub(crate) held: u32,
    /// Of these, those with a record.
    pub(crate) records: u32,
    /// Of these, removals.
    pub(crate) removals: u32,
    /// Entities that enter.
    pub(crate) enters: u32,
}

impl Planner {
    /// Makes the sets.
    pub(crate) fn plan(
        &mut self,
        task: &Task<'_>,
        pace: &mut Pace,
        changes: &mut Changes,
    ) -> Counts {
        let (mut sends, mut enters, gone) = self.plan_soldiers(task, changes);
        self.plan_props(task);
        let prop_news = self.props.iter().filter(|action| **action == PropAction::Tell).count();
        let prop_removals = self.props.iter().filter(|action| **action == PropAction::Remove);
        let removals = gone + prop_removals.count() as u32;
        let set_aside = removals as f32 * REMOVE_BITS
            + prop_news as f32 * pace.update_bits
            + self.enter_props.len() as f32 * ENTER_BITS;
        let wanted = sends as f32 * pace.update_bits + enters as f32 * ENTER_BITS;
        if set_aside + wanted > task.budget_bits as f32 {
            self.note_waiting(pace, task.history.newest());
            self.choose();
            self.ration(task, pace, task.budget_bits as f32 - set_aside);
            (sends, enters) = (count(&self.send), count(&self.enter));
        } else {
            pace.waiting.clear();
            if task.thin_far {
                sends = self.thin_out(task);
            }
        }
        self.enter_count = enters + self.enter_props.len() as u32;
        Counts {
            held: task.base.map_or(0, |base| base.soldier_count() + base.props.len() as u32),
            records: removals + prop_news as u32 + sends,
            removals,
            enters: self.enter_count,
        }
    }

    /// Gives how many have news to be sent, how many are to enter, and how many are gone.
    fn plan_soldiers(&mut self, task: &Task<'_>, changes: &mut Changes) -> (u32, u32, u32) {
        let nothing = Sent::default();
        let base = task.base.unwrap_or(&nothing);
        let seen = task.visible.soldiers;
        let words = seen.len().max(base.soldiers.len());
        for set in [&mut self.gone, &mut self.news, &mut self.unknown] {
            set.resize(words, 0);
        }
        let changed = changes.since(task.history, task.viewer.team_view, base.tick);
        let (changed, present) = (changes.at(changed), task.history.present());
        let (mut sends, mut enters, mut gone) = (0, 0, 0);
        for index in 0..words {
            let now = word(seen, index) & word(present, index);
            let Hold { held, stale, .. } = base.hold(index);
            let old = word(changed, index) | stale;
            self.gone[index] = held & !now;
            self.unknown[index] = now & !held;
            self.news[index] = now & held & old;
            sends += self.news[index].count_ones();
            enters += self.unknown[index].count_ones();
            gone += self.gone[index].count_ones();
        }
        self.is_chosen = false;
        (sends, enters, gone)
    }

    /// Leaves far soldiers out but for those whose turn it is; gives how many are left. Where
    /// news is rationed there is no need to: the far wait longest there.
    fn thin_out(&mut self, task: &Task<'_>) -> u32 {
        self.choose();
        let (tick, marks) = (task.history.newest(), task.history.marks());
        for (index, word) in (0..).zip(&mut self.send) {
            for bit in Ones(*word) {
                let slot = 64 * index + bit;
                let is_due = (slot ^ tick).is_multiple_of(FAR_PERIOD);
                if !is_due && marks.is_far(slot, &task.viewer.from) {
                    *word &= !(1 << bit);
                }
            }
        }
        count(&self.send)
    }

    /// From now on what is sent is less than what there is.
    fn choose(&mut self) {
        if !std::mem::replace(&mut self.is_chosen, true) {
            self.send.clone_from(&self.news);
            self.enter.clone_from(&self.unknown);
        }
    }

    /// Held soldiers whose news is to be sent now.
    #[inline(always)]
    pub(crate) fn send(&self) -> &[u64] {
        if self.is_chosen { &self.send } else { &self.news }
    }

    /// Soldiers that are to enter now.
    #[inline(always)]
    pub(crate) fn enter(&self) -> &[u64] {
        if self.is_chosen { &self.enter } else { &self.unknown }
    }

    /// Whether neither soldiers nor props are to enter.
    pub(crate) fn nobody_enters(&self) -> bool {
        self.enter_count == 0
    }

    fn plan_props(&mut self, task: &Task<'_>) {
        self.props.clear();
        self.enter_props.clear();
        let is_present = |id: &u32| task.history.current(*id, task.viewer.team_view).is_some();
        let mut visible = task.visible.props.iter().copied().filter(is_present).peekable();
        let held: &[HeldProp] = task.base.map_or(&[], |base| &base.props);
        for prop in held {
            while let Some(id) = visible.next_if(|id| *id < prop.id) {
                self.enter_props.push(id);
            }
            self.props.push(match visible.next_if(|id| *id == prop.id) {
                None => PropAction::Remove,
                Some(id) => match task.history.current(id, task.viewer.team_view) {
                    Some(current) if current.changed_at > prop.tick => PropAction::Tell,
                    _ => PropAction::Keep,
                },
            });
        }
        self.enter_props.extend(visible);
    }

    /// Lets the least urgent news wait until the rest fits into `budget_bits`.
    ///
    /// Priorities are counted into classes, which costs one pass where sorting costs many. Inside
    /// the class that fits in part, the first to be kept differs from tick to tick.
    fn ration(&mut self, task: &Task<'_>, pace: &Pace, budget_bits: f32) {
        let tick = task.history.newest();
        self.find_classes(task, pace, tick);
        let updates = histogram(&self.send, &self.classes);
        let enters = histogram(&self.enter, &self.classes);
        let mut left_bits = budget_bits * pace.trust;
        let mut cut = CLASSES;
        while cut > 0 {
            let news = updates[cut - 1] as f32 * pace.update_bits;
            let bits = news + enters[cut - 1] as f32 * ENTER_BITS;
            if bits > left_bits {
                break;
            }
            left_bits -= bits;
            cut -= 1;
        }
        // Classes from `cut` on fit as a whole, the one below in part.
        let words = self.send.len();
        let first = tick.wrapping_mul(2_654_435_769) as usize % words.max(1);
        for index in (first..words).chain(0..first) {
            let (whole, in_part) = self.chosen(index, cut);
            let mut take = |set: u64, cost: f32| {
                let mut taken = set & whole;
                for bit in Ones(set & in_part) {
                    if cost > left_bits {
                        break;
                    }
                    left_bits -= cost;
                    taken |= 1 << bit;
                }
                taken
            };
            self.send[index] = take(self.send[index], pace.update_bits);
            self.enter[index] = take(self.enter[index], ENTER_BITS);
        }
    }

    /// Of the slots from 64 x `index` on: those whose class is `cut` or above, and those of the
    /// class below.
    fn chosen(&self, index: usize, cut: usize) -> (u64, u64) {
        let classes = self.classes.get(64 * index..).unwrap_or_default();
        let classes = &classes[..classes.len().min(64)];
        let (mut whole, mut from_below) = (0, 0);
        for (at, eight) in classes.chunks(8).enumerate() {
            let mut bytes = [0; 8];
            bytes[..eight.len()].copy_from_slice(eight);
            let eight = u64::from_le_bytes(bytes);
            whole |= at_least(eight, cut as u8) << (8 * at);
            from_below |= at_least(eight, cut.saturating_sub(1) as u8) << (8 * at);
        }
        (whole, from_below & !whole)
    }

    /// The class of everybody's priority; that of slots without news means nothing.
    fn find_classes(&mut self, task: &Task<'_>, pace: &Pace, tick: u32) {
        let base_age = task.base.map_or(1, |base| tick - base.tick);
        self.waited.clear();
        match task.base.filter(|base| !base.ticks.is_empty()) {
            None => self.waited.resize(task.history.rows(), base_age as f32),
            Some(base) => {
                self.waited.extend(base.ticks.iter().map(|held| {
                    let age = (tick as u16).wrapping_sub(*held);
                    let boost = if age > AGEING_TICKS { AGEING_BOOST } else { 1 };
                    f32::from(age) * f32::from(boost)
                }));
                self.waited.resize(task.history.rows(), base_age as f32);
            }
        }
        let mut waiting = pace.waiting.iter().peekable();
        for slot in slots(&self.enter) {
            while waiting.next_if(|waiting| waiting.slot < slot).is_some() {}
            let known = waiting.next_if(|waiting| waiting.slot == slot);
            let waited = 1 + known.map_or(0, |waiting| tick - waiting.since);
            self.waited[slot as usize] = waited as f32 * ENTER_BOOST;
        }
        task.history.marks().classes(&task.viewer.from, &self.waited, &mut self.classes);
        for linked in task.viewer.combat.iter().chain(task.viewer.squad) {
            if let Some(class) = self.classes.get_mut(*linked as usize) {
                *class = class.saturating_add(CLASSES_PER_DOUBLING).min(CLASSES as u8 - 1);
            }
        }
    }

    /// Remembers since when whoever the client is not known to know has waited. Being sent does not
    /// end the wait, only the acknowledgement does: a newcomer that is left out of the next
    /// snapshot again would vanish for the client.
    fn note_waiting(&mut self, pace: &mut Pace, tick: u32) {
        std::mem::swap(&mut pace.waiting, &mut self.waiting_before);
        pace.waiting.clear();
        let mut before = self.waiting_before.iter().peekable();
        for slot in slots(&self.unknown) {
            while before.next_if(|waiting| waiting.slot < slot).is_some() {}
            let known = before.next_if(|waiting| waiting.slot == slot);
            let since = known.map_or(tick, |waiting| waiting.since);
            pace.waiting.push(Waiting { slot, since });
        }
    }

    /// News that has to wait for a later snapshot.
    pub(crate) fn postponed(&self, sent: &Sent) -> u64 {
        if !self.is_chosen {
            return 0;
        }
        let wanted = self.news.iter().zip(&self.unknown).enumerate();
        let late = wanted.map(|(index, (news, unknown))| {
            let hold = sent.hold(index);
            u64::from((news & !hold.told).count_ones() + (unknown & !hold.held).count_ones())
        });
        late.sum()
    }
}

/// How many slots of a set there are of each class.
fn histogram(set: &[u64], classes: &[u8]) -> [u32; CLASSES] {
    let mut counts = [0; CLASSES];
    for (word, classes) in set.iter().zip(classes.chunks(64)) {
        for bit in Ones(*word) {
            let class = classes.get(bit as usize).copied().unwrap_or_default();
            counts[usize::from(class) % CLASSES] += 1;
        }
    }
    counts
}

/// Bit n: byte n of `bytes` is at least `least`; all of them are below 128.
#[inline(always)]
fn at_least(bytes: u64, least: u8) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // With its top bit set, a byte keeps it when `least` is taken away from at least as much.
    let kept = ((bytes | (0x80 * EACH)) - u64::from(least.min(127)) * EACH) >> 7 & EACH;
    let bits = kept.wrapping_mul(0x0102_0408_1020_4080) >> 56;
    if least > 127 { 0 } else { bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_classes_are_compared_at_once() {
        let bytes = [0, 1, 63, 64, 65, 126, 127, 0];
        for least in 0..=128 {
            let expected =
                bytes.iter().rev().fold(0, |bits, byte| bits << 1 | u64::from(*byte >= least));
            assert_eq!(at_least(u64::from_le_bytes(bytes), least), expected, "{least}");
        }
    }
}
