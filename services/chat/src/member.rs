//! One socket, as the rest of the node sees it: a bounded queue, and a way to close it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::channel::Place;
use crate::close::{self, Closing};
use crate::room::Room;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something for a socket.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) text: Utf8Bytes,
    /// Whose doing it is, for mutes; `None`: nobody's.
    pub(crate) author: Option<Uuid>,
}

/// A socket whose player is known.
#[derive(Debug)]
pub(crate) struct Member {
    /// Counts the sockets of this node.
    pub(crate) number: u64,
    pub(crate) player: Uuid,
    pub(crate) session: Uuid,
    /// What is kept of the player; read again when it changes ([`crate::authority`]).
    pub(crate) known: Mutex<Known>,
    /// The rooms it is in, and since when (a place in the room's order does not matter).
    pub(crate) rooms: Mutex<HashMap<Place, Arc<Room>>>,
    pub(crate) line: Line,
}

/// What a socket keeps of its player.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) is_moderator: bool,
    /// Whom the player does not want to read.
    pub(crate) mutes: HashSet<Uuid>,
}

/// The way to a socket.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) queue: mpsc::Sender<Outgoing>,
    pub(crate) closing: Arc<watch::Sender<Option<Closing>>>,
}

impl Line {
    /// Puts something into the queue; a full one closes the socket.
    pub(crate) fn push(&self, outgoing: Outgoing) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(outgoing) {
            self.close(close::SLOW);
        }
    }

    /// The first reason counts.
    pub(crate) fn close(&self, why: Closing) {
        self.closing.send_if_modified(|closing| {
            let is_first = closing.is_none();
            closing.get_or_insert(why);
            is_first
        });
    }

    pub(crate) fn send(&self, value: &impl Serialize) {
        self.push(Outgoing { text: json(value), author: None });
    }
}

impl Member {
    pub(crate) fn has_muted(&self, author: Option<Uuid>) -> bool {
        author.is_some_and(|author| lock(&self.known).mutes.contains(&author))
    }

    pub(crate) fn name(&self) -> String {
        lock(&self.known).name.clone()
    }

    pub(crate) fn is_moderator(&self) -> bool {
        lock(&self.known).is_moderator
    }

    pub(crate) fn room(&self, place: Place) -> Option<Arc<Room>> {
        lock(&self.rooms).get(&place).cloned()
    }
}

/// Everything on the wire can be written.
pub(crate) fn json(value: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(value).expect("chat's own types serialise").into()
}
