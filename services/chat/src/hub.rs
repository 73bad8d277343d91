//! The sockets of this node, and the rooms they are in.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sortie_control::address::counts_as;
use sortie_control::app::AppState;
use sortie_control::service::Stop;
use sortie_control::text::words::Words;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use crate::channel::Place;
use crate::close::{self, Closing};
use crate::error::ChatError;
use crate::line::{Line, Outgoing, json};
use crate::lock::lock;
use crate::member::Member;
use crate::room::{Reader, Room};
use crate::said::Said;
use crate::settings::Settings;
use crate::told::{ForOthers, Told, by_topic};
use crate::wire::ChannelEvent;

/// Rooms that close a gap at a time.
const GAP_TURNS: usize = 4;

/// Batches that wait to be told to other nodes; more, and those read Postgres.
const TOLD_MAX: usize = 256;

/// Chat on one node.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) app: AppState,
    pub(crate) settings: Settings,
    pub(crate) stop: Stop,
    /// This node, among others.
    pub(crate) node: Uuid,
    /// To the batch writer.
    pub(crate) said: mpsc::Sender<Said>,
    /// Set while a batch waits for a database that hangs.
    pub(crate) store_hangs: AtomicBool,
    pub(crate) whispers: Arc<Room>,
    pub(crate) gap_turns: Semaphore,
    told: mpsc::Sender<Vec<ForOthers>>,
    behind: Mutex<HashSet<String>>,
    words: RwLock<Arc<Words>>,
    sockets: Mutex<Sockets>,
    rooms: Mutex<HashMap<Uuid, Arc<Room>>>,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct Sockets {
    count: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Oldest first.
    by_player: HashMap<Uuid, Vec<Arc<Member>>>,
}

/// A socket in the counts of its node and address, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted {
    hub: Arc<Hub>,
    address: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut sockets = lock(&self.hub.sockets);
        sockets.count -= 1;
        metrics::gauge!("sortie_chat_sockets").set(sockets.count as f64);
        if let Some(count) = sockets.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                sockets.by_address.remove(&self.address);
            }
        }
    }
}

type Queues = (Arc<Hub>, mpsc::Receiver<Said>, mpsc::Receiver<Vec<ForOthers>>);

impl Hub {
    pub(crate) fn new(app: AppState, settings: Settings, stop: Stop) -> Queues {
        let (said, to_store) = mpsc::channel(settings.unstored_max.max(1));
        let (told, to_tell) = mpsc::channel(TOLD_MAX);
        let hub = Self {
            app,
            settings,
            stop,
            node: Uuid::now_v7(),
            said,
            store_hangs: AtomicBool::new(false),
            whispers: Arc::new(Room::new(Uuid::nil(), None, 0)),
            gap_turns: Semaphore::new(GAP_TURNS),
            told,
            behind: Mutex::default(),
            words: RwLock::default(),
            sockets: Mutex::default(),
            rooms: Mutex::default(),
            numbers: AtomicU64::new(1),
        };
        (Arc::new(hub), to_store, to_tell)
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn words(&self) -> Arc<Words> {
        Arc::clone(&self.words.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_words(&self, words: Words) {
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(words);
    }

    /// Room for one more socket.
    pub(crate) fn count(self: &Arc<Self>, address: IpAddr) -> Result<Counted, ChatError> {
        let address = counts_as(address);
        let mut sockets = lock(&self.sockets);
        let here = sockets.by_address.get(&address).copied().unwrap_or(0);
        let settings = &self.settings;
        if sockets.count >= settings.sockets_max || here >= settings.per_address_max {
            return Err(ChatError::Full);
        }
        sockets.count += 1;
        *sockets.by_address.entry(address).or_default() += 1;
        metrics::gauge!("sortie_chat_sockets").set(sockets.count as f64);
        Ok(Counted { hub: Arc::clone(self), address })
    }

    /// A player's socket is there; the oldest of too many is closed.
    pub(crate) fn enter(&self, member: Arc<Member>) {
        let mut sockets = lock(&self.sockets);
        let own = sockets.by_player.entry(member.player).or_default();
        let too_many = (own.len() + 1).saturating_sub(self.settings.per_player_max);
        own.iter().take(too_many).for_each(|oldest| oldest.line.close(close::REPLACED));
        own.push(member);
    }

    /// A player's socket is gone; says from where the player is gone altogether.
    pub(crate) fn exit(&self, member: &Member) -> Vec<Uuid> {
        let rooms: Vec<Place> = lock(&member.rooms).keys().copied().collect();
        let left = rooms.into_iter().filter_map(|place| self.leave(member, place)).collect();
        let mut sockets = lock(&self.sockets);
        if let Some(own) = sockets.by_player.get_mut(&member.player) {
            own.retain(|other| other.number != member.number);
            if own.is_empty() {
                sockets.by_player.remove(&member.player);
            }
        }
        left
    }

    /// Puts a socket into a channel's room, and makes the room when there is none. The room may not
    /// be ready yet: `feed::join` sees to that.
    pub(crate) fn seat(
        &self,
        member: &Member,
        place: Place,
        channel_id: Uuid,
        slow_mode_s: i32,
    ) -> Arc<Room> {
        let room = {
            let mut rooms = lock(&self.rooms);
            let make = || Arc::new(Room::new(channel_id, Some(place), slow_mode_s));
            let room = Arc::clone(rooms.entry(channel_id).or_insert_with(make));
            let reader = Reader { player: member.player, line: member.line.clone() };
            lock(&room.readers).insert(member.number, reader);
            room
        };
        lock(&member.rooms).insert(place, Arc::clone(&room));
        room
    }

    /// Takes a socket out of a room; gives the channel when its player is gone from it here.
    pub(crate) fn leave(&self, member: &Member, place: Place) -> Option<Uuid> {
        let room = lock(&member.rooms).remove(&place)?;
        let mut rooms = lock(&self.rooms);
        let mut readers = lock(&room.readers);
        readers.remove(&member.number);
        if readers.is_empty() {
            rooms.remove(&room.channel_id);
            if let Some(feed) = lock(&room.feed).take() {
                feed.abort();
            }
        }
        let is_gone = readers.values().all(|other| other.player != member.player);
        is_gone.then_some(room.channel_id)
    }

    /// The room of a change, if anybody here is in it.
    fn room(&self, channel: Uuid, place: Place) -> Option<Arc<Room>> {
        match place {
            Place::Whisper(..) => Some(Arc::clone(&self.whispers)),
            _ => lock(&self.rooms).get(&channel).cloned(),
        }
    }

    /// Every room.
    pub(crate) fn rooms(&self) -> Vec<Arc<Room>> {
        lock(&self.rooms).values().cloned().collect()
    }

    /// Tells the sockets of this node.
    pub(crate) fn tell(&self, room: &Room, told: &Told) {
        room.tell(told, |player| self.lines_of(player));
    }

    /// Tells everybody, everywhere, what is stored already.
    pub(crate) fn tell_all(&self, changes: Vec<(Uuid, Told)>) {
        for (channel, told) in &changes {
            if let Some(room) = self.room(*channel, told.place) {
                self.tell(&room, told);
            }
        }
        if let Err(error) = self.told.try_send(by_topic(changes)) {
            let (mpsc::error::TrySendError::Full(parcels)
            | mpsc::error::TrySendError::Closed(parcels)) = error;
            self.note_behind(parcels.into_iter().map(|parcel| parcel.topic), usize::MAX);
        }
    }

    pub(crate) fn take_behind(&self) -> HashSet<String> {
        std::mem::take(&mut lock(&self.behind))
    }

    pub(crate) fn note_behind(&self, topics: impl IntoIterator<Item = String>, max: usize) {
        let mut behind = lock(&self.behind);
        for topic in topics {
            if behind.len() < max {
                behind.insert(topic);
            }
        }
    }

    fn lines_of(&self, player: Uuid) -> Vec<Line> {
        let sockets = lock(&self.sockets);
        let own = sockets.by_player.get(&player).into_iter().flatten();
        own.map(|member| member.line.clone()).collect()
    }

    /// Every player here.
    pub(crate) fn players(&self) -> Vec<Uuid> {
        lock(&self.sockets).by_player.keys().copied().collect()
    }

    /// Every socket whose player is known.
    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        lock(&self.sockets).by_player.values().flatten().cloned().collect()
    }

    /// For all sockets.
    pub(crate) fn announce(&self, event: &ChannelEvent) {
        let text = json(event);
        for member in self.members() {
            member.line.push(Outgoing::event(text.clone(), None));
        }
    }

    /// Closes the sockets of a player, or of one login.
    pub(crate) fn close(&self, player: Uuid, session: Option<Uuid>, why: Closing) {
        let sockets = lock(&self.sockets);
        for member in sockets.by_player.get(&player).into_iter().flatten() {
            if session.is_none_or(|session| session == member.session) {
                member.line.close(why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sortie_control::service::stop;
    use sqlx::PgPool;

    use super::*;

    #[tokio::test]
    async fn a_network_counts_as_one_address_and_ipv4_addresses_apart() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let (_stopper, stop) = stop();
        // Nothing is asked of it.
        let db = PgPool::connect_lazy("postgres://nowhere/none").unwrap();
        let settings = Settings { per_address_max: 1, ..Settings::default() };
        let (hub, _to_store, _to_tell) = Hub::new(AppState::local(db), settings, stop);
        let held = hub.count(ip("2001:db8::1"));
        assert!(held.is_ok() && hub.count(ip("2001:db8::2:2")).is_err());
        assert!(hub.count(ip("2001:db8:0:1::1")).is_ok(), "another network");
        let mapped = hub.count(ip("::ffff:198.51.100.7"));
        assert!(mapped.is_ok() && hub.count(ip("198.51.100.7")).is_err());
        assert!(hub.count(ip("::ffff:198.51.100.8")).is_ok());
        drop(held);
        assert!(hub.count(ip("2001:db8::2:2")).is_ok(), "its place is free again");
    }
}
