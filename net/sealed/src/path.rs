//! Where a peer is, as a server knows it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::fields::Challenge;

/// Bytes that may go to an unproven address for each byte that came from it (RFC 9000, 8.1).
pub const AMPLIFICATION_LIMIT: u64 = 3;

/// One change of address is followed in this time.
pub const CHANGE_INTERVAL: Duration = Duration::from_millis(250);

/// A peer's address: the source of its newest authentic packet (as WireGuard does), with two
/// bounds that WireGuard lacks.
///
/// Whoever sees the peer's packets can send copies of them from elsewhere, with any source
/// address, and may be faster than the original. So a new address is used at once but gets at
/// most [`AMPLIFICATION_LIMIT`] times the bytes that came from it, until a challenge sent there
/// came back from there; and changes are followed at most every [`CHANGE_INTERVAL`]. The address
/// that was proven last stays so when the peer returns to it.
#[derive(Debug, Clone)]
pub struct Path {
    address: SocketAddr,
    proven: SocketAddr,
    /// Of the present address, when it is not the proven one.
    validation: Validation,
    changed_at: Option<Instant>,
    changes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Validation {
    challenge: Challenge,
    received_bytes: u64,
    sent_bytes: u64,
}

impl Path {
    /// A path to `address`, which is proven: the QUIC connection's.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            proven: address,
            validation: Validation::default(),
            changed_at: None,
            changes: 0,
        }
    }

    /// Where packets to the peer go at present.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the peer has shown that it receives what is sent there.
    pub fn is_proven(&self) -> bool {
        self.address == self.proven
    }

    /// What every packet has to carry until the address is proven.
    pub fn challenge(&self) -> Option<Challenge> {
        (!self.is_proven()).then_some(self.validation.challenge)
    }

    /// How often the address changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes note of an authentic packet of `bytes` bytes from `from`. `newest`: no packet of a
    /// higher number came before. `echo`: the challenge that it brings back. `fresh` gives a new
    /// unpredictable challenge when one is needed.
    pub fn on_authenticated(
        &mut self,
        now: Instant,
        from: SocketAddr,
        newest: bool,
        bytes: usize,
        echo: Option<Challenge>,
        fresh: impl FnOnce() -> Challenge,
    ) {
        if from == self.address {
            if !self.is_proven() {
                self.validation.received_bytes += bytes as u64;
                if echo == Some(self.validation.challenge) {
                    self.proven = from;
                }
            }
        } else if newest && self.may_change(now) {
            self.address = from;
            self.changed_at = Some(now);
            self.changes += 1;
            self.validation =
                Validation { challenge: fresh(), received_bytes: bytes as u64, sent_bytes: 0 };
        }
    }

    /// Bytes that may go to the present address now; `None`: as many as one likes.
    pub fn allowance(&self) -> Option<u64> {
        let allowed = AMPLIFICATION_LIMIT * self.validation.received_bytes;
        (!self.is_proven()).then(|| allowed.saturating_sub(self.validation.sent_bytes))
    }

    /// Where a packet of `bytes` bytes may go now, and counts it as sent; `None` when the address
    /// may not get so many yet.
    pub fn may_send(&mut self, bytes: usize) -> Option<SocketAddr> {
        if !self.is_proven() {
            let sent_bytes = self.validation.sent_bytes + bytes as u64;
            if sent_bytes > AMPLIFICATION_LIMIT * self.validation.received_bytes {
                return None;
            }
            self.validation.sent_bytes = sent_bytes;
        }
        Some(self.address)
    }

    fn may_change(&self, now: Instant) -> bool {
        self.changed_at.is_none_or(|at| now.saturating_duration_since(at) >= CHANGE_INTERVAL)
    }
}
