//! Addresses as a dual-stack socket needs them and as everyone else wants to read them.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// The form in which a socket of the given family sends to `to`; `None` when it cannot.
pub(crate) fn for_family(to: SocketAddr, socket_is_ipv6: bool) -> Option<SocketAddr> {
    match (to, socket_is_ipv6) {
        (SocketAddr::V4(v4), true) => {
            let mapped = v4.ip().to_ipv6_mapped();
            Some(SocketAddr::V6(SocketAddrV6::new(mapped, v4.port(), 0, 0)))
        }
        (SocketAddr::V6(v6), false) => {
            Some(SocketAddr::new(IpAddr::V4(v6.ip().to_ipv4_mapped()?), v6.port()))
        }
        _ => Some(to),
    }
}

/// An IPv4 peer of a dual-stack socket reads as IPv4: limits per prefix and logs depend on it.
pub(crate) fn canonical(from: SocketAddr) -> SocketAddr {
    match from {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(IpAddr::V4(v4), v6.port()),
            None => from,
        },
        SocketAddr::V4(_) => from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_peer_of_a_dual_stack_socket_keeps_its_address() {
        let peer: SocketAddr = "192.0.2.7:4433".parse().unwrap();
        let mapped = for_family(peer, true).unwrap();
        assert!(mapped.is_ipv6());
        assert_eq!(canonical(mapped), peer);
        assert_eq!(for_family(mapped, false), Some(peer));
    }

    #[test]
    fn an_ipv4_socket_cannot_reach_ipv6() {
        assert_eq!(for_family("[2001:db8::1]:1".parse().unwrap(), false), None);
    }
}
