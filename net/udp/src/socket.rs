//! A nonblocking UDP socket and its options.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use crate::sys::{self, Handle, Waited};

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Receive buffer asked of the kernel, in bytes. It grants at most `net.core.rmem_max`; see
    /// [`Socket::recv_buffer_bytes`]. A tick of 1,000 clients overflows the usual 212 KB.
    pub recv_buffer_bytes: usize,
    /// Send buffer asked of the kernel, in bytes, within `net.core.wmem_max`.
    pub send_buffer_bytes: usize,
}

impl Default for SocketOptions {
    /// 4 MB each way, the right size for a server.
    fn default() -> Self {
        Self { recv_buffer_bytes: 4 << 20, send_buffer_bytes: 4 << 20 }
    }
}

impl SocketOptions {
    /// 256 KiB each way: for the one player behind a client's socket.
    pub fn client() -> Self {
        Self { recv_buffer_bytes: 256 << 10, send_buffer_bytes: 256 << 10 }
    }
}

/// A nonblocking UDP socket, IPv4 or IPv6. One bound to `[::]` serves both families.
#[derive(Debug)]
pub struct Socket {
    handle: Handle,
    local: SocketAddr,
}

impl Socket {
    /// Opens and binds a socket; port 0 lets the kernel choose one.
    pub fn bind(address: SocketAddr, options: SocketOptions) -> io::Result<Self> {
        Self::open(address, options, None)
    }

    /// Opens `shard_count` sockets on one address and has the kernel hand each datagram to the
    /// socket whose index [`crate::shard_of`] names.
    ///
    /// # Errors
    /// Besides the kernel's: `InvalidInput` when `shard_count` is no power of two up to 256, and
    /// `Unsupported` for more than one on another system than Linux.
    pub fn bind_shards(
        address: SocketAddr,
        shard_count: usize,
        options: SocketOptions,
    ) -> io::Result<Vec<Self>> {
        if !shard_count.is_power_of_two() || shard_count > 256 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{shard_count} shards: must be a power of two up to 256"),
            ));
        }
        if shard_count == 1 {
            return Ok(vec![Self::bind(address, options)?]);
        }
        let mask = shard_count as u32 - 1;
        let first = Self::open(address, options, Some(mask))?;
        // The kernel may have chosen the port; the filter's index is the order of binding.
        let address = first.local;
        let mut shards = vec![first];
        for _ in 1..shard_count {
            shards.push(Self::open(address, options, Some(mask))?);
        }
        Ok(shards)
    }

    fn open(address: SocketAddr, options: SocketOptions, steer: Option<u32>) -> io::Result<Self> {
        let (handle, local) = sys::open(address, options, steer)?;
        Ok(Self { handle, local })
    }

    /// The address that the socket is bound to, with the port that the kernel chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Room of the receive buffer as the kernel granted it, in bytes (it counts its own overhead
    /// in it and reports twice what was asked).
    pub fn recv_buffer_bytes(&self) -> io::Result<usize> {
        sys::recv_buffer_bytes(&self.handle)
    }

    /// Waits until a datagram is there or the deadline has passed; true when one is there.
    pub fn wait_readable_until(&self, deadline: Instant) -> io::Result<bool> {
        let mut waited = [Waited::readable(&self.handle)];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match sys::wait(&mut waited, left) {
                Ok(ready) => return Ok(ready > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn is_ipv6(&self) -> bool {
        self.local.is_ipv6()
    }
}
