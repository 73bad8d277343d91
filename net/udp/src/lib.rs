//! UDP sockets with batched system calls: 64 datagrams a call, buffers that are reused, no
//! allocation in the steady state, and nothing that waits or spins when a socket is full.
//!
//! Start with [`Socket`], then [`RecvBatch`] and [`SendBatch`].
//!
//! One backend per operating system (`sys`): Linux with `recvmmsg`, `sendmmsg`, `ppoll` and a
//! packet filter that steers a `SO_REUSEPORT` group; elsewhere one call a datagram, and one shard.
//!
//! What is deliberately absent: async, threads, retries, and segmentation offload (every datagram
//! of a tick has another destination).

mod address;
mod poll;
mod recv;
mod send;
mod socket;
mod steer;
mod sys;

pub use poll::PollSet;
pub use recv::{RecvBatch, RecvCounters};
pub use send::{SendBatch, SendCounters};
pub use socket::{Socket, SocketOptions};
pub use steer::shard_of;

/// Datagrams moved by one system call.
pub const BATCH: usize = 64;

/// Largest datagram that [`RecvBatch`] takes in, in bytes; longer ones are cut by the kernel, and
/// dropped and counted here. Above every Ethernet path, and twice what the game sends.
pub const DATAGRAM_BYTES_MAX: usize = 2_048;
