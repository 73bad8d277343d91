//! Batches between a socket and whatever takes and gives datagrams.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use sortie_quic::Driven;
use sortie_udp::{BATCH, RecvBatch, RecvCounters, SendBatch, SendCounters, Socket};

/// The buffers of one thread, 230 KiB. It keeps nothing between calls: one pump may serve many
/// sockets in turn, as a swarm's does.
#[derive(Default)]
pub struct Pump {
    rx: RecvBatch,
    tx: SendBatch,
}

impl Pump {
    /// A pump.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands what waits at the socket to `driven`, at most `batches_max` batches of 64 so that a
    /// flood cannot hold up the tick. Returns how many datagrams it handed over.
    pub fn receive(
        &mut self,
        socket: &Socket,
        driven: &mut impl Driven,
        now: Instant,
        batches_max: usize,
    ) -> io::Result<usize> {
        let mut total = 0;
        for _ in 0..batches_max {
            let count = self.rx.receive(socket)?;
            for (from, datagram) in self.rx.iter_mut() {
                driven.handle_datagram(now, from, datagram);
                total += 1;
            }
            if count < BATCH {
                break;
            }
        }
        Ok(total)
    }

    /// Has `write` put one datagram straight into the batch of those that leave with the next
    /// [`Self::transmit`]. `write` finds an empty buffer and says where its content goes; `None`
    /// sends nothing.
    pub fn write(
        &mut self,
        socket: &Socket,
        write: impl FnOnce(&mut Vec<u8>) -> Option<SocketAddr>,
    ) {
        if let Some(to) = write(self.tx.slot(socket)) {
            self.tx.commit(to);
        }
    }

    /// Sends all that `driven` has to send. What the socket does not take is dropped and counted.
    pub fn transmit(&mut self, socket: &Socket, driven: &mut impl Driven, now: Instant) {
        while let Some(transmit) = driven.poll_transmit(now, self.tx.slot(socket)) {
            self.tx.commit(transmit.to);
        }
        self.tx.flush(socket);
    }

    /// Totals of both directions.
    pub fn counters(&self) -> (RecvCounters, SendCounters) {
        (self.rx.counters(), self.tx.counters())
    }
}
