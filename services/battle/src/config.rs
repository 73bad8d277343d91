//! What a battle server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use sortie_field::Map;
use sortie_keys::PublicKeys;
use sortie_sim::config::SimConfig;

use crate::journal::JournalOptions;

/// Who may let players in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketAuthority {
    /// The holders of the private halves of these Ed25519 keys.
    PublicKeys(PublicKeys),
    /// Whoever reads this server's ready line: for development. The key pair is kept in the data
    /// directory.
    Dev,
}

/// Everything that a battle server needs to know.
#[derive(Clone, Debug)]
pub struct BattleServerConfig {
    /// Where clients connect, UDP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where metrics and health are served; `None`: nowhere.
    pub ops: Option<SocketAddr>,
    /// Journal, replays and keys. One server at a time.
    pub data_dir: PathBuf,
    /// The name of a new battle; `None`: a random one. One that is taken up keeps its own.
    pub battle_id: Option<u128>,
    /// Rules of a new battle. One that is taken up keeps its own.
    pub rules: SimConfig,
    /// Map of a new battle.
    pub map: Map,
    /// Seed of a new battle; `None`: a random one.
    pub seed: Option<u64>,
    /// Threads of simulation, interest and shards together, the tick's own included.
    pub threads: usize,
    /// Sockets that clients are spread over: a power of two up to 256.
    pub shards: usize,
    /// Whether clients are offered the sealed lane for inputs and snapshots.
    pub sealed_lane: bool,
    /// Certificate chain and key, PEM; `None`: self-signed, kept in the data directory.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Who lets players in.
    pub tickets: TicketAuthority,
    /// The name that tickets may be bound to; in a fleet the server's, and all are bound to it.
    pub audience: String,
    /// How long a soldier waits for its player after the connection is lost.
    pub grace: Duration,
    /// The battle ends after this long; `None`: only after its round.
    pub duration: Option<Duration>,
    /// How long players see the result of a round before the battle closes.
    pub linger: Duration,
    /// Snapshot bytes a second for one player.
    pub client_bytes_per_s: u32,
    /// How the journal is written.
    pub journal: JournalOptions,
    /// Percentiles in the report leave out the ticks before this one, in which players arrive.
    pub report_from_tick: u32,
}

impl BattleServerConfig {
    /// The defaults, on free ports of the loopback, with development tickets.
    pub fn new(data_dir: PathBuf) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: loopback,
            ops: Some(loopback),
            data_dir,
            battle_id: None,
            rules: SimConfig::default(),
            map: Map::shipped("ridge").expect("the map comes with the program"),
            seed: None,
            threads: 1,
            shards: 1,
            sealed_lane: true,
            certificate: None,
            tickets: TicketAuthority::Dev,
            audience: String::new(),
            grace: Duration::from_secs(30),
            duration: None,
            linger: Duration::from_secs(10),
            client_bytes_per_s: 96 << 10,
            journal: JournalOptions::default(),
            report_from_tick: 0,
        }
    }

    /// Who lets players in, of what a user may say about it.
    ///
    /// # Errors
    /// Says both, or neither.
    pub fn ticket_authority(
        public_keys: Option<PublicKeys>,
        dev_tickets: bool,
    ) -> anyhow::Result<TicketAuthority> {
        match (public_keys, dev_tickets) {
            (Some(keys), false) => Ok(TicketAuthority::PublicKeys(keys)),
            (None, true) => Ok(TicketAuthority::Dev),
            (Some(_), true) => anyhow::bail!(
                "--dev-tickets would let anybody in who reads the log; it is refused beside \
                 --ticket-public-key"
            ),
            (None, false) => anyhow::bail!(
                "nobody could join: give --ticket-public-key, or --dev-tickets for development"
            ),
        }
    }
}

/// What a server says when clients can connect.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// SHA-256 of the certificate, hexadecimal, for clients to pin.
    pub fingerprint: String,
    /// Where metrics and health are.
    pub ops: Option<SocketAddr>,
    /// The battle, hexadecimal.
    pub battle_id: String,
    /// Journal, replays and keys.
    pub data_dir: PathBuf,
    /// Private seed of development tickets, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_ticket_key: Option<String>,
    /// Whether a battle was taken up from its journal.
    pub resumed: bool,
    /// The last tick stepped.
    pub tick: u32,
    /// Starts of a server on this data directory, this one included.
    pub incarnation: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_and_development_tickets_exclude_each_other() {
        let both = BattleServerConfig::ticket_authority(Some([1; 32].into()), true);
        assert!(both.unwrap_err().to_string().contains("--dev-tickets"));
        assert!(BattleServerConfig::ticket_authority(None, false).is_err());
        let dev = BattleServerConfig::ticket_authority(None, true).unwrap();
        assert_eq!(dev, TicketAuthority::Dev);
    }
}
