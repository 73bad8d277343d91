//! Sending: up to 64 datagrams a call, and what the kernel refuses is dropped and counted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::socket::Socket;
use crate::{BATCH, address, sys};

/// What a [`SendBatch`] has sent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendCounters {
    /// Datagrams that the kernel took.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// System calls made.
    pub syscalls: u64,
    /// Datagrams dropped because the send buffer was full. The next snapshot replaces them;
    /// waiting here would hold up every other player.
    pub dropped_full: u64,
    /// Datagrams dropped for another reason: unreachable, too long for the path, wrong family.
    pub dropped_refused: u64,
}

/// Datagrams on their way out: 64 reusable buffers of one sending thread.
pub struct SendBatch {
    packets: Vec<(SocketAddr, Vec<u8>)>,
    count: usize,
    counters: SendCounters,
}

impl Default for SendBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl SendBatch {
    /// An empty batch.
    pub fn new() -> Self {
        let unset = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self {
            packets: (0..BATCH).map(|_| (unset, Vec::with_capacity(1_536))).collect(),
            count: 0,
            counters: SendCounters::default(),
        }
    }

    /// An empty buffer to write the next datagram into; [`Self::commit`] makes it part of the
    /// batch. Flushes first when the batch is full.
    pub fn slot(&mut self, socket: &Socket) -> &mut Vec<u8> {
        if self.count == BATCH {
            self.flush(socket);
        }
        let slot = &mut self.packets[self.count].1;
        slot.clear();
        slot
    }

    /// Makes what was written into the last [`Self::slot`] a datagram to `to`.
    pub fn commit(&mut self, to: SocketAddr) {
        debug_assert!(self.count < BATCH, "commit follows slot");
        self.packets[self.count].0 = to;
        self.count += 1;
    }

    /// Copies `datagram` into the batch.
    pub fn push(&mut self, socket: &Socket, to: SocketAddr, datagram: &[u8]) {
        self.slot(socket).extend_from_slice(datagram);
        self.commit(to);
    }

    /// Datagrams that wait for [`Self::flush`].
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sends the batch. Never waits, never retries a full socket; whatever the kernel does not
    /// take is dropped and counted.
    pub fn flush(&mut self, socket: &Socket) {
        for (to, _) in &mut self.packets[..self.count] {
            // A family that the socket cannot reach is left as it is: the kernel refuses it.
            *to = address::for_family(*to, socket.is_ipv6()).unwrap_or(*to);
        }
        let mut at = 0;
        while at < self.count {
            self.counters.syscalls += 1;
            match sys::send(socket.handle(), &self.packets[at..self.count]) {
                Ok(sent) => {
                    let sent = sent.max(1);
                    self.counters.packets += sent as u64;
                    let packets = &self.packets[at..at + sent];
                    self.counters.bytes += packets.iter().map(|p| p.1.len() as u64).sum::<u64>();
                    at += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if sys::is_full(&error) => {
                    self.counters.dropped_full += (self.count - at) as u64;
                    at = self.count;
                }
                Err(_) => {
                    self.counters.dropped_refused += 1;
                    at += 1;
                }
            }
        }
        self.count = 0;
    }

    /// Totals since the batch was made.
    pub fn counters(&self) -> SendCounters {
        self.counters
    }
}
