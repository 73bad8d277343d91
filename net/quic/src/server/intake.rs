//! First packets: judged, and accepted, asked to retry, refused or kept waiting.

use std::net::SocketAddr;

use quinn_proto::{ConnectionHandle, Incoming};

use super::{Server, Slot};
use crate::admission::Verdict;
use crate::connection::Connection;

/// Stateless answers that may wait for the next transmit pass.
const RESPONSES_MAX: usize = 1_024;

impl Server {
    /// Decides on a first packet of so many bytes. Every path consumes `incoming`: one that is
    /// merely dropped would keep its place in the endpoint for ever.
    pub(super) fn admit(&mut self, incoming: Incoming, bytes: usize) {
        self.counters.attempts += 1;
        let proven = incoming.remote_address_validated();
        let pending = self.unproven + self.waiting.len();
        let is_full = self.open + self.waiting.len() >= self.connections_max;
        let from = incoming.remote_address();
        let verdict = match is_full {
            true => Verdict::Refuse,
            false => self.admission.judge(self.now, from, proven, pending),
        };
        match verdict {
            Verdict::Accept if self.accepts_left > 0 && self.waiting.is_empty() => {
                self.accept(incoming, bytes);
            }
            Verdict::Accept => self.keep_waiting(incoming, bytes),
            Verdict::Retry => {
                self.counters.retries += 1;
                self.scratch.clear();
                match self.endpoint.retry(incoming, &mut self.scratch) {
                    Ok(transmit) => self.respond(transmit.destination),
                    // Only attempts with a proven address may not be retried, and this one is not.
                    Err(error) => self.endpoint.ignore(error.into_incoming()),
                }
            }
            Verdict::Refuse => {
                self.counters.refused += 1;
                self.scratch.clear();
                let transmit = self.endpoint.refuse(incoming, &mut self.scratch);
                self.respond(transmit.destination);
            }
        }
    }

    /// Puts a first packet behind those that wait. One from an address that waits already takes
    /// the older one's place: its client has given that attempt up, and a handshake with it would
    /// cost the next one its turn. A proven address does not give way to one that may be forged.
    fn keep_waiting(&mut self, incoming: Incoming, bytes: usize) {
        let from = incoming.remote_address();
        let proven = incoming.remote_address_validated();
        let older = self.waiting.iter_mut().find(|(older, _)| {
            older.remote_address() == from && (proven || !older.remote_address_validated())
        });
        match older {
            Some(place) => {
                let (given_up, _) = std::mem::replace(place, (incoming, bytes));
                self.endpoint.ignore(given_up);
            }
            None => self.waiting.push_back((incoming, bytes)),
        }
    }

    /// Begins a handshake.
    pub(super) fn accept(&mut self, incoming: Incoming, bytes: usize) {
        self.accepts_left = self.accepts_left.saturating_sub(1);
        let proven = incoming.remote_address_validated();
        self.scratch.clear();
        match self.endpoint.accept(incoming, self.now, &mut self.scratch, None) {
            Ok((ConnectionHandle(index), quic)) => {
                if self.slots.len() <= index {
                    self.slots.resize_with(index + 1, Slot::default);
                }
                let connection = Connection::new(quic, self.rules, proven, bytes, self.now);
                self.unproven += usize::from(!proven);
                let before = self.slots[index].connection.replace(Box::new(connection));
                assert!(before.is_none(), "a drained connection leaves its slot at once");
                self.open += 1;
                self.counters.accepted += 1;
                self.settle(index);
            }
            Err(error) => {
                self.counters.handshakes_failed += 1;
                if let Some(transmit) = error.response {
                    self.respond(transmit.destination);
                }
            }
        }
    }

    /// Queues what `scratch` holds as a stateless answer.
    pub(super) fn respond(&mut self, to: SocketAddr) {
        if self.responses.len() < RESPONSES_MAX {
            self.responses.push_back((to, self.scratch.clone()));
        } else {
            self.counters.responses_dropped += 1;
        }
    }
}
