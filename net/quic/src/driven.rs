//! What takes UDP datagrams in and gives others out, whoever owns the socket.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::BytesMut;

use crate::{Client, Server, Transmit};

/// One end of one socket.
pub trait Driven {
    /// Takes one UDP datagram in. It lies in the memory of the batch and may be changed there; who
    /// wants to keep it copies it.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]);

    /// Writes the next UDP datagram into `out`, whose content is replaced.
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit>;
}

impl Driven for Server {
    // Each datagram gets memory of its own: what a peer makes us keep (stream data out of order)
    // then pins its own packet, and not a whole arena for each byte.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.handle_datagram(now, from, BytesMut::from(&*datagram));
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.poll_transmit(now, out)
    }
}

impl Driven for Client {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.handle_datagram(now, from, BytesMut::from(&*datagram));
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.poll_transmit(now, out)
    }
}
