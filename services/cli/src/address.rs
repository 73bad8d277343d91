//! Addresses of servers as people write them: by number or by name.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a server is, written as `192.0.2.7:7777` or `play.example.com:7777`. A name is looked up
/// once, when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerAddress(pub SocketAddr);

impl FromStr for ServerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(_))) {
            return Err("a host and a port are needed, as 192.0.2.7:7777 or [::1]:7777".to_owned());
        }
        let found: Vec<SocketAddr> = text
            .to_socket_addrs()
            .map_err(|error| format!("the host cannot be looked up ({error})"))?
            .collect();
        // Servers listen on IPv4 unless they are told otherwise; localhost is both.
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        first.copied().map(Self).ok_or_else(|| "the host has no address".to_owned())
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ServerAddress> for String {
    fn from(address: ServerAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_number_and_by_name() {
        let read = |text: &str| text.parse::<ServerAddress>().map(|address| address.to_string());
        assert_eq!(read("192.0.2.7:9"), Ok("192.0.2.7:9".to_owned()));
        assert_eq!(read("[::1]:9"), Ok("[::1]:9".to_owned()));
        assert_eq!(read("localhost:9"), Ok("127.0.0.1:9".to_owned()));
        for wrong in ["", "localhost", "192.0.2.7", "localhost:many", "localhost:70000"] {
            assert!(read(wrong).unwrap_err().contains("192.0.2.7:7777"), "{wrong}");
        }
    }
}
