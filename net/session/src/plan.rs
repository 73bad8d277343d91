//! Which entities go into a snapshot: what changed for this player, and when that is more than
//! the datagram bears, the most urgent of it.

use crate::{
    gain::{Link, Viewer, gain, is_far},
    history::{FrameHistory, HISTORY_TICKS},
    record::Held,
};

/// Bits that one update is expected to take until the session has seen its own.
const UPDATE_BITS_START: f32 = 48.0;
/// An entity told for the first time takes about so much more than an update.
const ENTER_FACTOR: f32 = 2.6;
/// Removing takes little more than naming.
const REMOVE_BITS: f32 = 10.0;
/// Gain of an entity that the client does not know, against one that it knows.
const ENTER_BOOST: f32 = 4.0;
/// A held state older than this comes before others of its band.
const AGEING_TICKS: u32 = HISTORY_TICKS / 2;
const AGEING_BOOST: f32 = 2.0;
/// Under load, far entities are told in one of so many snapshots.
pub(crate) const FAR_PERIOD: u32 = 4;

/// Classes of priority: class 0 is no news, then four to each doubling from 1 upwards.
const CLASSES: usize = 96;

/// The class of a priority. Floats order like their bits, and the upper ones are a logarithm.
fn class_of(priority: f32) -> usize {
    if priority <= 0.0 {
        return 0;
    }
    let quarter = (priority.max(1.0).to_bits() >> 21) - (1.0_f32.to_bits() >> 21);
    (1 + quarter as usize).min(CLASSES - 1)
}

/// What is to be done about one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The client's state of this tick is still true, or has to do for now.
    Keep(u32),
    /// No longer visible.
    Remove,
    /// Send the difference to the client's state of this tick.
    Delta(u32),
    /// Send all; the client's state, if it has one, is of this tick and forgotten here.
    Full(Option<u32>),
    /// Newly visible, but it has to wait: the client does not know it yet.
    Wait,
}

/// One entity of the merge of baseline and visible set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: u32,
    pub(crate) action: Action,
    pub(crate) priority: f32,
}

/// News that did not fit, with the priority gathered so far. In id order.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: u32,
    priority: f32,
}

/// Plans snapshots. Its buffers are reused.
#[derive(Clone, Debug)]
pub(crate) struct Planner {
    entries: Vec<Entry>,
    waiting: Vec<Waiting>,
    /// Bits that the news of each class of priority would take.
    classes: [f32; CLASSES],
    /// Moving mean of an update's bits.
    update_bits: f32,
}

impl Default for Planner {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            waiting: Vec::new(),
            classes: [0.0; CLASSES],
            update_bits: UPDATE_BITS_START,
        }
    }
}

/// What a plan starts from.
pub(crate) struct Task<'a> {
    pub(crate) history: &'a FrameHistory,
    /// What the client holds, in id order; empty without a baseline.
    pub(crate) baseline: &'a [Held],
    /// In id order.
    pub(crate) visible: &'a [u32],
    pub(crate) viewer: Viewer<'a>,
    /// Far entities are told in one of [`FAR_PERIOD`] snapshots.
    pub(crate) thin_far: bool,
    pub(crate) budget_bits: usize,
}

impl Planner {
    /// Fills the list of entries, in id order.
    pub(crate) fn plan(&mut self, task: &Task<'_>) {
        let expected_bits = self.merge(task);
        if expected_bits > task.budget_bits as f32 {
            self.ration(task);
        } else {
            self.waiting.clear();
        }
    }

    /// Merges baseline and visible set; gives the bits that all the news would take.
    fn merge(&mut self, task: &Task<'_>) -> f32 {
        self.entries.clear();
        let tick = task.history.newest();
        let mut bits = 0.0;
        let mut baseline = task.baseline.iter().peekable();
        for &id in task.visible {
            while let Some(gone) = baseline.next_if(|held| held.id < id) {
                bits += REMOVE_BITS;
                self.push(gone.id, Action::Remove);
            }
            let held = baseline.next_if(|held| held.id == id);
            let Some(current) = task.history.current(id, task.viewer.face) else {
                // Seen a moment ago and gone from the field since.
                if held.is_some() {
                    bits += REMOVE_BITS;
                    self.push(id, Action::Remove);
                }
                continue;
            };
            let action = match held {
                // The held state is the present one: from now on it counts as of now, so that
                // what stands still never grows too old to be a base.
                Some(held) if current.changed_at <= held.tick => Action::Keep(tick),
                Some(held) if task.thin_far && !self.is_due(id, tick, task, current.state) => {
                    Action::Keep(held.tick)
                }
                Some(held) if task.history.at(held.tick, id, task.viewer.face).is_some() => {
                    bits += self.update_bits;
                    Action::Delta(held.tick)
                }
                _ => {
                    bits += self.update_bits * ENTER_FACTOR;
                    Action::Full(held.map(|held| held.tick))
                }
            };
            self.push(id, action);
        }
        for gone in baseline {
            bits += REMOVE_BITS;
            self.push(gone.id, Action::Remove);
        }
        bits
    }

    fn push(&mut self, id: u32, action: Action) {
        self.entries.push(Entry { id, action, priority: 0.0 });
    }

    fn is_due(
        &self,
        id: u32,
        tick: u32,
        task: &Task<'_>,
        state: &sortie_wire::state::EntityState,
    ) -> bool {
        (id ^ tick).is_multiple_of(FAR_PERIOD) || !is_far(state, &task.viewer.from)
    }

    /// Lets the least urgent news wait until the rest fits.
    fn ration(&mut self, task: &Task<'_>) {
        let Viewer { face, from, combat, squad } = task.viewer;
        let tick = task.history.newest();
        let mut waiting = self.waiting.iter().peekable();
        let mut budget_bits = task.budget_bits as f32;
        for entry in &mut self.entries {
            match entry.action {
                Action::Delta(_) | Action::Full(_) => {}
                Action::Remove => {
                    budget_bits -= REMOVE_BITS;
                    continue;
                }
                Action::Keep(_) | Action::Wait => continue,
            }
            let Some(current) = task.history.current(entry.id, face) else { continue };
            let link = Link {
                combat: combat.binary_search(&entry.id).is_ok(),
                squad: squad.binary_search(&entry.id).is_ok(),
            };
            while waiting.next_if(|waiting| waiting.id < entry.id).is_some() {}
            let gathered = waiting
                .next_if(|waiting| waiting.id == entry.id)
                .map_or(0.0, |waiting| waiting.priority);
            entry.priority =
                gathered + gain(current.state, &from, link) * boost(entry.action, tick);
        }
        self.postpone(budget_bits, tick);
    }

    /// Keeps the most urgent news that fits into `budget_bits`; the rest waits.
    ///
    /// Priorities are counted into classes of a fifth's width, which costs one pass where sorting
    /// costs many. Inside the class that fits in part, the first to be kept differs from tick to
    /// tick.
    fn postpone(&mut self, budget_bits: f32, tick: u32) {
        self.classes.fill(0.0);
        for entry in &self.entries {
            self.classes[class_of(entry.priority)] += self.bits(entry.action);
        }
        let mut left_bits = budget_bits;
        let mut cut = CLASSES;
        while cut > 1 && left_bits >= self.classes[cut - 1] {
            cut -= 1;
            left_bits -= self.classes[cut];
        }
        // Classes from `cut` on fit as a whole, the one below in part.
        let first = tick.wrapping_mul(2_654_435_769) as usize % self.entries.len().max(1);
        for index in (first..self.entries.len()).chain(0..first) {
            let entry = self.entries[index];
            let class = class_of(entry.priority);
            if class == 0 || class >= cut {
                continue;
            }
            let bits = self.bits(entry.action);
            if class + 1 == cut && bits <= left_bits {
                left_bits -= bits;
            } else {
                self.entries[index].action = entry.action.postponed();
            }
        }
        self.waiting.clear();
        for entry in &self.entries {
            if entry.priority > 0.0 && matches!(entry.action, Action::Keep(_) | Action::Wait) {
                self.waiting.push(Waiting { id: entry.id, priority: entry.priority });
            }
        }
    }

    /// What an action is expected to take.
    fn bits(&self, action: Action) -> f32 {
        match action {
            Action::Delta(_) => self.update_bits,
            Action::Full(_) => self.update_bits * ENTER_FACTOR,
            Action::Remove => REMOVE_BITS,
            Action::Keep(_) | Action::Wait => 0.0,
        }
    }

    /// An entity that was planned to be sent did not fit after all.
    pub(crate) fn note_unsent(&mut self, index: usize) -> Action {
        let entry = &mut self.entries[index];
        entry.action = entry.action.postponed();
        let waiting = Waiting { id: entry.id, priority: entry.priority };
        let at = self.waiting.partition_point(|other| other.id < waiting.id);
        self.waiting.insert(at, waiting);
        entry.action
    }

    /// Learns what updates really take.
    pub(crate) fn note_bits(&mut self, updates: usize, enters: usize, bits: usize) {
        let weight = updates as f32 + enters as f32 * ENTER_FACTOR;
        if weight > 0.0 {
            let mean = (bits as f32 / weight).clamp(16.0, 160.0);
            self.update_bits += (mean - self.update_bits) * 0.1;
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Entities with news in this snapshot.
    pub(crate) fn news_count(&self) -> usize {
        let is_news = |entry: &&Entry| !matches!(entry.action, Action::Keep(_) | Action::Wait);
        self.entries.iter().filter(is_news).count()
    }

    /// Entities that this snapshot removes.
    pub(crate) fn remove_count(&self) -> usize {
        self.entries.iter().filter(|entry| entry.action == Action::Remove).count()
    }

    /// What the newest plan has for an entity.
    pub(crate) fn action(&self, id: u32) -> Option<Action> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        Some(self.entries[at].action)
    }

    /// Entities whose news waits.
    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// The priority gathered by news that waits, and how many wait with more.
    pub(crate) fn waiting(&self, id: u32) -> Option<(f32, usize)> {
        let at = self.waiting.binary_search_by_key(&id, |waiting| waiting.id).ok()?;
        let priority = self.waiting[at].priority;
        let ahead = self.waiting.iter().filter(|other| other.priority > priority).count();
        Some((priority, ahead))
    }

    /// Forgets who waits: the client's next snapshot is a full one.
    pub(crate) fn reset(&mut self) {
        self.waiting.clear();
    }
}

/// An entity that the client does not know at all outweighs one that is a little late. And a state
/// that is about to leave the history is refreshed while that still takes a delta only.
fn boost(action: Action, tick: u32) -> f32 {
    match action {
        Action::Full(None) => ENTER_BOOST,
        Action::Delta(held) if tick - held > AGEING_TICKS => AGEING_BOOST,
        _ => 1.0,
    }
}

impl Action {
    fn postponed(self) -> Self {
        match self {
            Self::Delta(tick) | Self::Full(Some(tick)) => Self::Keep(tick),
            Self::Full(None) => Self::Wait,
            other => other,
        }
    }
}
