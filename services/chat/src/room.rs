//! A channel that somebody on this node is in: who, and which messages were told already.
//!
//! Messages come by two ways (from this node's writer, and over the bus) and again after gaps.
//! The ids of the last ones are remembered, so that each is told once. Ids order by the database's
//! clock, and are seen a moment after they are made, when their batch is committed: so a gap is
//! closed from [`OVERLAP`] before the last thing heard, and what was told is left out by its id.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use sortie_control::chat;
use time::{Duration, OffsetDateTime};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::channel::Place;
use crate::line::{Line, Outgoing, json};
use crate::lock::lock;
use crate::told::{ChatChange, Told, author_of, event_for};
use crate::wire::ChannelEvent;

/// How long after its id is made a message may be committed, and then some.
pub(crate) const OVERLAP: Duration = Duration::seconds(10);

/// Ids that are remembered at most.
const SEEN_MAX: usize = 4_096;

/// A channel, or (without one) all whispers.
#[derive(Debug)]
pub(crate) struct Room {
    /// Nil for whispers.
    pub(crate) channel_id: Uuid,
    pub(crate) place: Option<Place>,
    /// By the numbers of their sockets.
    pub(crate) readers: Mutex<HashMap<u64, Reader>>,
    pub(crate) slow_mode_s: AtomicU32,
    /// Set once the bus tells this room of messages.
    pub(crate) ready: OnceCell<()>,
    pub(crate) feed: Mutex<Option<AbortHandle>>,
    seen: Mutex<Seen>,
}

/// A socket in a room.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) player: Uuid,
    pub(crate) line: Line,
}

#[derive(Debug)]
struct Seen {
    ids: HashSet<Uuid>,
    order: VecDeque<Uuid>,
    /// Everything before this was heard, by the database's clock. Nobody is in a room before this
    /// is set ([`Room::caught_up`]).
    heard_until: OffsetDateTime,
}

impl Seen {
    fn insert(&mut self, id: Uuid) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl Room {
    pub(crate) fn new(channel_id: Uuid, place: Option<Place>, slow_mode_s: i32) -> Self {
        let heard_until = OffsetDateTime::UNIX_EPOCH;
        let seen = Seen { ids: HashSet::new(), order: VecDeque::new(), heard_until };
        Self {
            channel_id,
            place,
            readers: Mutex::default(),
            slow_mode_s: AtomicU32::new(slow_mode_s.unsigned_abs()),
            ready: OnceCell::new(),
            feed: Mutex::default(),
            seen: Mutex::new(seen),
        }
    }

    /// The topic on which nodes tell each other of it.
    pub(crate) fn topic(&self) -> String {
        chat::topic(self.place.map(|_| self.channel_id))
    }

    pub(crate) fn slow_mode_s(&self) -> u32 {
        self.slow_mode_s.load(Ordering::Relaxed)
    }

    /// These need not be told: they are in the history that a reader begins with.
    pub(crate) fn skip(&self, ids: impl IntoIterator<Item = Uuid>) {
        let mut seen = lock(&self.seen);
        for id in ids {
            seen.insert(id);
        }
    }

    /// From when on a gap has to be closed.
    pub(crate) fn missed_since(&self) -> OffsetDateTime {
        lock(&self.seen).heard_until - OVERLAP
    }

    /// Everything before `until` was heard, or the readers know that it was not.
    pub(crate) fn caught_up(&self, until: OffsetDateTime) {
        let mut seen = lock(&self.seen);
        seen.heard_until = seen.heard_until.max(until);
    }

    /// Tells the sockets of this node, each thing once. `players`: the sockets of a player.
    pub(crate) fn tell(&self, told: &Told, players: impl Fn(Uuid) -> Vec<Line>) {
        // Held to the end: what is told first is queued first.
        let mut seen = lock(&self.seen);
        if let ChatChange::Said(line) = &told.change {
            if !seen.insert(line.message_id) {
                return;
            }
            seen.heard_until = seen.heard_until.max(line.said_at);
        }
        let author = author_of(&told.change);
        if let Place::Whisper(low, high) = told.place {
            for reader in [low, high] {
                let lines = players(reader);
                if lines.is_empty() {
                    continue;
                }
                let text = json(&event_for(told, reader));
                count(lines.len());
                for line in lines {
                    line.push(Outgoing::event(text.clone(), author));
                }
            }
            return;
        }
        let text = json(&event_for(told, Uuid::nil()));
        let readers = lock(&self.readers);
        count(readers.len());
        for reader in readers.values() {
            reader.line.push(Outgoing::event(text.clone(), author));
        }
    }

    /// Something that is nobody's doing, for all sockets in the room.
    pub(crate) fn announce(&self, event: &ChannelEvent) {
        let text = json(event);
        for reader in lock(&self.readers).values() {
            reader.line.push(Outgoing::event(text.clone(), None));
        }
    }
}

fn count(deliveries: usize) {
    metrics::counter!("sortie_chat_deliveries_total").increment(deliveries as u64);
}
