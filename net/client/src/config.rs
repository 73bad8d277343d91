//! What a client is told at its start, and what a player gives it every tick.

use std::fmt;
use std::time::Duration;

/// What inputs and snapshots travel over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LanePolicy {
    /// Sealed packets when the server offers them and they get through, else QUIC datagrams.
    #[default]
    Auto,
    /// QUIC datagrams.
    Quic,
    /// Sealed packets as soon as the server offers them, and never QUIC datagrams again on that
    /// connection: to test with.
    Sealed,
}

impl fmt::Display for LanePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Quic => "quic",
            Self::Sealed => "sealed",
        })
    }
}

/// Settings of a [`GameClient`](crate::GameClient).
#[derive(Clone, Debug)]
pub struct GameClientConfig {
    /// Server address, pinned fingerprint and the rest of QUIC's settings.
    pub quic: sortie_quic::ClientConfig,
    /// The signed join ticket.
    pub ticket: Vec<u8>,
    /// What inputs and snapshots travel over. Default [`LanePolicy::Auto`].
    pub lane: LanePolicy,
    /// Silence of the server after which the client connects anew. Default 2 s.
    pub silence_max: Duration,
    /// A first connection that has not led to a welcome after this time is given up. Default 5 s:
    /// a ticket serves once, so giving up early may mean that it is spent.
    pub join_attempt_max: Duration,
    /// The same for an attempt to come back. A token serves any number of times. Default 2 s.
    pub resume_attempt_max: Duration,
    /// Silence of the server after which an attempt to come back is given up, or three round
    /// trips; doubled with each in a row of which nothing was heard, up to
    /// [`Self::resume_attempt_max`]. QUIC repeats what was lost ever more rarely, while a path that
    /// was dead may be good again at any moment. Default 600 ms.
    pub resume_quiet_max: Duration,
    /// Pause before the second attempt in a row; it doubles with each. Default 100 ms.
    pub backoff_first: Duration,
    /// Longest pause between attempts. Default 2 s.
    pub backoff_max: Duration,
    /// How long a client that was never let in keeps trying. Default 15 s. After a welcome the
    /// server's grace time counts instead.
    pub join_max: Duration,
}

impl GameClientConfig {
    /// The defaults.
    pub fn new(quic: sortie_quic::ClientConfig, ticket: Vec<u8>) -> Self {
        Self {
            quic,
            ticket,
            lane: LanePolicy::default(),
            silence_max: Duration::from_secs(2),
            join_attempt_max: Duration::from_secs(5),
            resume_attempt_max: Duration::from_secs(2),
            resume_quiet_max: Duration::from_millis(600),
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
            join_max: Duration::from_secs(15),
        }
    }
}

/// What a player wants in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalInput {
    /// Sideways, -127 (left) to 127 (right), relative to the view.
    pub move_right: i8,
    /// Along the view, -127 (backward) to 127 (forward).
    pub move_forward: i8,
    /// Heading, 65,536 units a turn.
    pub yaw: u16,
    /// Elevation, 65,536 units a turn.
    pub pitch: i16,
    /// Held [`buttons`](sortie_wire::input::buttons).
    pub buttons: u16,
    /// Weapon wanted in hand: 0 primary, 1 sidearm, 2 gadget.
    pub weapon_slot: u8,
}
