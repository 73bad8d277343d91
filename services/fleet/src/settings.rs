//! What the fleet is run with.

use std::time::Duration;

use sortie_keys::{KeyPair, PublicKeys};

/// Times and limits. The defaults are for production; tests take shorter times.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Ed25519 public keys that battle servers check join tickets with, the one that signs first.
    /// The default lets nobody in: nobody has its private half.
    pub ticket_keys: PublicKeys,
    /// How often servers are asked to send a heartbeat. Default 1 s.
    pub heartbeat: Duration,
    /// How long a server is believed to live after a heartbeat. Default 5 s.
    pub lease: Duration,
    /// How often a stream looks for orders that no notification told it of. Default 1 s.
    pub order_poll: Duration,
    /// How often battles are given to servers. Default 200 ms.
    pub placement_every: Duration,
    /// A battle that players arranged waits for those of queues that were asked for up to so much
    /// later. Default 30 s.
    pub arranged_behind: Duration,
    /// A battle that waits this long says in its status what for. Default 5 s.
    pub waiting_after: Duration,
    /// A battle that waits this long for a server is cancelled. Default 5 min.
    pub give_up_after: Duration,
    /// How often servers without a lease are looked for. Default 2 s.
    pub cleanup_every: Duration,
    /// A battle that its server has not begun after this long is given to another. Default 30 s.
    pub open_timeout: Duration,
    /// How often a battle is given to a server before it is given up. Default 3.
    pub tries_max: i32,
    /// How long a running battle is waited for after its server is gone. Default 10 min.
    pub return_grace: Duration,
    /// How long the battle log is kept. Default 90 days.
    pub battle_log_keep: Duration,
    /// How long orders are kept after they were carried out. Default 7 days.
    pub orders_keep: Duration,
    /// How often spectators are told how a battle stands. Default 1 s.
    pub watch_every: Duration,
    /// How much later than it happens spectators see where soldiers are, up to 60 s. Default 10 s.
    pub spectator_delay: Duration,
    /// Most battles that are watched at a time over this node. Default 1,000.
    pub watches_max: usize,
    /// Most of these that are one player's. Default 4.
    pub watches_per_player: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self {
            ticket_keys: KeyPair::generate().public_key().into(),
            heartbeat: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            order_poll: Duration::from_secs(1),
            placement_every: Duration::from_millis(200),
            arranged_behind: Duration::from_secs(30),
            waiting_after: Duration::from_secs(5),
            give_up_after: Duration::from_secs(300),
            cleanup_every: Duration::from_secs(2),
            open_timeout: Duration::from_secs(30),
            tries_max: 3,
            return_grace: Duration::from_secs(600),
            battle_log_keep: days(90),
            orders_keep: days(7),
            watch_every: Duration::from_secs(1),
            spectator_delay: Duration::from_secs(10),
            watches_max: 1_000,
            watches_per_player: 4,
        }
    }
}
