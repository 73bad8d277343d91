//! What an operator can choose.

use std::time::Duration;

use sortie_control::bus::Rate;

/// Limits and times of the chat of one node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Web pages that may connect, like `https://play.example`; `*`: all. Pages of this host may
    /// always, and so may whoever sends no `origin`, which browsers never leave out.
    pub origins: Vec<String>,
    /// Sockets on this node at a time.
    pub sockets_max: usize,
    /// Sockets of one client address at a time.
    pub per_address_max: usize,
    /// Sockets of one player on this node; one more closes the oldest.
    pub per_player_max: usize,
    /// Time for the token, when it comes in the first frame.
    pub hello_timeout: Duration,
    /// Events and answers that wait for a slow reader; one more closes the socket.
    pub queue: usize,
    /// Silence after which the peer is asked for a sign of life; after twice as long it is gone.
    pub ping_every: Duration,
    /// Channels that one socket may have joined.
    pub channels_max: usize,
    /// Messages that wait to be stored; one more is refused with `chat.busy`.
    pub unstored_max: usize,
    /// Messages in one batch.
    pub batch_max: usize,
    /// How long a batch waits for more messages. At most 100 ms.
    pub batch_wait: Duration,
    /// Time for a batch to be stored before its authors hear `chat.unavailable`.
    pub store_timeout: Duration,
    /// How long a player counts as present after the last renewal.
    pub presence_ttl: Duration,
    /// How often presence is renewed.
    pub presence_every: Duration,
    /// How often words, slow modes and bans are read again.
    pub refresh_every: Duration,
    /// How long messages are kept. Those that were reported stay, for whoever looks at bans later.
    pub kept: Duration,
    /// How often a player may do what.
    pub rates: Rates,
}

/// How often a player may do what, over all sockets and nodes.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Messages that are said.
    pub say: Rate,
    /// Edits and deletions.
    pub edit: Rate,
    /// Joins of channels, and leaves.
    pub join: Rate,
    /// Pages of history.
    pub history: Rate,
    /// Reports.
    pub report: Rate,
    /// Mutes and unmutes.
    pub mute: Rate,
    /// Questions who is there.
    pub presence: Rate,
    /// Frames of one socket, whatever is in them; more closes it.
    pub frames: Rate,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            sockets_max: 20_000,
            per_address_max: 256,
            per_player_max: 5,
            hello_timeout: Duration::from_secs(5),
            queue: 512,
            ping_every: Duration::from_secs(30),
            channels_max: 32,
            unstored_max: 4_096,
            batch_max: 500,
            batch_wait: Duration::from_millis(3),
            store_timeout: Duration::from_secs(5),
            presence_ttl: Duration::from_secs(45),
            presence_every: Duration::from_secs(15),
            refresh_every: Duration::from_secs(5),
            kept: Duration::from_secs(90 * 86_400),
            rates: Rates::default(),
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        let per = |count, s| Rate::per(count, Duration::from_secs(s));
        Self {
            say: per(10, 10),
            edit: per(20, 20),
            join: per(40, 20),
            history: per(40, 20),
            report: per(5, 60),
            mute: per(20, 60),
            presence: per(20, 20),
            frames: per(100, 20),
        }
    }
}
