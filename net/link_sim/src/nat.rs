//! A NAT that forgets: the address under which a client is seen changes from time to time.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The mapping of one client: packets to any but its newest outside address are lost.
#[derive(Clone, Debug)]
pub struct Nat {
    inside: SocketAddr,
    outside: SocketAddr,
    rebind_every: Option<Duration>,
    next_rebind: Option<Instant>,
    rebinds: u64,
}

impl Nat {
    /// A mapping that starts at `outside` and moves to another port every `rebind_every`, for the
    /// first time that long after `now`.
    pub fn new(
        inside: SocketAddr,
        outside: SocketAddr,
        rebind_every: Option<Duration>,
        now: Instant,
    ) -> Self {
        let next_rebind = rebind_every.map(|every| now + every);
        Self { inside, outside, rebind_every, next_rebind, rebinds: 0 }
    }

    /// The address under which a packet of the client leaves the NAT at `now`.
    pub fn outbound(&mut self, now: Instant) -> SocketAddr {
        while let (Some(every), Some(at)) = (self.rebind_every, self.next_rebind)
            && at <= now
            && !every.is_zero()
        {
            self.rebind();
            self.next_rebind = Some(at + every);
        }
        self.outside
    }

    /// The client that a packet to `to` reaches; `None` when the mapping is an old one.
    pub fn inbound(&self, to: SocketAddr) -> Option<SocketAddr> {
        (to == self.outside).then_some(self.inside)
    }

    /// Moves the mapping to the next port at once.
    pub fn rebind(&mut self) {
        let port = self.outside.port().checked_add(1).unwrap_or(1_024).max(1_024);
        self.outside.set_port(port);
        self.rebinds += 1;
    }

    /// Moves the mapping to another host address, as from Wi-Fi to a mobile network.
    pub fn move_to(&mut self, outside: IpAddr) {
        self.outside.set_ip(outside);
        self.rebinds += 1;
    }

    /// How often the outside address has changed.
    pub fn rebinds(&self) -> u64 {
        self.rebinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_mapping_reaches_nobody() {
        let start = Instant::now();
        let inside = "10.0.0.2:5000".parse().unwrap();
        let outside: SocketAddr = "203.0.113.9:65535".parse().unwrap();
        let mut nat = Nat::new(inside, outside, Some(Duration::from_secs(5)), start);
        assert_eq!(nat.outbound(start), outside);
        assert_eq!(nat.inbound(outside), Some(inside));
        let moved = nat.outbound(start + Duration::from_secs(11));
        assert_eq!(nat.rebinds(), 2);
        assert_ne!(moved, outside);
        assert_eq!((nat.inbound(outside), nat.inbound(moved)), (None, Some(inside)));
    }
}
