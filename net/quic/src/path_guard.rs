//! What may be sent to an address that nobody has proven to be theirs.
//!
//! The rule is RFC 9000's: three bytes for each received. quinn-proto stretches it twice: it lets
//! a whole packet through while one byte of budget is left, and it pads the challenge of every new
//! path to 1,200 bytes, so that a connected client that forges its source address with each 60
//! byte packet would turn the server into a twenty-fold amplifier. So the driver counts again, and
//! holds back what breaks the rule; to quinn-proto it looks lost on the way. Since the challenge is
//! what lets an honest client move quickly, a connection has two packets free, and one more each
//! second.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

const FREE_PACKETS_MAX: u32 = 2;
const FREE_PACKET_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct PathGuard {
    /// The address that is proven; none before the handshake is over.
    home: Option<SocketAddr>,
    /// The other address that was heard last, and the bytes from and to it.
    away: SocketAddr,
    received: usize,
    sent: usize,
    free_packets: u32,
    refilled_at: Instant,
}

impl PathGuard {
    /// For a connection whose first datagram, of so many bytes, came from `remote`.
    pub(crate) fn new(remote: SocketAddr, proven: bool, first_bytes: usize, now: Instant) -> Self {
        Self {
            home: proven.then_some(remote),
            away: remote,
            received: first_bytes,
            sent: 0,
            free_packets: FREE_PACKETS_MAX,
            refilled_at: now,
        }
    }

    pub(crate) fn on_received(&mut self, from: SocketAddr, bytes: usize) {
        if self.home == Some(from) {
            return;
        }
        if self.away != from {
            (self.away, self.received, self.sent) = (from, 0, 0);
        }
        self.received += bytes;
    }

    /// The peer has answered a handshake or a challenge from this address.
    pub(crate) fn on_proven(&mut self, address: SocketAddr) {
        self.home = Some(address);
    }

    /// Whether `address` is the proven one.
    pub(crate) fn is_home(&self, address: SocketAddr) -> bool {
        self.home == Some(address)
    }

    /// Whether a packet may leave; counts it if so.
    pub(crate) fn may_send(&mut self, now: Instant, to: SocketAddr, bytes: usize) -> bool {
        if self.is_home(to) {
            return true;
        }
        if to == self.away && self.sent + bytes <= 3 * self.received {
            self.sent += bytes;
            return true;
        }
        self.home.is_some() && self.take_free_packet(now)
    }

    fn take_free_packet(&mut self, now: Instant) -> bool {
        while self.free_packets < FREE_PACKETS_MAX && now >= self.refilled_at + FREE_PACKET_EVERY {
            self.free_packets += 1;
            self.refilled_at += FREE_PACKET_EVERY;
        }
        if self.free_packets == FREE_PACKETS_MAX {
            self.refilled_at = now;
        }
        let taken = self.free_packets > 0;
        self.free_packets -= u32::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn before_the_handshake_is_over_the_factor_is_exact() {
        let now = Instant::now();
        let mut guard = PathGuard::new(address(1), false, 1_200, now);
        assert!(guard.may_send(now, address(1), 3_600));
        assert!(!guard.may_send(now, address(1), 1));
        guard.on_received(address(1), 100);
        assert!(guard.may_send(now, address(1), 300));
        guard.on_proven(address(1));
        assert!(guard.may_send(now, address(1), 100_000));
    }

    #[test]
    fn forged_moves_get_two_packets_and_one_a_second() {
        let start = Instant::now();
        let mut guard = PathGuard::new(address(1), true, 1_200, start);
        let mut sent = 0;
        for k in 0..600_u32 {
            let now = start + Duration::from_millis(10) * k;
            let victim = address(2 + k as u16);
            guard.on_received(victim, 60);
            sent += u32::from(guard.may_send(now, victim, 1_200));
        }
        assert!((6..=8).contains(&sent), "{sent} in six seconds");
    }

    #[test]
    fn a_proven_move_is_free() {
        let now = Instant::now();
        let mut guard = PathGuard::new(address(1), true, 1_200, now);
        guard.on_received(address(2), 60);
        assert!(guard.may_send(now, address(2), 1_200));
        guard.on_proven(address(2));
        assert!((0..100).all(|_| guard.may_send(now, address(2), 1_200)));
    }
}
