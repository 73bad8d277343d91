//! What the operating system does for us, behind one backend: [`open`], [`receive`], [`send`],
//! [`wait`] and what they need. Linux moves a batch with one system call; elsewhere each datagram
//! costs one, by way of a library.

use std::net::SocketAddr;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
pub(crate) use linux::{Handle, Waited, is_full, open, receive, recv_buffer_bytes, send, wait};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{Handle, Waited, is_full, open, receive, recv_buffer_bytes, send, wait};

/// One datagram that [`receive`] took in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Its bytes' number; they stand at the start of its slot.
    pub(crate) length: usize,
    /// Its sender.
    pub(crate) from: SocketAddr,
    /// It was longer than its slot, and cut.
    pub(crate) truncated: bool,
}
