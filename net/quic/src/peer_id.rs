//! Names of connections.

use std::fmt;

/// One connection of one [`crate::Server`]. Slots are reused, ids are not: an id whose connection
/// is gone reaches nobody, never the next player in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl PeerId {
    /// Slot of the connection, dense from 0: an index for tables beside the server's.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}
