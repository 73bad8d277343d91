//! Who changed since a tick: gathered once for all clients that hold the state of that tick.

use crate::history::FrameHistory;

/// Sets of soldiers that changed since a tick, for the newest frame of a history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// Keyed by the first two fields: whose view, and the tick.
    sets: Vec<(usize, u32, Vec<u64>)>,
    /// Of these, those of this tick; the others are kept for their memory.
    count: usize,
}

impl Changes {
    /// Forgets all sets: the history has a newer frame.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Gathers the soldiers whose team view has changed since `tick`, to be had from
    /// [`at`](Self::at) until the tick ends.
    pub(crate) fn since(&mut self, history: &FrameHistory, team_view: usize, tick: u32) -> usize {
        let known = self.sets[..self.count].iter();
        let at = known.clone().position(|known| (known.0, known.1) == (team_view, tick));
        at.unwrap_or_else(|| {
            let at = self.count;
            self.count += 1;
            if self.sets.len() == at {
                self.sets.push((team_view, tick, Vec::new()));
            }
            let (of_team_view, of_tick, words) = &mut self.sets[at];
            (*of_team_view, *of_tick) = (team_view, tick);
            words.clear();
            words.extend(history.soldiers_changed(team_view).chunks(64).map(|chunk| {
                let later = |changed_at: &u32| u64::from(*changed_at > tick);
                (0..).zip(chunk).fold(0, |word, (bit, at)| word | later(at) << bit)
            }));
            at
        })
    }

    /// The sets that [`since`](Self::since) gathered.
    pub(crate) fn at(&self, at: usize) -> &[u64] {
        &self.sets[at].2
    }
}
