//! What was sent: for each recent snapshot, which entities the client holds after it, and of
//! which tick.
//!
//! An entity that the client holds is as it was at the snapshot's tick (it was told, or had not
//! changed) unless it is *stale*: then it had news that found no room, and the tick of the state
//! that the client holds stands beside it. Soldiers are kept as sets of slots, since almost
//! everything that is asked of them is asked of all at once.

use crate::slots::Ones;

/// Snapshots remembered. A client that acknowledges nothing newer gets full snapshots.
pub const RECORD_SNAPSHOTS: u32 = sortie_wire::limits::BASELINE_TICKS;

/// One entity that a client holds after applying a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Entity id.
    pub id: u32,
    /// Its state is the one that it had at this tick.
    pub tick: u32,
}

/// A prop that a client holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldProp {
    pub(crate) id: u32,
    /// The tick of the state that it holds.
    pub(crate) tick: u32,
    /// The snapshot had a state of it.
    pub(crate) told: bool,
    /// The client has seen how it moves.
    pub(crate) moving: bool,
}

/// What a client holds of 64 soldiers; bit n stands for the n-th of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Those that it holds.
    pub(crate) held: u64,
    /// Of these, those that the snapshot had a state of.
    pub(crate) told: u64,
    /// Of these, those whose motion the client has seen: told by a delta here, and told by the
    /// baseline.
    pub(crate) moving: u64,
    /// Of the held ones, those whose state is older than the snapshot.
    pub(crate) stale: u64,
}

/// One sent snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) tick: u32,
    /// What it was coded against.
    pub(crate) baseline: Option<u32>,
    /// Soldiers, 64 to an entry. Slots beyond the end are not held.
    pub(crate) soldiers: Vec<Hold>,
    /// By slot, for the held ones: the low half of the tick of their state. Empty while nobody is
    /// stale.
    pub(crate) ticks: Vec<u16>,
    /// Props that the client holds, in id order.
    pub(crate) props: Vec<HeldProp>,
}

impl Sent {
    /// Empties it, keeping its memory.
    pub(crate) fn clear(&mut self, tick: u32, baseline: Option<u32>) {
        (self.tick, self.baseline) = (tick, baseline);
        self.soldiers.clear();
        self.ticks.clear();
        self.props.clear();
    }

    /// The tick of the state that the client holds of a held soldier.
    #[inline(always)]
    pub(crate) fn tick_of(&self, slot: u32) -> u32 {
        let Some(tick) = self.ticks.get(slot as usize) else { return self.tick };
        self.tick.wrapping_sub(u32::from((self.tick as u16).wrapping_sub(*tick)))
    }

    /// The entry of the slots from 64 x `index` on.
    #[inline(always)]
    pub(crate) fn hold(&self, index: usize) -> Hold {
        self.soldiers.get(index).copied().unwrap_or_default()
    }

    /// How many soldiers the client holds.
    pub(crate) fn soldier_count(&self) -> u32 {
        self.soldiers.iter().map(|hold| hold.held.count_ones()).sum()
    }

    /// Everything that the client holds, in id order.
    fn list(&self) -> Vec<Held> {
        let words = (0..).zip(&self.soldiers);
        let soldiers =
            words.flat_map(|(index, hold)| Ones(hold.held).map(move |bit| 64 * index + bit));
        let soldiers = soldiers.map(|id| Held { id, tick: self.tick_of(id) });
        let props = self.props.iter().map(|prop| Held { id: prop.id, tick: prop.tick });
        soldiers.chain(props).collect()
    }
}

/// The recent snapshots and the newest that the client is known to have.
#[derive(Clone, Debug, Default)]
pub struct SentRecord {
    /// By tick, oldest first: at most [`RECORD_SNAPSHOTS`], and none older than the newest
    /// acknowledged one, since nothing is coded against those any more.
    recent: std::collections::VecDeque<Sent>,
    /// Memory of forgotten ones.
    spare: Vec<Sent>,
    /// Tick of the newest snapshot that was acknowledged; `None`: none was.
    acked: Option<u32>,
    /// Acks up to this tick count for nothing: they belong to a client before its resume.
    floor: u32,
}

impl SentRecord {
    /// The client says that `tick` is the newest snapshot it has. Acks of what was never sent or
    /// is forgotten change nothing. Whether it was news.
    pub fn acknowledge(&mut self, tick: u32) -> bool {
        let is_news = tick > self.floor
            && self.acked.is_none_or(|acked| tick > acked)
            && self.find(tick).is_some();
        if is_news {
            self.acked = Some(tick);
            while self.recent.front().is_some_and(|sent| sent.tick < tick) {
                self.spare.extend(self.recent.pop_front());
            }
        }
        is_news
    }

    /// The newest acknowledged snapshot that a snapshot of `now` may be coded against.
    pub(crate) fn baseline(&self, now: u32) -> Option<&Sent> {
        let tick = self.acked.filter(|&tick| now.wrapping_sub(tick) < RECORD_SNAPSHOTS)?;
        // Older ones were given up when it was acknowledged.
        self.recent.front().filter(|sent| sent.tick == tick)
    }

    /// What the client holds after the snapshot of `tick`, in id order; `None` when that one was
    /// never sent, or is forgotten because a newer one is acknowledged.
    pub fn held_after(&self, tick: u32) -> Option<Vec<Held>> {
        self.find(tick).map(Sent::list)
    }

    /// The newest one sent.
    pub(crate) fn newest(&self) -> Option<&Sent> {
        self.recent.back()
    }

    fn find(&self, tick: u32) -> Option<&Sent> {
        // Mostly every tick has one.
        let first = self.recent.front()?.tick;
        let guess = self.recent.get(tick.checked_sub(first)? as usize);
        if let Some(sent) = guess.filter(|sent| sent.tick == tick) {
            return Some(sent);
        }
        let at = self.recent.binary_search_by_key(&tick, |sent| sent.tick).ok()?;
        Some(&self.recent[at])
    }

    /// An empty record for a snapshot. It counts after [`seal`](Self::seal).
    pub(crate) fn open(&mut self, tick: u32, baseline: Option<u32>) -> Sent {
        let mut sent = self.spare.pop().unwrap_or_default();
        sent.clear(tick, baseline);
        sent
    }

    /// Gives back a record of a snapshot that was not sent.
    pub(crate) fn discard(&mut self, sent: Sent) {
        self.spare.push(sent);
    }

    /// Remembers what the client holds if the snapshot of its tick arrives.
    pub(crate) fn seal(&mut self, sent: Sent) {
        debug_assert!(self.newest().is_none_or(|newest| newest.tick < sent.tick));
        let tick = sent.tick;
        self.recent.push_back(sent);
        while self.recent.front().is_some_and(|old| tick - old.tick >= RECORD_SNAPSHOTS) {
            self.spare.extend(self.recent.pop_front());
        }
    }

    /// Forgets all acknowledgements: the next snapshot is a full one.
    pub fn reset(&mut self, now: u32) {
        self.acked = None;
        self.floor = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(ticks: impl IntoIterator<Item = u32>) -> SentRecord {
        let mut record = SentRecord::default();
        for tick in ticks {
            let mut sent = record.open(tick, None);
            sent.soldiers.push(Hold { held: 0b10, ..Hold::default() });
            record.seal(sent);
        }
        record
    }

    fn baseline(record: &SentRecord, now: u32) -> Option<u32> {
        record.baseline(now).map(|sent| sent.tick)
    }

    #[test]
    fn the_newest_acknowledged_snapshot_is_the_baseline() {
        let mut record = sent(1..=20);
        assert_eq!(baseline(&record, 21), None);
        assert!(record.acknowledge(7));
        assert!(record.acknowledge(9));
        assert!(!record.acknowledge(8), "an older ack is no news");
        assert!(!record.acknowledge(99), "never sent");
        assert_eq!(baseline(&record, 21), Some(9));
        assert_eq!(baseline(&record, 72), Some(9));
        assert_eq!(baseline(&record, 73), None, "too old");
        assert_eq!(record.held_after(9), Some(vec![Held { id: 1, tick: 9 }]));
        assert_eq!(record.held_after(8), None, "nothing is coded against it any more");
    }

    #[test]
    fn acks_from_before_a_resume_count_for_nothing() {
        let mut record = sent(1..=20);
        record.acknowledge(7);
        record.reset(20);
        assert!(!record.acknowledge(12));
        assert_eq!(baseline(&record, 21), None);
    }

    #[test]
    fn nothing_is_kept_longer_than_it_can_serve() {
        let mut record = sent(1..=200);
        assert_eq!(record.recent.len(), RECORD_SNAPSHOTS as usize);
        record.acknowledge(198);
        assert_eq!(record.recent.len(), 3);
        let spare = record.spare.len();
        record.open(201, None);
        assert_eq!(record.spare.len(), spare - 1, "memory is used again");
    }

    #[test]
    fn a_stale_state_keeps_its_tick() {
        let soldiers = vec![Hold { held: 0b11, stale: 0b10, ..Hold::default() }];
        let mut sent = Sent { tick: 70_000, soldiers, ..Sent::default() };
        sent.ticks = vec![70_000u32 as u16, 69_990u32 as u16];
        let ticks = sent.list().iter().map(|held| held.tick).collect::<Vec<_>>();
        assert_eq!(ticks, [70_000, 69_990]);
    }
}
