//! Receiving: up to 64 datagrams a call into one arena.

use std::io;
use std::net::SocketAddr;

use crate::socket::Socket;
use crate::sys::{self, Received};
use crate::{BATCH, DATAGRAM_BYTES_MAX, address};

/// What a [`RecvBatch`] has taken in so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecvCounters {
    /// Datagrams handed out.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// System calls made, the ones that found nothing included.
    pub syscalls: u64,
    /// Datagrams dropped because they exceeded [`DATAGRAM_BYTES_MAX`] or had no usable sender.
    pub dropped: u64,
}

/// The arena of one receiving thread: 64 slots, 128 KiB, reused for every batch.
pub struct RecvBatch {
    arena: Box<[[u8; DATAGRAM_BYTES_MAX]]>,
    received: [Option<Received>; BATCH],
    count: usize,
    counters: RecvCounters,
}

impl Default for RecvBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl RecvBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            arena: vec![[0; DATAGRAM_BYTES_MAX]; BATCH].into_boxed_slice(),
            received: [None; BATCH],
            count: 0,
            counters: RecvCounters::default(),
        }
    }

    /// Replaces the batch by what waits at the socket, without waiting for more. Returns how many
    /// datagrams the kernel gave: fewer than [`BATCH`] means that the socket is drained.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        self.count = 0;
        loop {
            self.counters.syscalls += 1;
            match sys::receive(socket.handle(), &mut self.arena, &mut self.received) {
                Ok(count) => self.count = count,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::WouldBlock => return Ok(0),
                    // What an ICMP message says about an earlier datagram ends no server.
                    io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable => continue,
                    _ => return Err(error),
                },
            }
            break;
        }
        for received in &mut self.received[..self.count] {
            if received.is_none_or(|received| received.truncated) {
                *received = None;
                self.counters.dropped += 1;
            }
        }
        for received in self.received[..self.count].iter().flatten() {
            self.counters.packets += 1;
            self.counters.bytes += received.length as u64;
        }
        Ok(self.count)
    }

    /// The datagrams of the last batch with their senders, in order of arrival. IPv4 senders at a
    /// dual-stack socket read as IPv4.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.received[..self.count].iter().zip(self.arena.iter()).filter_map(|(received, slot)| {
            let received = received.as_ref()?;
            Some((address::canonical(received.from), &slot[..received.length]))
        })
    }

    /// [`Self::iter`], where each datagram may be changed: deciphered, say, without a copy.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let received = self.received[..self.count].iter();
        received.zip(self.arena.iter_mut()).filter_map(|(received, slot)| {
            let received = received.as_ref()?;
            Some((address::canonical(received.from), &mut slot[..received.length]))
        })
    }

    /// Totals since the batch was made.
    pub fn counters(&self) -> RecvCounters {
        self.counters
    }
}
