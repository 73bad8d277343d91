//! Addresses of clients: which one is believed, and what counts as one client.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::ApiError;

/// The address of the client, as far as it can be believed. An extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Without a listener, in tests that call a router by itself, there is no address.
        let found = parts.extensions.get::<Self>().copied();
        Ok(found.unwrap_or(Self(IpAddr::from([127, 0, 0, 1]))))
    }
}

/// The last address that no trusted proxy stands for: what is left of it may be invented.
pub(crate) fn client_address(peer: IpAddr, forwarded: &str, trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer.to_canonical();
    for hop in forwarded.rsplit(',') {
        if !trusted.iter().any(|trusted| trusted.to_canonical() == address) {
            break;
        }
        let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
        address = hop.to_canonical();
    }
    address
}

/// The address that a client counts as: who owns one IPv6 address owns its /64. An IPv4 address
/// is the same however a socket writes it.
pub fn counts_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// The name of what a client counts as.
pub fn network(address: IpAddr) -> String {
    match counts_as(address) {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{address}/64"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let (client, proxy) = (ip("198.51.100.7"), ip("10.0.0.1"));
        let trusted = [proxy, ip("10.0.0.2")];
        assert_eq!(client_address(client, "203.0.113.9", &trusted), client, "spoofed");
        assert_eq!(client_address(proxy, "198.51.100.7", &trusted), client);
        assert_eq!(client_address(proxy, "1.1.1.1, 198.51.100.7, 10.0.0.2", &trusted), client);
        assert_eq!(client_address(proxy, "1.1.1.1, rubbish", &trusted), proxy);
        assert_eq!(client_address(proxy, "", &trusted), proxy);
        // A listener of both families sees IPv4 peers as IPv6 addresses.
        let mapped = ip("::ffff:10.0.0.1");
        assert_eq!(client_address(mapped, "::ffff:198.51.100.7", &trusted), client);
        assert_eq!(client_address(proxy, "198.51.100.7", &[mapped]), client);
    }

    #[test]
    fn ipv6_addresses_count_by_network() {
        assert_eq!(network(ip("2001:db8::1")), network(ip("2001:db8::2")));
        assert_ne!(network(ip("2001:db8:0:1::1")), network(ip("2001:db8::2")));
        assert_eq!(network(ip("2001:db8:0:1::1")), "2001:db8:0:1::/64");
    }

    #[test]
    fn an_ipv4_address_is_itself_however_it_is_written() {
        assert_eq!(network(ip("::ffff:198.51.100.7")), "198.51.100.7");
        assert_ne!(network(ip("::ffff:198.51.100.7")), network(ip("::ffff:198.51.100.8")));
    }
}
