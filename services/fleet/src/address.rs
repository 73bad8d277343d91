//! Where players reach a battle server: what may stand in `RegisterRequest.address`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Of host and port together.
const BYTES_MAX: usize = 255;
/// Of a name in the DNS (RFC 1035), and of what stands between two of its dots.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Refuses what no client can send a packet to.
///
/// # Errors
/// What is wrong, as a text that begins with the name of the field.
pub(crate) fn check(address: &str) -> Result<(), &'static str> {
    let shape = "address: host:port, at most 255 characters; IPv6 addresses in brackets";
    if address.len() > BYTES_MAX {
        return Err(shape);
    }
    let (host, port) = address.rsplit_once(':').ok_or(shape)?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port != 0);
    if !is_port {
        return Err("address: the port is 1 to 65535");
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let ip = match bracketed {
        Some(host) => Some(IpAddr::V6(host.parse::<Ipv6Addr>().map_err(|_| shape)?)),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    match ip.map(|ip| ip.to_canonical()) {
        Some(ip) if is_nobodys(ip) => Err("address: the host is one that packets can be sent to"),
        None if !is_name(host) => Err("address: the host is an IP address or a name of the DNS"),
        _ => Ok(()),
    }
}

/// Whether an address is no one machine's.
fn is_nobodys(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Labels of letters, digits and hyphens between dots, the last one no number: that would be an
/// IPv4 address that is none.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= NAME_BYTES_MAX
        && host.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_packets_can_be_sent_to() {
        for good in [
            "127.0.0.1:4433",
            "203.0.113.66:1",
            "[::1]:65535",
            "[2001:db8::7]:4433",
            "battle-1.eu.example:4433",
            "xn--bcher-kva.example:4433",
            "localhost:4433",
            "7.example:4433",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "nowhere",
            "host:0",
            "host:",
            "host:+1",
            "host:65536",
            ":4433",
            "::1:4433",
            "[::1:4433",
            "[127.0.0.1]:4433",
            "[fe80::1%eth0]:4433",
            "0.0.0.0:4433",
            "[::]:4433",
            "[::ffff:0.0.0.0]:4433",
            "224.0.0.1:4433",
            "[ff02::1]:4433",
            "255.255.255.255:4433",
            "1.2.3:4433",
            "1.2.3.256:4433",
            "a b:4433",
            "a..b:4433",
            "-a.example:4433",
            "user@host:4433",
            "host/path:4433",
            "b\u{fc}cher.example:4433",
            "\u{202e}host:4433",
        ] {
            let fault = check(bad).expect_err(bad);
            assert!(fault.starts_with("address: "), "{bad}: {fault}");
        }
        assert!(check(&format!("{}:1", "h".repeat(64))).is_err());
        assert!(check(&format!("{}:1", "h.".repeat(140))).is_err());
    }
}
