//! Sockets with room for a burst.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

const BUFFER_BYTES: usize = 4 << 20;

/// A server's socket on a free port of the loopback, with [`widen`]ed buffers.
pub fn server_socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    widen(&socket)?;
    Ok(socket)
}

/// Asks for 4 MiB in both directions; the system may grant less.
pub fn widen(socket: impl AsFd) -> io::Result<()> {
    set_socket_recv_buffer_size(&socket, BUFFER_BYTES)?;
    set_socket_send_buffer_size(&socket, BUFFER_BYTES)?;
    Ok(())
}
