//! Waiting for sockets with a deadline.

use std::io;
use std::time::Instant;

use crate::socket::Socket;
use crate::sys::{self, Waited};

/// Sockets to wait for together. Filled anew for each wait; keeps its memory.
#[derive(Default)]
pub struct PollSet {
    waited: Vec<Waited>,
}

impl PollSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all sockets.
    pub fn clear(&mut self) {
        self.waited.clear();
    }

    /// Adds a socket; its index is the number of sockets added before it.
    pub fn push(&mut self, socket: &Socket) {
        self.waited.push(Waited::readable(socket.handle()));
    }

    /// Waits until one socket is readable or the deadline has passed; returns how many are ready.
    /// A signal does not end the wait.
    pub fn wait_until(&mut self, deadline: Instant) -> io::Result<usize> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match sys::wait(&mut self.waited, left) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Whether the last wait found the socket of this index readable.
    pub fn is_ready(&self, index: usize) -> bool {
        self.waited.get(index).is_some_and(|waited| waited.is_ready())
    }
}
