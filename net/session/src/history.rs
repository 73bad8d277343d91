//! The battle's recent past as clients may see it: one ring of quantised frames for all sessions.
//!
//! A frame holds every entity once per *team view*: what the own team may know and what the other
//! team may know. Sessions read only their team's view, so a secret that the bridge leaves out of a
//! team view cannot reach that team, whatever the encoder does.
//!
//! Rows are dense: a soldier's row is its slot; props follow, in id order. Per team view and entity
//! the history knows the tick of the last change, so that "nothing new" costs one comparison.

use sortie_wire::state::EntityState;

use crate::{priority::Marks, slots::has};

/// Frames kept. Older states cannot serve as a base of a delta.
pub const HISTORY_TICKS: u32 = sortie_wire::limits::BASELINE_TICKS;
/// Ids below this are soldiers and index the frame directly.
pub const FIRST_PROP_ID: u32 = sortie_wire::limits::FIRST_PROP_ID;
/// The two teams' views of an entity.
pub const TEAM_VIEWS: usize = 2;

/// One entity as each team may know it; index = team.
pub type TeamViews = [EntityState; TEAM_VIEWS];

/// One tick's entities.
#[derive(Clone, Debug, Default)]
struct Frame {
    tick: Option<u32>,
    /// The slots whose soldiers are in the field.
    present: Vec<u64>,
    /// Index = slot; whatever it was for those who are not in the field.
    soldiers: [Vec<EntityState>; TEAM_VIEWS],
    prop_ids: Vec<u32>,
    /// Parallel to `prop_ids`.
    props: [Vec<EntityState>; TEAM_VIEWS],
}

/// The last [`HISTORY_TICKS`] frames and when each entity last changed.
#[derive(Clone, Debug)]
pub struct FrameHistory {
    frames: Vec<Frame>,
    newest: u32,
    /// Index = slot.
    soldiers_changed: [Vec<u32>; TEAM_VIEWS],
    /// Parallel to the newest frame's props.
    props_changed: [Vec<u32>; TEAM_VIEWS],
    /// The previous tick's, kept to be reused.
    props_changed_before: [Vec<u32>; TEAM_VIEWS],
    /// Of the newest frame: what priorities are made of, by slot.
    marks: Marks,
}

/// An entity of the newest frame and when it last changed.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a> {
    /// As the asking team may know it.
    pub state: &'a EntityState,
    /// Tick of the last change of that team view.
    pub changed_at: u32,
}

impl Default for FrameHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameHistory {
    /// An empty history. It allocates while the first frames and the largest ones are written.
    pub fn new() -> Self {
        Self {
            frames: (0..HISTORY_TICKS).map(|_| Frame::default()).collect(),
            newest: 0,
            soldiers_changed: Default::default(),
            props_changed: Default::default(),
            props_changed_before: Default::default(),
            marks: Marks::default(),
        }
    }

    /// The newest frame's tick.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// Starts the frame of `tick`, which must be newer than all before.
    pub fn begin(&mut self, tick: u32) -> FrameWriter<'_> {
        debug_assert!(tick > self.newest || self.newest == 0, "frame {tick} after {}", self.newest);
        // After a gap of a whole ring the frame before would be this very slot.
        let before = self.frames[slot_of(self.newest)].tick.filter(|&before| {
            tick.wrapping_sub(before) < HISTORY_TICKS && slot_of(before) != slot_of(tick)
        });
        let frame = &mut self.frames[slot_of(tick)];
        frame.tick = None;
        frame.present.clear();
        self.marks.clear();
        for team_view in 0..TEAM_VIEWS {
            frame.soldiers[team_view].clear();
            frame.props[team_view].clear();
            std::mem::swap(
                &mut self.props_changed[team_view],
                &mut self.props_changed_before[team_view],
            );
            self.props_changed[team_view].clear();
        }
        frame.prop_ids.clear();
        FrameWriter { tick, before, next_prop_before: 0, history: self }
    }

    /// An entity as it is now.
    pub fn current(&self, id: u32, team_view: usize) -> Option<Current<'_>> {
        let frame = &self.frames[slot_of(self.newest)];
        if id < FIRST_PROP_ID {
            let row = id as usize;
            let state = frame.soldiers[team_view].get(row).filter(|_| has(&frame.present, id))?;
            return Some(Current { state, changed_at: self.soldiers_changed[team_view][row] });
        }
        let row = frame.prop_ids.binary_search(&id).ok()?;
        Some(Current {
            state: &frame.props[team_view][row],
            changed_at: self.props_changed[team_view][row],
        })
    }

    /// The slots whose soldiers are in the field now.
    pub(crate) fn present(&self) -> &[u64] {
        &self.frames[slot_of(self.newest)].present
    }

    /// Rows of soldiers, those who are not in the field included.
    pub(crate) fn rows(&self) -> usize {
        self.soldiers_changed[0].len()
    }

    /// By slot, when a soldier's team view last changed.
    pub(crate) fn soldiers_changed(&self, team_view: usize) -> &[u32] {
        &self.soldiers_changed[team_view]
    }

    /// What priorities are made of.
    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// An entity as it was at `tick`, if the ring still holds that tick and it was in the field.
    pub fn at(&self, tick: u32, id: u32, team_view: usize) -> Option<&EntityState> {
        let frame = &self.frames[slot_of(tick)];
        if frame.tick != Some(tick) {
            return None;
        }
        if id < FIRST_PROP_ID {
            return frame.soldiers[team_view].get(id as usize).filter(|_| has(&frame.present, id));
        }
        let row = frame.prop_ids.binary_search(&id).ok()?;
        Some(&frame.props[team_view][row])
    }
}

fn slot_of(tick: u32) -> usize {
    (tick % HISTORY_TICKS) as usize
}

/// Fills one frame: soldiers in slot order, then props in id order. The frame becomes the newest
/// with [`finish`](Self::finish).
#[derive(Debug)]
pub struct FrameWriter<'a> {
    tick: u32,
    /// The frame before this one, to see what changed.
    before: Option<u32>,
    next_prop_before: usize,
    history: &'a mut FrameHistory,
}

impl FrameWriter<'_> {
    /// The next slot's soldier; `None` when it is not in the field.
    pub fn soldier(&mut self, team_views: Option<TeamViews>) {
        let tick = self.tick;
        let Self { history, before, .. } = self;
        let row = history.frames[slot_of(tick)].soldiers[0].len();
        for team_view in 0..TEAM_VIEWS {
            let before = before.map(|before| &history.frames[slot_of(before)]);
            let before = before.filter(|before| has(&before.present, row as u32));
            let before = before.map(|before| before.soldiers[team_view][row]);
            let state = team_views.map(|team_views| team_views[team_view]);
            let changed = &mut history.soldiers_changed[team_view];
            if changed.len() <= row {
                changed.push(tick);
            } else if before != state {
                changed[row] = tick;
            }
            history.frames[slot_of(tick)].soldiers[team_view].push(state.unwrap_or_default());
        }
        history.marks.push(team_views.map(|team_views| team_views[0]));
        let present = &mut history.frames[slot_of(tick)].present;
        if row.is_multiple_of(64) {
            present.push(0);
        }
        present[row / 64] |= u64::from(team_views.is_some()) << (row % 64);
    }

    /// The next prop; `id` must be above the last one's.
    pub fn prop(&mut self, id: u32, team_views: TeamViews) {
        debug_assert!(id >= FIRST_PROP_ID);
        let tick = self.tick;
        let row_before = self.before.and_then(|before| {
            let ids = &self.history.frames[slot_of(before)].prop_ids;
            while ids.get(self.next_prop_before).is_some_and(|&before_id| before_id < id) {
                self.next_prop_before += 1;
            }
            let row = self.next_prop_before;
            (ids.get(row) == Some(&id)).then_some((before, row))
        });
        for (team_view, state) in team_views.into_iter().enumerate() {
            let unchanged_since = row_before
                .filter(|&(before, row)| {
                    self.history.frames[slot_of(before)].props[team_view][row] == state
                })
                .map(|(_, row)| self.history.props_changed_before[team_view][row]);
            self.history.frames[slot_of(tick)].props[team_view].push(state);
            self.history.props_changed[team_view].push(unchanged_since.unwrap_or(tick));
        }
        self.history.frames[slot_of(tick)].prop_ids.push(id);
    }

    /// Makes this the newest frame.
    pub fn finish(self) {
        debug_assert!(self.history.frames[slot_of(self.tick)].prop_ids.is_sorted());
        self.history.frames[slot_of(self.tick)].tick = Some(self.tick);
        self.history.newest = self.tick;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_x(x: u32) -> EntityState {
        EntityState { x, ..EntityState::default() }
    }

    fn write(
        history: &mut FrameHistory,
        tick: u32,
        soldiers: &[Option<u32>],
        props: &[(u32, u32)],
    ) {
        let mut frame = history.begin(tick);
        for soldier in soldiers {
            // The second team view never learns x.
            frame.soldier(soldier.map(|x| [at_x(x), at_x(0)]));
        }
        for &(id, x) in props {
            frame.prop(FIRST_PROP_ID + id, [at_x(x), at_x(0)]);
        }
        frame.finish();
    }

    #[test]
    fn a_change_is_known_per_team_view() {
        let mut history = FrameHistory::new();
        write(&mut history, 1, &[Some(5), None], &[(0, 7), (3, 8)]);
        write(&mut history, 2, &[Some(6), Some(1)], &[(3, 8), (4, 9)]);
        let changed =
            |id, team_view| history.current(id, team_view).map(|current| current.changed_at);
        assert_eq!((changed(0, 0), changed(0, 1)), (Some(2), Some(1)));
        assert_eq!((changed(1, 0), changed(1, 1)), (Some(2), Some(2)));
        assert_eq!(changed(FIRST_PROP_ID, 0), None);
        assert_eq!(changed(FIRST_PROP_ID + 3, 0), Some(1));
        assert_eq!(changed(FIRST_PROP_ID + 4, 1), Some(2));
        assert_eq!(history.at(1, 0, 0), Some(&at_x(5)));
        assert_eq!(history.at(1, FIRST_PROP_ID, 0), Some(&at_x(7)));
        assert_eq!(history.at(1, 1, 0), None);
    }

    #[test]
    fn the_ring_forgets() {
        let mut history = FrameHistory::new();
        for tick in 1..=70 {
            write(&mut history, tick, &[Some(tick)], &[]);
        }
        assert_eq!(history.at(6, 0, 0), None);
        assert_eq!(history.at(7, 0, 0), Some(&at_x(7)));
    }
}
