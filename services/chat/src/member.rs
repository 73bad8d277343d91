//! One socket, as the rest of the node sees it: whose it is, where it is, and the way to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use crate::channel::Place;
use crate::line::Line;
use crate::lock::lock;
use crate::room::Room;
use crate::store::Known;

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
