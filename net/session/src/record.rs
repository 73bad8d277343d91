//! What was sent: for each recent snapshot, which entities the client holds after it, and of
//! which tick.

/// Snapshots remembered. A client that acknowledges nothing newer gets full snapshots.
pub const RECORD_SNAPSHOTS: u32 = sortie_wire::limits::BASELINE_TICKS;

/// One entity that a client holds after applying a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub id: u32,
    /// Its state is the one that it had at this tick.
    pub tick: u32,
}

#[derive(Clone, Debug, Default)]
struct Sent {
    tick: Option<u32>,
    /// In id order.
    held: Vec<Held>,
}

/// The ring of sent snapshots and the newest that the client is known to have.
#[derive(Clone, Debug)]
pub struct SentRecord {
    ring: Vec<Sent>,
    /// Newest acknowledged.
    acked: Option<u32>,
    /// Acks up to this tick count for nothing: they belong to a client before its resume.
    floor: u32,
}

impl Default for SentRecord {
    fn default() -> Self {
        Self {
            ring: (0..RECORD_SNAPSHOTS).map(|_| Sent::default()).collect(),
            acked: None,
            floor: 0,
        }
    }
}

impl SentRecord {
    /// The client says that `tick` is the newest snapshot it has. Acks of what was never sent or
    /// is forgotten change nothing. Whether it was news.
    pub fn acknowledge(&mut self, tick: u32) -> bool {
        let known = tick > self.floor && self.ring[slot_of(tick)].tick == Some(tick);
        let news = known && self.acked.is_none_or(|acked| tick > acked);
        if news {
            self.acked = Some(tick);
        }
        news
    }

    /// Whether the snapshot of `tick` is still remembered.
    pub fn knows(&self, tick: u32) -> bool {
        self.ring[slot_of(tick)].tick == Some(tick)
    }

    /// The newest acknowledged snapshot that a snapshot of `now` may be coded against.
    pub fn baseline(&self, now: u32) -> Option<u32> {
        self.acked.filter(|&tick| now - tick < RECORD_SNAPSHOTS && self.knows(tick))
    }

    /// What the client holds after the snapshot of `tick`, in id order.
    pub fn held_after(&self, tick: u32) -> Option<&[Held]> {
        let sent = &self.ring[slot_of(tick)];
        (sent.tick == Some(tick)).then_some(&sent.held[..])
    }

    /// Starts the record of a snapshot: its list, emptied. It counts after [`seal`](Self::seal).
    pub fn open(&mut self, tick: u32) -> Vec<Held> {
        let sent = &mut self.ring[slot_of(tick)];
        sent.tick = None;
        let mut held = std::mem::take(&mut sent.held);
        held.clear();
        held
    }

    /// Remembers what the client holds if the snapshot of `tick` arrives.
    pub fn seal(&mut self, tick: u32, held: Vec<Held>) {
        debug_assert!(held.is_sorted_by_key(|held| held.id));
        self.ring[slot_of(tick)] = Sent { tick: Some(tick), held };
    }

    /// Forgets all acknowledgements: the next snapshot is a full one.
    pub fn reset(&mut self, now: u32) {
        self.acked = None;
        self.floor = now;
    }
}

fn slot_of(tick: u32) -> usize {
    (tick % RECORD_SNAPSHOTS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(ticks: impl IntoIterator<Item = u32>) -> SentRecord {
        let mut record = SentRecord::default();
        for tick in ticks {
            let mut held = record.open(tick);
            held.push(Held { id: 1, tick });
            record.seal(tick, held);
        }
        record
    }

    #[test]
    fn the_newest_acknowledged_snapshot_is_the_baseline() {
        let mut record = sent(1..=20);
        assert_eq!(record.baseline(21), None);
        assert!(record.acknowledge(7));
        assert!(record.acknowledge(9));
        assert!(!record.acknowledge(8), "an older ack is no news");
        assert!(!record.acknowledge(99), "never sent");
        assert_eq!(record.baseline(21), Some(9));
        assert_eq!(record.baseline(72), Some(9));
        assert_eq!(record.baseline(73), None, "too old");
    }

    #[test]
    fn acks_from_before_a_resume_count_for_nothing() {
        let mut record = sent(1..=20);
        record.acknowledge(7);
        record.reset(20);
        assert!(!record.acknowledge(12));
        assert_eq!(record.baseline(21), None);
    }
}
