//! Which ports `sortie-control up` takes, and whether they are free: looked at before anything is
//! made or started.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use anyhow::{Context, ensure};

use crate::control_plane::listeners::{Addresses, LISTENERS};

/// From the first port to that of the first battle server.
const BATTLES_FROM: u16 = 10;

const _: () = assert!(LISTENERS.len() <= BATTLES_FROM as usize, "each listener has a port");

/// All ports of a run, on loopback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// REST's; the others follow. 0: each takes a free one.
    first: u16,
    servers: u16,
}

impl Ports {
    /// Those from `first` on, with so many battle servers.
    ///
    /// # Errors
    /// There are not so many.
    pub(crate) fn new(first: u16, servers: u16) -> anyhow::Result<Self> {
        let last = u32::from(first) + u32::from(BATTLES_FROM) + u32::from(servers) - 1;
        ensure!(
            last <= u32::from(u16::MAX),
            "--port {first}: the ports up to {last} are needed; there are none above 65535"
        );
        Ok(Self { first, servers })
    }

    /// Of the node.
    pub(crate) fn listen(self) -> Addresses {
        let offsets = (0..BATTLES_FROM).map(|offset| self.at(offset));
        Addresses(LISTENERS.iter().zip(offsets).collect())
    }

    /// Of a battle server, by its number from 0 on.
    pub(crate) fn battle(self, number: u16) -> SocketAddr {
        self.at(BATTLES_FROM + number)
    }

    /// Whether they can be listened at.
    ///
    /// # Errors
    /// One cannot; the message says which.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        let advice = "`up` takes the ports from --port on; choose another";
        for (_, addr) in self.listen().0 {
            TcpListener::bind(addr)
                .with_context(|| format!("cannot listen at {addr}; {advice}"))?;
        }
        for number in 0..self.servers {
            let addr = self.battle(number);
            UdpSocket::bind(addr)
                .with_context(|| format!("cannot listen at {addr} for battles; {advice}"))?;
        }
        Ok(())
    }

    fn at(self, offset: u16) -> SocketAddr {
        let port = if self.first == 0 { 0 } else { self.first + offset };
        (Ipv4Addr::LOCALHOST, port).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_each_other_and_end_where_ports_end() {
        let ports = Ports::new(7_700, 2).unwrap();
        assert_eq!(ports.listen().at("ops").unwrap().port(), 7_705);
        assert_eq!([0, 1].map(|number| ports.battle(number).port()), [7_710, 7_711]);
        assert_eq!(Ports::new(0, 2).unwrap().battle(1).port(), 0);
        assert_eq!(Ports::new(65_510, 16).unwrap().battle(15).port(), 65_535);
        assert!(Ports::new(65_511, 16).is_err());
    }

    #[test]
    fn a_taken_port_is_found_of_either_kind() {
        let operators = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = operators.local_addr().unwrap().port();
        let error = Ports::new(taken - 5, 1).unwrap().check().unwrap_err().to_string();
        assert!(error.contains("--port") && error.contains("127.0.0.1:"), "{error}");
        let players = UdpSocket::bind("127.0.0.1:0").unwrap();
        let battle = players.local_addr().unwrap().port();
        let ports = Ports::new(battle - BATTLES_FROM, 1).unwrap();
        assert!(ports.check().is_err());
        assert!(Ports::new(0, 1).unwrap().check().is_ok());
    }
}
