//! Any system that has UDP, one datagram a call: for clients, tools and development. Servers of
//! battles are measured on Linux, which has batches, steered shards and a wait for many sockets.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use super::Received;
use crate::{BATCH, DATAGRAM_BYTES_MAX, SocketOptions};

/// Between two looks at sockets that are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// An open socket; whoever waits for it holds it, too.
pub(crate) type Handle = Arc<UdpSocket>;

/// Opens and binds a nonblocking socket; gives the address that it is bound to.
///
/// # Errors
/// Besides the system's: `Unsupported` with a mask, since nothing steers here.
pub(crate) fn open(
    address: SocketAddr,
    options: SocketOptions,
    steer: Option<u32>,
) -> io::Result<(Handle, SocketAddr)> {
    if steer.is_some() {
        let text = "several shards on one port need Linux; use one";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Systems bound them, some by an error: the usual sizes will do then.
    drop(socket.set_recv_buffer_size(options.recv_buffer_bytes));
    drop(socket.set_send_buffer_size(options.send_buffer_bytes));
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    let local = socket.local_addr()?;
    Ok((Arc::new(socket), local))
}

/// Room of the receive buffer, in bytes.
pub(crate) fn recv_buffer_bytes(handle: &Handle) -> io::Result<usize> {
    SockRef::from(&**handle).recv_buffer_size()
}

/// Whether the system has no room for more just now.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Receives up to [`BATCH`] datagrams without waiting; the k-th lies in the k-th slot of `arena`.
/// Returns how many entries of `out` it filled.
pub(crate) fn receive(
    handle: &Handle,
    arena: &mut [[u8; DATAGRAM_BYTES_MAX]],
    out: &mut [Option<Received>; BATCH],
) -> io::Result<usize> {
    // One byte more than a slot tells a datagram that fits from one that was cut.
    let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
    for (count, (slot, entry)) in arena.iter_mut().zip(out).enumerate() {
        match handle.recv_from(&mut buffer) {
            Ok((length, from)) => {
                let truncated = length > slot.len();
                let length = length.min(slot.len());
                slot[..length].copy_from_slice(&buffer[..length]);
                *entry = Some(Received { length, from, truncated });
            }
            // What came before is not lost; the next call says it again if it lasts.
            Err(_) if count > 0 => return Ok(count),
            Err(error) => return Err(error),
        }
    }
    Ok(BATCH)
}

/// Sends up to [`BATCH`] datagrams without waiting; returns how many the system took from the
/// front. An error concerns the first datagram only.
pub(crate) fn send(handle: &Handle, packets: &[(SocketAddr, Vec<u8>)]) -> io::Result<usize> {
    for (count, (to, bytes)) in packets.iter().take(BATCH).enumerate() {
        match handle.send_to(bytes, to) {
            Ok(_) => {}
            Err(_) if count > 0 => return Ok(count),
            Err(error) => return Err(error),
        }
    }
    Ok(packets.len().min(BATCH))
}

/// A socket to wait for; [`wait`] notes whether it became readable.
#[derive(Clone)]
pub(crate) struct Waited {
    handle: Handle,
    ready: bool,
}

impl Waited {
    pub(crate) fn readable(handle: &Handle) -> Self {
        Self { handle: Arc::clone(handle), ready: false }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }
}

/// Waits until a socket is readable or `timeout` is over, looking once a millisecond; returns how
/// many are ready.
pub(crate) fn wait(waited: &mut [Waited], timeout: Duration) -> io::Result<usize> {
    let deadline = Instant::now() + timeout;
    loop {
        let mut ready = 0;
        for waited in &mut *waited {
            // An error is news, too: receiving tells it.
            let looked = waited.handle.peek_from(&mut [0]);
            waited.ready = !looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            ready += usize::from(waited.ready);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if ready > 0 || left.is_zero() {
            return Ok(ready);
        }
        thread::sleep(left.min(LOOK_EVERY));
    }
}
