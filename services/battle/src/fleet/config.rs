//! What a battle server of a fleet is started with, and what it tells while it runs.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use super::spool::SpoolQuota;
use crate::report::BattleReport;

/// The secret that a control plane and its battle servers share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A text of at least 16 characters that a header can carry.
    ///
    /// # Errors
    /// It is shorter, or holds something else than visible ASCII and spaces.
    pub fn new(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        ensure!(text.len() >= 16, "the fleet secret must have at least 16 characters");
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        ensure!(is_plain, "the fleet secret must be ASCII");
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Addresses of one control plane, most.
pub(super) const ADDRESSES_MAX: usize = 16;

/// Everything that being one of a fleet takes.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// Where the control plane's internal gRPC is: one address or several, each `http://HOST:PORT`,
    /// or each `https://HOST:PORT`. At most 16.
    pub control_planes: Vec<String>,
    /// PEM certificates that the control plane's own is checked against; needed with `https`.
    pub roots: Option<String>,
    /// What opens it.
    pub secret: Secret,
    /// The server's name: lower-case letters, digits, `.`, `_`, `-`, up to 63; stable over
    /// restarts.
    pub name: String,
    /// Where clients connect, `HOST:PORT`; `None`: the address that is listened at.
    pub public_address: Option<String>,
    /// How many results may wait.
    pub spool: SpoolQuota,
    /// Replays that are kept, newest first; `None`: all.
    pub replays_max: Option<usize>,
    /// Bytes of replays that are kept; `None`: any number.
    pub replay_bytes_max: Option<u64>,
    /// A battle that nobody is connected to for so long ends; `None`: it goes on.
    pub empty_after: Option<Duration>,
    /// At the end, so long is tried to hand over what waits in the spool.
    pub farewell: Duration,
}

impl FleetConfig {
    /// The defaults, with the control plane at one address or at several, separated by commas.
    ///
    /// # Errors
    /// An address or the name cannot be one.
    pub fn new(control_planes: &str, secret: Secret, name: &str) -> anyhow::Result<Self> {
        let control_planes: Vec<String> =
            control_planes.split(',').map(|address| address.trim().to_owned()).collect();
        let scheme_of = |address: &str| {
            let mut schemes = ["http://", "https://"].into_iter();
            schemes
                .find(|&scheme| address.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        };
        let first = control_planes.first().and_then(|address| scheme_of(address));
        for address in &control_planes {
            let scheme = scheme_of(address);
            ensure!(
                scheme.is_some(),
                "the control plane's address '{address}' must be written http://HOST:PORT or \
                 https://HOST:PORT"
            );
            ensure!(
                scheme == first,
                "the control plane's addresses must all be http or all be https"
            );
        }
        ensure!(
            control_planes.len() <= ADDRESSES_MAX,
            "the control plane has {} addresses; {ADDRESSES_MAX} are enough",
            control_planes.len()
        );
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut bytes = name.bytes();
        let is_name = bytes.next().is_some_and(known)
            && bytes.all(|byte| known(byte) || b"._-".contains(&byte))
            && name.len() <= 63;
        ensure!(
            is_name,
            "the name '{name}' must be of lower-case letters, digits, '.', '_' and '-', at most 63"
        );
        Ok(Self {
            control_planes,
            roots: None,
            secret,
            name: name.to_owned(),
            public_address: None,
            spool: SpoolQuota::default(),
            replays_max: None,
            replay_bytes_max: None,
            empty_after: Some(Duration::from_secs(300)),
            farewell: Duration::from_secs(5),
        })
    }
}

/// The control plane knows the server.
#[derive(Clone, Debug, Serialize)]
pub struct Registered {
    /// Where clients connect, as it is listened at.
    pub listen: SocketAddr,
    /// The same, as clients are told.
    pub address: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
    /// Where metrics and health are.
    pub ops: Option<SocketAddr>,
    /// Journals, replays, results and keys.
    pub data_dir: PathBuf,
    /// Starts of a server on this data directory, this one included.
    pub incarnation: u64,
    /// The name it registered under.
    pub name: String,
    /// Who it is to the control plane, a UUID.
    pub server_id: String,
    /// Its registrations under this name.
    pub epoch: u64,
}

/// What a battle server of a fleet tells.
#[derive(Clone, Copy, Debug)]
pub enum FleetEvent<'a> {
    /// It is registered for the first time since it started.
    Registered(&'a Registered),
    /// A battle begins, or goes on after a restart; its id.
    Begun(&'a str),
    /// A battle is over.
    Report(&'a BattleReport),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_are_checked() {
        let secret = Secret::new("0123456789abcdef\n").unwrap();
        assert_eq!(secret.as_str(), "0123456789abcdef");
        assert!(!format!("{secret:?}").contains("0123"));
        assert!(Secret::new("short").is_err() && Secret::new("0123456789\tabcdef").is_err());
        let new = |url, name| FleetConfig::new(url, secret.clone(), name);
        let shown = format!("{:?}", new("http://127.0.0.1:1", "eu-1.a").unwrap());
        assert!(!shown.contains("0123456789abcdef"), "{shown}");
        let long = "a".repeat(64);
        for name in ["", "-a", "A", "a b", &long] {
            assert!(new("http://127.0.0.1:1", name).is_err(), "{name}");
        }
        assert!(new("https://plane.example:1", "a").is_ok());
        for url in ["127.0.0.1:1", "https://", "ftp://127.0.0.1:1"] {
            assert!(new(url, "a").is_err(), "{url}");
        }
        let several = new("http://a:1, http://b:1", "a").unwrap();
        assert_eq!(several.control_planes, ["http://a:1", "http://b:1"]);
        let many = vec!["http://a:1"; ADDRESSES_MAX + 1].join(",");
        for url in ["http://a:1,https://b:1", "http://a:1,", "", "http://a:1,b:1", &many] {
            assert!(new(url, "a").is_err(), "{url}");
        }
    }
}
